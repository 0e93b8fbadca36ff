"""Reads configuration files and merges base worlds with differences; every value keeps file and line.

Decides how files become a plan: a base world from the mineral files, then what each scenario extends,
changes and adds, then what the experiment and the command line change. Leaves the meaning of fields to
`schema`, rules that span records to `check`, and the fields of policies to the policy classes, which
call `validate_section`. All problems of all files are collected and raised together.

In one order: scenario files (bases first) -> ``change`` of the experiment -> ``--set`` -> ``sweep``.
"""

from __future__ import annotations

import copy
import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sim.config import check, schema
from sim.config.schema import (
    NUMBER_KEYS,
    Experiment,
    MineralFile,
    ScenarioFile,
    Section,
    Source,
    World,
    fields_of,
)
from sim.config.schema import iter_numbers as iter_numbers
from sim.config.schema import stamp as stamp
from sim.errors import ConfigError, Problem, did_you_mean
from sim.units import read_quantity

Keys = tuple[str, ...]
S = TypeVar("S", bound=Section)

COMMAND_LINE = "command line"
"""Stands for a file where a value was given with ``--set``."""

CHANGEABLE = (
    "behaviour", "materials", "processes", "facilities", "consumers",
    "stockpiles", "trade", "transit", "hazards", "policies",
)  # fmt: skip
"""First parts of the addresses that a scenario, an experiment or ``--set`` may change."""

RUN_SETTINGS = ("horizon", "demand", "switches")
"""First parts of the addresses of the experiment itself that ``--set`` may change."""

PROVENANCE = ("source", "year", "note")

DEFAULT_EXPERIMENT: dict[str, Any] = {
    "horizon": {"start": "2025-01-01", "end": "2029-12-31", "review": "7 d"},
    "demand": "flat",
    "replications": 128,
    "seed": 20250101,
}
"""What a scenario that is run by itself is run with: all minerals, beside the baseline."""


# -- what loading gives ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Origin:
    """Where a value stands: a file relative to the root, and a line counted from 1."""

    file: str
    line: int | None = None


@dataclass
class Tree:
    """Plain values with the origin of every key path.

    Attributes
    ----------
    values : dict
        Nested mappings, lists and scalars; keys are text as written.
    origin : dict
        Key path -> where it was stated.
    """

    values: dict[str, Any] = field(default_factory=dict)
    origin: dict[Keys, Origin] = field(default_factory=dict)

    def where(self, keys: Keys) -> Origin | None:
        """Return where a key path was stated, or the nearest of the mappings around it."""
        for end in range(len(keys), -1, -1):
            if keys[:end] in self.origin:
                return self.origin[keys[:end]]
        return None

    def problem(self, address: str | Keys, message: str) -> Problem:
        """Return a problem at an address, with the file and line it was stated on."""
        keys = split(address) if isinstance(address, str) else address
        origin = self.where(keys) or Origin("configuration")
        return Problem(".".join(keys), message, origin.file, origin.line)

    def get(self, keys: Keys, default: Any = None) -> Any:
        """Return the value at a key path, or the default if there is none."""
        node: Any = self.values
        for key in keys:
            if isinstance(node, Mapping) and key in node:
                node = node[key]
            elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
                node = node[int(key)]
            else:
                return default
        return node

    def put(self, keys: Keys, value: Any, origin: Mapping[Keys, Origin]) -> None:
        """Set the value at a key path, replacing what stood there; `origin` is relative to it."""
        node = self.values
        for key in keys[:-1]:
            if not isinstance(node.get(key), dict):
                node[key] = {}
            node = node[key]
        node[keys[-1]] = value
        for old in [path for path in self.origin if path[: len(keys)] == keys]:
            del self.origin[old]
        self.origin.update({keys + path: place for path, place in origin.items()})

    def below(self, keys: Keys) -> dict[Keys, Origin]:
        """Return the origins at and below a key path, relative to it."""
        found = {path[len(keys) :]: place for path, place in self.origin.items() if path[: len(keys)] == keys}
        place = self.where(keys)
        return found if () in found or place is None else {(): place, **found}

    def copy(self) -> Tree:
        """Return a tree that may be changed without changing this one."""
        return Tree(copy.deepcopy(self.values), dict(self.origin))


@dataclass(frozen=True)
class Change:
    """One value that differs from the base: its address, old and new value, and who says so."""

    address: str
    old: object
    new: object
    file: str
    line: int | None


@dataclass(frozen=True)
class Scenario:
    """One world with its policies.

    Attributes
    ----------
    name, title, question : str
    counterfactual : bool
        Whether it did not happen, by its own word or that of a file it extends.
    world : World
    policies : dict
        Policy name -> its mapping as written; the policy classes validate it.
    changes : tuple of Change
        What differs from the base world and from inherited policies.
    tree : Tree
        Resolved values of the world, and of the policies under ``policies``.
    """

    name: str
    title: str
    question: str
    counterfactual: bool
    world: World
    policies: dict[str, dict[str, Any]]
    changes: tuple[Change, ...]
    tree: Tree


@dataclass(frozen=True)
class Plan:
    """Everything a run needs, checked.

    Attributes
    ----------
    name : str
        Stem of the file.
    path, root : Path
        The file, and the directory that holds ``configs``.
    experiment : Experiment
    scenarios : tuple of Scenario
        In the order of the experiment, each followed by its variants of the sweep.
    sources : dict
        Key -> source.
    resolved : dict
        All of it as plain values that JSON can hold, with changes and origins: enough to repeat the run.
    """

    name: str
    path: Path
    root: Path
    experiment: Experiment
    scenarios: tuple[Scenario, ...]
    sources: dict[str, Source]
    resolved: dict[str, Any]


# -- reading YAML ---------------------------------------------------------------------------------------


class _Reader:
    """Turns YAML nodes into plain values, noting the line of every key and the problems met."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.origin: dict[Keys, Origin] = {}
        self.problems: list[Problem] = []
        self.yaml = YAML(typ="safe", pure=True)

    def read(self, text: str) -> Any:
        """Return the plain value of a document (YAML 1.2); None where there is none."""
        try:
            node = self.yaml.compose(text)
            return None if node is None else self._plain(node, ())
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._add((), f"not YAML: {error.problem or error.context}.", None if mark is None else mark.line)
        except YAMLError as error:
            self._add((), f"not YAML: {str(error).splitlines()[0]}.", None)
        except RecursionError:
            self._add((), "nested too deeply, or an anchor that holds itself.", None)
        return None

    def _add(self, keys: Keys, message: str, line: int | None) -> None:
        self.problems.append(Problem(".".join(keys), message, self.file, None if line is None else line + 1))

    def _plain(self, node: Node, keys: Keys) -> Any:
        self.origin.setdefault(keys, Origin(self.file, node.start_mark.line + 1))
        if isinstance(node, ScalarNode):
            return self._scalar(node, keys)
        if node.tag not in ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"):
            self._add(
                keys, f"got the tag '{node.tag}'. Write plain mappings and lists.", node.start_mark.line
            )
        if isinstance(node, SequenceNode):
            return [self._plain(item, (*keys, str(place))) for place, item in enumerate(node.value)]
        return self._mapping(node, keys) if isinstance(node, MappingNode) else None

    def _scalar(self, node: ScalarNode, keys: Keys) -> Any:
        try:
            return self.yaml.constructor.construct_object(node)
        except (YAMLError, ValueError):
            self._add(
                keys, f"got '{node.value}'. Not a readable value; put text in quotes.", node.start_mark.line
            )
            return node.value

    def _mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line
            if not isinstance(key_node, ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
                self._add(keys, "a key must be a plain word; write the keys out.", line)
                continue
            # The text as written, because 2024 and NO are keys like any other.
            key = str(key_node.value)
            path = (*keys, key)
            if key in values:
                self._add(
                    path, f"the key '{key}' stands twice, first on line {self.origin[path].line}.", line
                )
                continue
            self.origin[path] = Origin(self.file, line + 1)
            values[key] = self._plain(value_node, path)
        return values


def read_yaml(path: Path, name: str) -> Tree:
    """Return the mapping a YAML file holds; `name` is what messages call the file.

    Raises
    ------
    ConfigError
        If the file cannot be read, is not UTF-8 or YAML 1.2, is empty, holds no mapping, or has a key twice.
    """
    try:
        raw = path.read_bytes()
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError([Problem("", _unreadable(path, error), name)]) from None
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError([Problem("", "not UTF-8; save the file as UTF-8 text.", name, line)]) from None
    reader = _Reader(name)
    values = reader.read(text)
    if not reader.problems and not isinstance(values, dict):
        message = (
            "the file is empty." if values is None else f"got {_kind(values)}. Write 'key: value' lines."
        )
        reader.problems.append(Problem("", message, name, 1))
    if reader.problems:
        raise ConfigError(reader.problems)
    return Tree(values, reader.origin)


def _unreadable(path: Path, error: OSError) -> str:
    if not path.parent.is_dir():
        return f"no such file, and no folder '{path.parent.name}' for it."
    if not isinstance(error, FileNotFoundError):
        return f"cannot be read: {error.strerror}."
    return f"no such file.{did_you_mean(path.stem, stems(path.parent))}"


def stems(folder: Path) -> list[str]:
    """Return the names of the YAML files of a folder, without the ending."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def read_override(text: str) -> tuple[str, Any]:
    """Return address and value of ``ADDRESS=VALUE``; the value is read as YAML.

    Raises
    ------
    ConfigError
        If there is no ``=`` or the value is not YAML.
    """
    address, equals, value = text.partition("=")
    reader = _Reader(COMMAND_LINE)
    plain = reader.read(value)
    if not equals or not address.strip():
        raise ConfigError(
            [Problem("", f"got '{text}'. Write ADDRESS=VALUE, such as behaviour.theta=0.2.", COMMAND_LINE)]
        )
    if reader.problems:
        problems = [replace(problem, address=address.strip(), line=None) for problem in reader.problems]
        raise ConfigError(problems)
    return address.strip(), plain


def find_root(path: Path | str) -> Path:
    """Return the nearest directory around a file that holds ``configs``.

    Raises
    ------
    ConfigError
        If there is none.
    """
    path = Path(path).resolve()
    for folder in path.parents:
        if (folder / "configs").is_dir():
            return folder
    message = "no directory around this file holds 'configs', where minerals and scenarios are looked up."
    raise ConfigError([Problem("", message, path.name)])


# -- what may stand where -------------------------------------------------------------------------------


def split(address: str) -> Keys:
    """Return the parts of a dotted address."""
    return tuple(address.split(".")) if address else ()


def _arms(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of an annotation, without None and without validators."""
    if get_origin(annotation) is Annotated:
        return _arms(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(part for arm in get_args(annotation) if arm is not type(None) for part in _arms(arm))
    return (annotation,)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _takes_number(annotation: Any) -> bool:
    return schema.Number in _arms(annotation)


def _words(annotation: Any) -> tuple[Any, ...]:
    """Return the words allowed literally, such as 'solved' beside a number."""
    return tuple(word for arm in _arms(annotation) if get_origin(arm) is Literal for word in get_args(arm))


def _inside(annotation: Any, key: str) -> Any:
    """Return the annotation of what stands under a key; `Any` where nothing is known of it."""
    for arm in _arms(annotation):
        if _is_section(arm):
            info = fields_of(arm).get(key)
            return Any if info is None else info.annotation
        if get_origin(arm) in (dict, Mapping):
            return get_args(arm)[1]
    return Any


def _known_keys(annotation: Any) -> tuple[str, ...]:
    return tuple(key for arm in _arms(annotation) if _is_section(arm) for key in fields_of(arm))


def annotation_at(root: Any, keys: Keys) -> Any:
    """Return the annotation at a key path below a section class."""
    for key in keys:
        root = _inside(root, key)
    return root


def is_number_mapping(raw: object) -> bool:
    """Whether a plain value is a number written as a mapping."""
    return isinstance(raw, Mapping) and "value" in raw and all(key in NUMBER_KEYS for key in raw)


def find_near(address: str, tree: Tree, firsts: Sequence[str] = CHANGEABLE) -> str | None:
    """Return what is wrong with an address: the first unknown part, the nearest known, all known; or None.

    Known are the keys a mapping has and the fields its record may have. Keys of a policy are not known
    here: any last part is let through below a policy, for the policy's class to judge.
    """
    keys = split(address)
    node: Any = tree.values
    annotation: Any = World
    for depth, key in enumerate(keys):
        number = is_number_mapping(node) or (
            depth and _takes_number(annotation) and node not in (None, *_words(annotation))
        )
        present = [str(known) for known in node] if isinstance(node, Mapping) else []
        allowed = (
            NUMBER_KEYS if number else tuple(firsts) if depth == 0 else (*present, *_known_keys(annotation))
        )
        policy_key = (
            keys[0] == "policies" and depth >= 2 and depth == len(keys) - 1 and isinstance(node, Mapping)
        )
        if key not in allowed and not policy_key:
            return _unknown_part(keys, depth, allowed)
        node = node.get(key) if isinstance(node, Mapping) else None
        annotation = schema.Number if number else _inside(annotation, key)
    return None if len(keys) > 1 else f"got '{address}'. Name one value in it, such as behaviour.theta."


def _unknown_part(keys: Keys, depth: int, allowed: Iterable[str]) -> str:
    words = [word for word in dict.fromkeys(allowed) if word not in PROVENANCE]
    place = f"in '{'.'.join(keys[:depth])}'" if depth else "at the start of an address"
    if not words:
        return f"got '{keys[depth]}'. Nothing stands {place}."
    hint = did_you_mean(keys[depth], words)
    return f"got '{keys[depth]}'. Not known {place}.{hint} Allowed are {_listed(words)}."


def _listed(words: Sequence[str], most: int = 30) -> str:
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"


def _kind(raw: object) -> str:
    names = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return names.get(type(raw), f"'{raw}'")


# -- validation in plain words --------------------------------------------------------------------------


def validate_section(model: type[S], raw: Mapping[str, Any], address: str, tree: Tree) -> S:
    """Return a validated section whose numbers know their address and source.

    Parameters
    ----------
    model : class of Section
    raw : mapping
        Its plain values, as they stand in the tree.
    address : str
        Address of the section in the tree, for example ``policies.japan_release``.
    tree : Tree
        Gives file and line of what is wrong.

    Raises
    ------
    ConfigError
        With one problem per wrong key, in plain words.
    """
    try:
        section = model.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(_problems(error, model, raw, split(address), tree)) from None
    stamped: S = stamp(section, address)
    return stamped


def _problems(
    error: ValidationError, model: type[BaseModel], raw: Any, prefix: Keys, tree: Tree
) -> Iterator[Problem]:
    found: dict[Keys, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        found.setdefault(_reached(detail, raw), []).append(detail)
    for keys, details in found.items():
        yield tree.problem(prefix + keys, _explain(details, model, keys))


def _reached(detail: ErrorDetails, raw: Any) -> Keys:
    """Return the key path of an error, without the names pydantic gives to alternatives and validators."""
    keys: list[str] = []
    for place, part in enumerate(detail["loc"]):
        last = place == len(detail["loc"]) - 1
        if isinstance(raw, Mapping) and str(part) in raw:
            raw = raw[str(part)]
        elif isinstance(raw, list) and isinstance(part, int) and part < len(raw):
            raw = raw[part]
        elif not (last and detail["type"] in ("missing", "extra_forbidden")):
            continue
        keys.append(str(part))
    return tuple(keys)


_PLAIN_WORDS = (
    (("int_parsing", "int_type", "int_from_float"), "Write a whole number."),
    (("float_parsing", "float_type"), "Write a number."),
    (("bool_parsing", "bool_type"), "Write true or false."),
    (("string_type",), "Write text; put it in quotes if it looks like a number."),
    (("date_parsing", "date_type", "date_from_datetime_parsing", "date_from_datetime_inexact"),
     "Write a date as year-month-day, such as '2025-04-04'."),
    (("dict_type", "model_type", "mapping_type", "model_attributes_type", "dataclass_type"),
     "Write a mapping, 'key: value'."),
    (("tuple_type", "list_type"), "Write a list, [a, b]."),
    (("too_short",), "Name one at least."),
)  # fmt: skip


def _explain(details: Sequence[ErrorDetails], model: type[BaseModel], keys: Keys) -> str:
    """Return one message for what pydantic says of one key (several where it tried alternatives)."""
    ranked = sorted(details, key=lambda detail: detail["type"] != "value_error")
    message = _explain_one(ranked[0], model, keys)
    words = [str(detail["ctx"]["expected"]) for detail in ranked[1:] if detail["type"] == "literal_error"]
    return f"{message} Or write {' or '.join(words)}." if words else message


def _explain_one(detail: ErrorDetails, model: type[BaseModel], keys: Keys) -> str:
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "missing":
        return _missing(model, keys)
    if kind == "extra_forbidden":
        allowed = _known_keys(annotation_at(model, keys[:-1]))
        return f"unknown key '{keys[-1]}'.{did_you_mean(keys[-1], allowed)} Allowed are {_listed(allowed)}."
    if kind == "value_error":
        return str(context["error"])
    got = f"got {_kind(given)}."
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", str(context["expected"]))
        return f"{got} Allowed are {', '.join(words)}.{did_you_mean(str(given), words)}"
    if kind == "greater_than":
        return f"{got} Must be above {context['gt']}."
    if kind == "greater_than_equal":
        return f"{got} Must be {context['ge']} or more."
    advice = next((advice for kinds, advice in _PLAIN_WORDS if kind in kinds), f"{detail['msg']}.")
    return f"{got} {advice}"


def _missing(model: type[BaseModel], keys: Keys) -> str:
    annotation = annotation_at(model, keys[:-1])
    for arm in _arms(annotation):
        if _is_section(arm) and keys[-1] in fields_of(arm):
            meaning = fields_of(arm)[keys[-1]].description
            return f"missing. Give '{keys[-1]}'" + (f": {meaning}." if meaning else ".")
    return f"missing. Give '{keys[-1]}'."


# -- the base world -------------------------------------------------------------------------------------

# How deep the names of each part of a mineral file lie: consumers are country -> material.
_DEPTH = {
    "materials": 1, "processes": 1, "facilities": 1, "consumers": 2,
    "stockpiles": 1, "trade": 1, "transit": 1, "hazards": 2, "demand": 1,
}  # fmt: skip


def push_sources(raw: Any, annotation: Any, inherited: Mapping[str, Any] | None = None) -> Any:
    """Return plain values in which every section or number says its own source.

    A mapping of names (``sectors``, ``facilities``, a whole file) may hold ``source``, ``year`` and ``note``
    beside the names; they are moved down, so that names alone are left and files can be merged.
    """
    given = dict(inherited or {})
    if _takes_number(annotation):
        if not given or raw is None or (not isinstance(raw, Mapping) and raw in _words(annotation)):
            return raw
        number = raw if isinstance(raw, Mapping) else {"value": raw}
        return number if "source" in number else {**given, **number}
    if not isinstance(raw, Mapping):
        return raw
    own = {key: raw[key] for key in PROVENANCE if key in raw}
    given = own if "source" in own else {**given, **own}
    names = {key: part for key, part in raw.items() if key not in PROVENANCE}
    arm = _arms(annotation)[0]
    if _is_section(arm) and arm not in (MineralFile, schema.Hazards):
        return {**given, **{key: push_sources(part, _inside(annotation, key)) for key, part in names.items()}}
    return {key: push_sources(part, _inside(annotation, key), given) for key, part in names.items()}


def add_mineral(world: Tree, file: Tree, stem: str) -> list[Problem]:
    """Add one mineral file to a base world; return what cannot be added.

    Nothing of a name that stands in two files is guessed: both are named.
    """
    problems = [
        file.problem(
            (key,), f"unknown key '{key}'.{did_you_mean(key, allowed)} Allowed are {_listed(allowed)}."
        )
        for allowed in [_known_keys(MineralFile)]
        for key in file.values
        if key not in allowed
    ]
    needed = [
        key for key, info in fields_of(MineralFile).items() if info.is_required() and key not in file.values
    ]
    problems += [file.problem((key,), _missing(MineralFile, (key,))) for key in needed]
    values = push_sources(file.values, MineralFile)
    mineral = str(values.get("mineral", stem))
    problems += _put_new(
        world, ("minerals", mineral), list(_mapping_or_empty(values.get("materials"))), file, ("materials",)
    )
    for part, depth in _DEPTH.items():
        for keys, value in _entries(values.get(part, {}), depth):
            if len(keys) < depth:
                problems.append(
                    file.problem((part, *keys), f"got {_kind(value)}. Write a mapping, 'key: value'.")
                )
                continue
            target = ("demand", *keys, mineral) if part == "demand" else (part, *keys)
            problems += _put_new(world, target, value, file, (part, *keys))
    return problems


def _entries(raw: Any, depth: int, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield key paths of a depth with their values; a shorter path where there is no mapping."""
    if depth == 0 or not isinstance(raw, Mapping):
        yield keys, raw
        return
    for key, part in raw.items():
        yield from _entries(part, depth - 1, (*keys, key))


def _mapping_or_empty(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, Mapping) else {}


def _put_new(world: Tree, keys: Keys, value: Any, file: Tree, stated: Keys) -> list[Problem]:
    if world.get(keys) is not None:
        first = world.where(keys) or Origin("configuration")
        return [
            file.problem(
                stated, f"'{keys[-1]}' stands in {first.file}, line {first.line}, too; rename one of them."
            )
        ]
    world.put(keys, value, file.below(stated))
    for end in range(1, len(keys)):
        world.origin.setdefault(keys[:end], file.where(stated[:end]) or Origin("configuration"))
    return []


# -- units of one material ------------------------------------------------------------------------------


def spell_out_units(values: dict[str, Any]) -> None:
    """Rewrite quantities in a material's own mass units (``t_element``) in tonnes of its basis, in place.

    Only where the material is plain from the address: its own section, consumers, stockpiles, and the
    throughput of a facility, in a unit of any material its process takes or makes.
    """
    units = {
        name: _aliases(_mapping_or_empty(raw))
        for name, raw in _mapping_or_empty(values.get("materials")).items()
    }
    if not any(units.values()):
        return
    for section, key, dimension, materials in _quantities_of_materials(values):
        known = {alias: tonnes for material in materials for alias, tonnes in units.get(material, {}).items()}
        if known and section.get(key) is not None:
            section[key] = _spelled_out(section[key], dimension, known)


def _aliases(material: Mapping[str, Any]) -> dict[str, float]:
    """Return the units of a material in tonnes; ``t_x`` brings ``kt_x`` and ``Mt_x`` along."""
    found: dict[str, float] = {}
    for name, raw in _mapping_or_empty(material.get("units")).items():
        try:
            tonnes = read_quantity(raw["value"] if is_number_mapping(raw) else raw, "1")
        except ValueError:
            continue  # validation reports it
        if tonnes <= 0:
            continue  # a rule reports it
        found[name] = tonnes
        if name.startswith("t_"):
            found |= {f"k{name}": 1e3 * tonnes, f"M{name}": 1e6 * tonnes}
    return found


def _quantities_of_materials(
    values: Mapping[str, Any],
) -> Iterator[tuple[dict[str, Any], str, str, Sequence[str]]]:
    """Yield (section, key, dimension, materials) of each quantity that belongs to a material."""

    def sections(part: str) -> Iterator[tuple[str, Any]]:
        return (
            (name, raw)
            for name, raw in _mapping_or_empty(values.get(part)).items()
            if isinstance(raw, Mapping)
        )

    for name, material in sections("materials"):
        yield material, "total", "t/d", [name]
        yield material, "price", "USD/t", [name]
    for _, uses in sections("consumers"):
        yield from ((use, "use", "t/d", [name]) for name, use in uses.items() if isinstance(use, dict))
    for _, stockpile in sections("stockpiles"):
        yield stockpile, "tonnes", "t", [str(stockpile.get("material"))]
    processes = _mapping_or_empty(values.get("processes"))
    for _, facility in sections("facilities"):
        process = _mapping_or_empty(processes.get(str(facility.get("process"))))
        named = [*_mapping_or_empty(process.get("outputs")), *_mapping_or_empty(process.get("inputs"))]
        yield facility, "throughput", "t/d", named


def _spelled_out(raw: Any, dimension: str, aliases: Mapping[str, float]) -> Any:
    if isinstance(raw, Mapping):
        parts = {
            key: _spelled_out(raw[key], dimension, aliases) for key in ("value", "low", "high") if key in raw
        }
        return {**raw, **parts}
    if not isinstance(raw, str) or not any(alias in raw for alias in aliases):
        return raw
    try:
        return f"{read_quantity(raw, dimension, aliases)!r} {dimension}"
    except ValueError:
        return raw  # validation says what is wrong with it


# -- differences ----------------------------------------------------------------------------------------


class Setting(NamedTuple):
    """One ``address: value`` of a file or of the command line."""

    address: str
    value: Any
    origin: dict[Keys, Origin]

    @property
    def place(self) -> Origin:
        """Where it was stated."""
        return self.origin[()]

    def problem(self, message: str) -> Problem:
        """Return a problem of this setting."""
        return Problem(self.address, message, self.place.file, self.place.line)


def settings_of(tree: Tree, key: str = "change") -> Iterator[Setting]:
    """Yield what a file changes."""
    for address, value in _mapping_or_empty(tree.values.get(key)).items():
        yield Setting(address, value, tree.below((key, address)))


@dataclass
class Draft:
    """A scenario while differences are put on its base world."""

    name: str
    tree: Tree
    title: str = ""
    question: str = ""
    counterfactual: bool = False
    changes: list[Change] = field(default_factory=list)

    @property
    def policies(self) -> dict[str, Any]:
        """The policies so far."""
        policies: dict[str, Any] = self.tree.values["policies"]
        return policies

    @property
    def physical(self) -> tuple[tuple[str, str], ...]:
        """What differs from the base world, policies apart; equal for scenarios with equal worlds."""
        changes = ((change.address, repr(change.new)) for change in self.changes)
        return tuple(change for change in changes if not change[0].startswith("policies."))

    def variant(self, name: str, title: str) -> Draft:
        """Return a copy under another name."""
        return replace(self, name=name, title=title, tree=self.tree.copy(), changes=list(self.changes))

    def set(self, setting: Setting) -> None:
        """Set the value at an address that is known to be right."""
        keys = split(setting.address)
        if keys[-1] in NUMBER_KEYS and not isinstance(self.tree.get(keys[:-1]), Mapping):
            plain = self.tree.get(keys[:-1])
            self.tree.put(keys[:-1], {"value": plain}, self.tree.below(keys[:-1]))
        old = self.tree.get(keys)
        annotation = Any if keys[0] == "policies" else annotation_at(World, keys)
        new = as_assumption(old, push_sources(setting.value, annotation), annotation, setting.place.file)
        self._put(keys, old, new, setting.origin)

    def add_policy(self, keys: Keys, raw: Any, file: Tree, stated: Keys) -> None:
        """Merge a policy key by key; numbers, scalars and lists replace whole."""
        old = self.tree.get(keys)
        if (
            not isinstance(raw, Mapping)
            or not isinstance(old, Mapping)
            or is_number_mapping(raw)
            or is_number_mapping(old)
        ):
            self._put(keys, old, copy.deepcopy(raw), file.below(stated), new_key=old is None)
            return
        if "source" in raw:  # year and note of the old source are not those of the new
            for key in PROVENANCE[1:]:
                self.policies_part(keys).pop(key, None)
        for key, part in raw.items():
            self.add_policy((*keys, key), part, file, (*stated, key))

    def policies_part(self, keys: Keys) -> dict[str, Any]:
        """Return the mapping at a key path, to be changed."""
        part: dict[str, Any] = self.tree.get(keys)
        return part

    def _put(self, keys: Keys, old: Any, new: Any, origin: dict[Keys, Origin], new_key: bool = False) -> None:
        if not new_key:
            place = origin[()]
            self.changes.append(Change(".".join(keys), copy.deepcopy(old), new, place.file, place.line))
        self.tree.put(keys, new, origin)


def as_assumption(old: Any, new: Any, annotation: Any, by: str) -> Any:
    """Return a what-if value as it is stored: a number becomes certain, and an assumption of who set it.

    The range belonged to the old value, and so did its source. Words such as 'solved', and what is not a
    number, are stored as they are.
    """
    plain = new is None or isinstance(new, list | Mapping) or new in _words(annotation)
    if is_number_mapping(new):
        number = dict(new)
    elif (_takes_number(annotation) or is_number_mapping(old)) and not plain:
        number = {"value": new}
    else:
        return copy.deepcopy(new)
    return number if "source" in number else {"source": "assumption", "note": f"set by {by}", **number}


# -- the loader -----------------------------------------------------------------------------------------


class Loader:
    """Reads the files below one root, each once, and collects problems.

    Parameters
    ----------
    root : Path
        Directory that holds ``configs``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.complete = True
        self._files: dict[str, Tree | None] = {}

    def read(self, name: str) -> Tree | None:
        """Return a file by its name relative to the root; None, and problems, if it cannot be read."""
        if name not in self._files:
            try:
                self._files[name] = read_yaml(self.root / name, name)
            except ConfigError as error:
                self.problems += error.problems
                self._files[name] = None
                self.complete = False
        return self._files[name]

    def validate(self, model: type[S], raw: Mapping[str, Any], tree: Tree) -> S | None:
        """Return a validated section; None, and problems, if it is wrong."""
        try:
            return validate_section(model, raw, "", tree)
        except ConfigError as error:
            self.problems += error.problems
            return None

    def exists(self, name: str) -> bool:
        """Whether there is such a file below the root."""
        return (self.root / name).is_file()

    def finish(self) -> None:
        """Raise all problems found, if any."""
        if self.problems:
            raise ConfigError(dict.fromkeys(self.problems))

    # -- base world -------------------------------------------------------------------------------------

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Key -> source."""
        tree = self.read("configs/sources.yaml") or Tree()
        found = {}
        for key, raw in tree.values.items():
            try:
                found[key] = Source.model_validate(raw)
            except ValidationError as error:
                self.problems += _problems(error, Source, raw, (key,), tree)
        return found

    def base(self, minerals: Sequence[str], behaviour: str, asked: Tree) -> Tree:
        """Return the merged world of some mineral files, before any scenario.

        Parameters
        ----------
        minerals : sequence of str
            Files of ``configs/minerals``.
        behaviour : str
            File of ``configs/behaviour``.
        asked : Tree
            The experiment that names them, for messages.
        """
        world = Tree({**{part: {} for part in ("minerals", *_DEPTH)}, "policies": {}})
        countries = self.read("configs/countries.yaml") or Tree()
        for key in ("countries", "blocs"):
            world.put((key,), countries.values.get(key, {}), countries.below((key,)))
        self._refuse_unknown(countries, ("countries", "blocs"))
        if (file := self._named(behaviour, ("configs/behaviour",), asked, ("behaviour",))) is not None:
            world.put(("behaviour",), dict(file.values), file.below(()))
        for place, name in enumerate(minerals):
            stated = ("world", str(place)) if len(minerals) > 1 else ("world",)
            if (file := self._named(name, ("configs/minerals",), asked, stated)) is not None:
                found = add_mineral(world, file, name)
                self.problems += found
                self.complete &= not found
        return world

    def _refuse_unknown(self, tree: Tree, allowed: Sequence[str]) -> None:
        for key in tree.values:
            if key not in allowed:
                message = f"unknown key '{key}'.{did_you_mean(key, allowed)} Allowed are {_listed(allowed)}."
                self.problems.append(tree.problem((key,), message))

    def _named(self, name: str, folders: Sequence[str], asked: Tree, stated: Keys) -> Tree | None:
        """Return the file of this name in the first folder that has it."""
        for folder in folders:
            if self.exists(f"{folder}/{name}.yaml"):
                return self.read(f"{folder}/{name}.yaml")
        known = [stem for folder in folders for stem in stems(self.root / folder)]
        where = " or ".join(folders)
        self.complete = False
        self.problems.append(
            asked.problem(stated, f"got '{name}'. No such file in {where}.{did_you_mean(name, known)}")
        )
        return None

    # -- scenarios --------------------------------------------------------------------------------------

    def scenario(self, name: str, base: Tree, asked: Tree, stated: Keys) -> Draft | None:
        """Return a scenario on its base world: what it extends first, each file once, then its own."""
        lineage: dict[str, tuple[ScenarioFile, Tree]] = {}
        if not self._collect(name, ("configs/scenarios",), asked, stated, (), lineage):
            return None
        draft = Draft(name, base.copy())
        for record, tree in lineage.values():
            self._extend(draft, record, tree)
        return draft

    def _collect(
        self,
        name: str,
        folders: Sequence[str],
        asked: Tree,
        stated: Keys,
        chain: Keys,
        lineage: dict[str, tuple[ScenarioFile, Tree]],
    ) -> bool:
        """Add a file after all it extends; false if any of them is wrong."""
        if name in chain:
            circle = " -> ".join((*chain[chain.index(name) :], name))
            self.problems.append(
                asked.problem(stated, f"got '{name}'. Scenarios extend each other in a circle: {circle}.")
            )
            return False
        if name in lineage:
            return True
        tree = self._named(name, folders, asked, stated)
        record = None if tree is None else self.validate(ScenarioFile, tree.values, tree)
        if tree is None or record is None:
            return False
        both, chain = ("configs/scenarios", "configs/policies"), (*chain, name)
        many = isinstance(tree.values.get("extends"), list)
        right = [
            self._collect(base, both, tree, ("extends", str(place)) if many else ("extends",), chain, lineage)
            for place, base in enumerate(record.extends)
        ]
        lineage[name] = (record, tree)
        return all(right)

    def _extend(self, draft: Draft, record: ScenarioFile, tree: Tree) -> None:
        """Put one file's policies and changes on a draft."""
        draft.title, draft.question = record.title, record.question or draft.question
        draft.counterfactual |= record.counterfactual
        inherited = {key: tree.values[key] for key in PROVENANCE if key in tree.values}
        for name, raw in record.policies.items():
            new = name not in draft.policies and "source" not in raw and "source" in inherited
            draft.add_policy(
                ("policies", name), {**inherited, **raw} if new else raw, tree, ("policies", name)
            )
        for setting in settings_of(tree):
            self._set(setting, [draft])

    def _set(self, setting: Setting, drafts: Sequence[Draft]) -> list[Draft]:
        """Set a value in the drafts it applies to and return them.

        A change of a policy applies to the scenarios that have it; any other to all.
        """
        keys = split(setting.address)
        concerned = [d for d in drafts if keys[0] != "policies" or len(keys) < 2 or keys[1] in d.policies]
        if not concerned:
            known = list(dict.fromkeys(name for draft in drafts for name in draft.policies))
            message = f"got '{keys[1]}'. No scenario here has such a policy.{did_you_mean(keys[1], known)}"
            self.problems.append(
                setting.problem(message + (f" Allowed are {_listed(known)}." if known else ""))
            )
        for draft in concerned:
            given = setting.place.file == COMMAND_LINE
            wrong = find_near(
                setting.address, draft.tree, (*CHANGEABLE, *RUN_SETTINGS) if given else CHANGEABLE
            )
            if keys[0] == "policies" and len(keys) == 2 and not isinstance(setting.value, Mapping):
                wrong = f"got {_kind(setting.value)}. A policy is a mapping; name one value in it."
            if wrong is not None:
                self.problems.append(setting.problem(wrong))
            else:
                draft.set(setting)
        return concerned

    def sweep(self, experiment: Tree, drafts: Sequence[Draft], references: Sequence[str]) -> list[Draft]:
        """Return the drafts, each followed by its variants: one per address and value.

        References are left as they are, unless there is nothing else; a policy's value is swept where the
        policy is.
        """
        addresses = list(_mapping_or_empty(experiment.values.get("sweep")))
        swept = [draft for draft in drafts if draft.name not in references] or list(drafts)
        variants: dict[str, list[Draft]] = {}
        for setting in settings_of(experiment, "sweep"):
            label = setting.address.rpartition(".")[2]
            if sum(address.rpartition(".")[2] == label for address in addresses) > 1:
                label = setting.address
            for place, value in enumerate(setting.value if isinstance(setting.value, list) else []):
                origin = experiment.below(("sweep", setting.address, str(place)))
                fresh = [_variant(draft, setting.address, label, value) for draft in swept]
                for draft in self._set(Setting(setting.address, value, origin), fresh):
                    variants.setdefault(draft.name.partition("@")[0], []).append(draft)
        return [each for draft in drafts for each in (draft, *variants.get(draft.name, []))]


def _variant(draft: Draft, address: str, label: str, value: Any) -> Draft:
    shown = value["value"] if is_number_mapping(value) else value
    return draft.variant(f"{draft.name}@{label}={shown}", f"{draft.title}, {address} = {shown}")


# -- plans ----------------------------------------------------------------------------------------------


def load_plan(
    path: Path | str, overrides: Sequence[str] = (), replications: int | None = None, seed: int | None = None
) -> Plan:
    """Return a checked plan from the file of an experiment or of a scenario.

    Parameters
    ----------
    path : path
        ``experiments/NAME.yaml``, or ``configs/scenarios/NAME.yaml``, which is run beside the baseline with
        `DEFAULT_EXPERIMENT`.
    overrides : sequence of str
        ``ADDRESS=VALUE``, as with ``--set``.
    replications, seed : int, optional
        Instead of those of the file.

    Raises
    ------
    ConfigError
        With all problems of all files.
    """
    path = Path(path).resolve()
    loader = Loader(find_root(path))
    file = loader.read(path.relative_to(loader.root).as_posix())
    loader.finish()
    assert file is not None
    tree = file.copy() if is_experiment(file) else _experiment_around(path.stem, file, loader)
    settings = _read_settings(overrides, loader)
    _set_run(tree, settings, loader, {"replications": replications, "seed": seed})
    minerals, scenarios = _texts(tree.values.get("world")), _texts(tree.values.get("scenarios"))
    base = loader.base(minerals, str(tree.values.get("behaviour", "default")), tree)
    if "focus" not in tree.values and not is_experiment(file):
        tree.values["focus"] = {"countries": list(base.values["consumers"])}
    sources, experiment = loader.sources, loader.validate(Experiment, tree.values, tree)
    drafts = _drafts(loader, tree, base, scenarios, settings)
    finished = _finish_scenarios(loader, drafts or [Draft("", base.copy())])
    if experiment is not None:
        policies = {draft.name: tuple(draft.policies) for draft in drafts}
        loader.problems += _check(loader, experiment, tree, finished, policies)
    loader.finish()
    assert experiment is not None
    resolved = _resolved(tree, base, finished)
    return Plan(path.stem, path, loader.root, experiment, tuple(finished), sources, resolved)


def is_experiment(file: Tree) -> bool:
    """Whether a file is an experiment rather than a scenario."""
    return any(key in file.values for key in ("scenarios", "world", "horizon", "replications"))


def _experiment_around(name: str, file: Tree, loader: Loader) -> Tree:
    """Return the default experiment of a scenario: it and the baseline, in a world of all minerals."""
    names = (
        list(dict.fromkeys(["baseline", name]))
        if loader.exists("configs/scenarios/baseline.yaml")
        else [name]
    )
    values = {
        "title": file.values.get("title", name),
        "question": file.values.get("question") or f"What does '{name}' change?",
        "world": stems(loader.root / "configs/minerals"),
        **copy.deepcopy(DEFAULT_EXPERIMENT),
        "references": names[:1],
        "scenarios": names,
    }
    return Tree(values, {(): Origin("the default experiment")})


def _read_settings(overrides: Sequence[str], loader: Loader) -> list[Setting]:
    settings = []
    for text in overrides:
        try:
            settings.append(Setting(*read_override(text), {(): Origin(COMMAND_LINE)}))
        except ConfigError as error:
            loader.problems += error.problems
    return settings


def _set_run(
    tree: Tree, settings: Sequence[Setting], loader: Loader, options: Mapping[str, int | None]
) -> None:
    """Put on an experiment what the command line sets of the run itself."""
    for key, value in options.items():
        if value is not None:
            tree.put((key,), value, {(): Origin(COMMAND_LINE)})
    for setting in settings:
        keys = split(setting.address)
        if keys[0] not in RUN_SETTINGS:
            continue
        known = fields_of(annotation_at(Experiment, keys[:1])) if keys[0] != "demand" else {}
        if keys[1:] and keys[1] not in known:
            loader.problems.append(
                setting.problem(_unknown_part(keys, 1, [k for k in known if k not in PROVENANCE]))
            )
        elif len(keys) != (1 if keys[0] == "demand" else 2):
            loader.problems.append(
                setting.problem(f"got '{setting.address}'. Name one value, such as horizon.end.")
            )
        else:
            tree.put(keys, setting.value, setting.origin)


def _texts(raw: Any) -> list[str]:
    return [str(each) for each in ([raw] if isinstance(raw, str) else raw if isinstance(raw, list) else [])]


def _drafts(
    loader: Loader, tree: Tree, base: Tree, names: Sequence[str], settings: Sequence[Setting]
) -> list[Draft]:
    """Return all scenarios with all that changes them."""
    found = [loader.scenario(name, base, tree, ("scenarios", str(place))) for place, name in enumerate(names)]
    drafts = [draft for draft in found if draft is not None]
    if len(drafts) < len(found):
        return drafts  # a policy that seems missing may stand in the file that could not be read
    for setting in settings_of(tree):
        loader._set(setting, drafts)
    for setting in settings:
        if split(setting.address)[0] not in RUN_SETTINGS:
            loader._set(setting, drafts)
    return loader.sweep(tree, drafts, _texts(tree.values.get("references")))


def _finish_scenarios(loader: Loader, drafts: Sequence[Draft]) -> list[Scenario]:
    """Validate the world of each draft; scenarios that differ in policies only share one world."""
    worlds: dict[tuple[tuple[str, str], ...], World | None] = {}
    finished = []
    for draft in drafts:
        if "behaviour" not in draft.tree.values:
            continue  # its file could not be read, which has been said
        spell_out_units(draft.tree.values)
        if draft.physical not in worlds:
            raw = {key: value for key, value in draft.tree.values.items() if key != "policies"}
            worlds[draft.physical] = loader.validate(World, raw, draft.tree)
        world = worlds[draft.physical]
        if world is not None:
            finished.append(_scenario(draft, world))
    return finished


def _scenario(draft: Draft, world: World) -> Scenario:
    title, question = draft.title or draft.name, draft.question
    changes = tuple(draft.changes)
    return Scenario(
        draft.name, title, question, draft.counterfactual, world, draft.policies, changes, draft.tree
    )


def _check(
    loader: Loader,
    experiment: Experiment,
    tree: Tree,
    scenarios: Sequence[Scenario],
    policies: Mapping[str, Sequence[str]],
) -> Iterator[Problem]:
    """Yield what the rules across records find, with files and lines."""
    sources, seen = loader.sources, set[int]()
    if not loader.complete or not scenarios:
        return  # every name of a file that could not be read would seem unknown
    for scenario in scenarios:
        if id(scenario.world) not in seen:
            seen.add(id(scenario.world))
            case = check.Case(scenario.world, experiment, sources, policies)
            yield from (
                scenario.tree.problem(problem.address, problem.message) for problem in check.check_world(case)
            )
    case = check.Case(scenarios[0].world, experiment, sources, policies)
    yield from (tree.problem(problem.address, problem.message) for problem in check.check_plan(case))


# -- what is saved with results -------------------------------------------------------------------------


def _resolved(tree: Tree, base: Tree, scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """Return everything needed to repeat a run, as plain values that JSON can hold."""
    return {
        "experiment": jsonable(tree.values),
        "origin": {".".join(keys): _line(place) for keys, place in base.origin.items() if keys},
        "scenarios": {scenario.name: _resolved_scenario(scenario) for scenario in scenarios},
    }


def _resolved_scenario(scenario: Scenario) -> dict[str, Any]:
    world = {key: value for key, value in scenario.tree.values.items() if key != "policies"}
    origin = scenario.tree.below(("policies",)).items()
    return {
        "title": scenario.title,
        "question": scenario.question,
        "counterfactual": scenario.counterfactual,
        "world": jsonable(world),
        "policies": jsonable(scenario.policies),
        "changes": [jsonable(vars(change)) for change in scenario.changes],
        "origin": {".".join(("policies", *keys)): _line(place) for keys, place in origin if keys},
    }


def _line(place: Origin) -> str:
    return place.file if place.line is None else f"{place.file}:{place.line}"


def jsonable(value: Any) -> Any:
    """Return plain values with dates written out."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    return value.isoformat() if isinstance(value, dt.date) else value
