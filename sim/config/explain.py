"""Says in plain words what is wrong with values and addresses: where, what was given, what is allowed.

Decides how the fields of `schema` are walked, which addresses may be changed, and how pydantic's errors
become problems with file and line. Leaves reading to `tree`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sim.config.schema import NUMBER_KEYS, Number, Section, World, fields_of, stamp
from sim.config.tree import Keys, Tree, shown, split
from sim.errors import ConfigError, Problem, did_you_mean

S = TypeVar("S", bound=Section)

PROVENANCE = ("source", "year", "note")
"""Where numbers are from; any section or mapping of names may say it for all it holds."""

CHANGEABLE = (
    "behaviour", "materials", "processes", "facilities", "consumers",
    "stockpiles", "trade", "transit", "hazards", "policies",
)  # fmt: skip
"""First parts of the addresses that a scenario, an experiment or ``--set`` may change."""

RUN_SETTINGS = ("horizon", "demand", "supply_growth", "switches")
"""First parts of the addresses of the experiment itself that ``--set`` may change."""


# -- what may stand where -------------------------------------------------------------------------------


def arms_of(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of an annotation, without None and without validators."""
    if get_origin(annotation) is Annotated:
        return arms_of(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(part for arm in get_args(annotation) if arm is not type(None) for part in arms_of(arm))
    return (annotation,)


def sections_of(annotation: Any) -> list[type[BaseModel]]:
    """Return the section classes among the alternatives of an annotation."""
    return [arm for arm in arms_of(annotation) if isinstance(arm, type) and issubclass(arm, BaseModel)]


def takes_number(annotation: Any) -> bool:
    """Whether a number may stand here."""
    return Number in arms_of(annotation)


def words_of(annotation: Any) -> tuple[Any, ...]:
    """Return the words allowed literally, such as 'solved' beside a number."""
    return tuple(word for arm in arms_of(annotation) if get_origin(arm) is Literal for word in get_args(arm))


def known_keys(annotation: Any) -> tuple[str, ...]:
    """Return the fields of the sections that may stand here."""
    return tuple(key for section in sections_of(annotation) for key in fields_of(section))


def _inside(annotation: Any, key: str) -> Any:
    if sections := sections_of(annotation):
        info = fields_of(sections[0]).get(key)
        return Any if info is None else info.annotation
    return next((get_args(arm)[1] for arm in arms_of(annotation) if get_origin(arm) in (dict, Mapping)), Any)


def annotation_at(root: Any, keys: Keys) -> Any:
    """Return the annotation at a key path below another; `Any` where nothing is known of it."""
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
        within = isinstance(node, Mapping)
        number = is_number_mapping(node) or (
            depth and takes_number(annotation) and node not in (None, *words_of(annotation))
        )
        if number:
            allowed: Sequence[str] = NUMBER_KEYS
        elif depth == 0:
            allowed = firsts
        else:
            allowed = [*map(str, node if within else ()), *known_keys(annotation)]
        policy_key = keys[0] == "policies" and 2 <= depth == len(keys) - 1 and within
        if key not in allowed and not policy_key:
            return unknown_part(keys, depth, allowed)
        node = node.get(key) if within else None
        annotation = Number if number else _inside(annotation, key)
    return None if len(keys) > 1 else f"got '{address}'. Name one value in it, such as behaviour.theta."


def unknown_part(keys: Keys, depth: int, allowed: Iterable[str]) -> str:
    """Return the message for a part of an address that is not among those allowed."""
    words = [word for word in dict.fromkeys(allowed) if word not in PROVENANCE]
    place = f"in '{'.'.join(keys[:depth])}'" if depth else "at the start of an address"
    if not words:
        return f"got '{keys[depth]}'. Nothing stands {place}."
    hint = did_you_mean(keys[depth], words)
    return f"got '{keys[depth]}'. Not known {place}.{hint} Allowed are {listed(words)}."


def unknown_key(key: str, allowed: Sequence[str]) -> str:
    """Return the message for a key that is not among those allowed."""
    return f"unknown key '{key}'.{did_you_mean(key, allowed)} Allowed are {listed(allowed)}."


def missing_key(model: type[BaseModel], keys: Keys) -> str:
    """Return the message for a key path that a section class requires, with the meaning of its field."""
    for section in sections_of(annotation_at(model, keys[:-1])):
        info = fields_of(section).get(keys[-1])
        if info is not None and info.description:
            return f"missing. Give '{keys[-1]}': {info.description}."
    return f"missing. Give '{keys[-1]}'."


def listed(words: Sequence[str], most: int = 30) -> str:
    """Return words in a row, cut off where there are too many to read."""
    row = ", ".join(words[:most])
    return row if len(words) <= most else f"{row} and {len(words) - most} more"


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
        raise ConfigError(problems_of(error, model, raw, split(address), tree)) from None
    stamped: S = stamp(section, address)
    return stamped


def problems_of(
    error: ValidationError, model: type[BaseModel], raw: Any, prefix: Keys, tree: Tree
) -> Iterator[Problem]:
    """Yield one problem for each key that is wrong; `prefix` is where the section stands in the tree."""
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
        return missing_key(model, keys)
    if kind == "extra_forbidden":
        return unknown_key(keys[-1], known_keys(annotation_at(model, keys[:-1])))
    if kind == "value_error":
        return str(context["error"])
    got = f"got {shown(given)}."
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", str(context["expected"]))
        return f"{got} Allowed are {', '.join(words)}.{did_you_mean(str(given), words)}"
    if kind == "greater_than":
        return f"{got} Must be above {context['gt']}."
    if kind == "greater_than_equal":
        return f"{got} Must be {context['ge']} or more."
    advice = next((advice for kinds, advice in _PLAIN_WORDS if kind in kinds), f"{detail['msg']}.")
    return f"{got} {advice}"
