"""Puts mineral files together to a base world, and differences on it.

Decides how sources are inherited, how a material's own units are spelled out, what replaces what, and
that every difference keeps its old value, its new value and who says so. Leaves the order in which files
are taken to `assemble`, and validation to `explain`.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from sim.config.explain import (
    PROVENANCE,
    annotation_at,
    is_number_mapping,
    known_keys,
    missing_key,
    sections_of,
    takes_number,
    unknown_key,
    words_of,
)
from sim.config.schema import NUMBER_KEYS, Hazards, MineralFile, Selection, World, fields_of
from sim.config.tree import Keys, Origin, Tree, mapping_or_empty, shown, split
from sim.errors import Problem
from sim.units import read_quantity

# -- the base world -------------------------------------------------------------------------------------

DEPTH = {
    "materials": 1, "processes": 1, "facilities": 1, "consumers": 2,
    "stockpiles": 1, "trade": 1, "transit": 1, "hazards": 2, "demand": 1,
}  # fmt: skip
"""How deep the names of each part of a mineral file lie: consumers are country -> material."""


def push_sources(raw: Any, annotation: Any, inherited: Mapping[str, Any] | None = None) -> Any:
    """Return plain values in which every section or number says its own source.

    A mapping of names (``sectors``, ``facilities``, a whole file) may hold ``source``, ``year`` and ``note``
    beside the names; they are moved down, so that names alone are left and files can be merged.
    """
    given = dict(inherited or {})
    if takes_number(annotation):
        if not given or raw is None or (not isinstance(raw, Mapping) and raw in words_of(annotation)):
            return raw
        number = raw if isinstance(raw, Mapping) else {"value": raw}
        return number if "source" in number else {**given, **number}
    if not isinstance(raw, Mapping):
        return raw
    own = {key: raw[key] for key in PROVENANCE if key in raw}
    given = own if "source" in own else {**given, **own}
    names = {key: part for key, part in raw.items() if key not in PROVENANCE}
    sections = sections_of(annotation)
    keeps = bool(sections) and sections[0] not in (MineralFile, Hazards)
    parts = {
        key: push_sources(part, annotation_at(annotation, (key,)), None if keeps else given)
        for key, part in names.items()
    }
    return {**given, **parts} if keeps else parts


def add_mineral(world: Tree, file: Tree, stem: str) -> list[Problem]:
    """Add one mineral file to a base world; return what cannot be added.

    Nothing of a name that stands in two files is guessed: both are named.
    """
    allowed = known_keys(MineralFile)
    problems = [file.problem((key,), unknown_key(key, allowed)) for key in file.values if key not in allowed]
    problems += [
        file.problem((key,), missing_key(MineralFile, (key,)))
        for key, info in fields_of(MineralFile).items()
        if info.is_required() and key not in file.values
    ]
    values, stated = push_sources(file.values, MineralFile), _origins(file)
    mineral = str(values.get("mineral", stem))
    problems += _put_new(
        world, ("minerals", mineral), list(mapping_or_empty(values.get("materials"))), file, ("materials",), {}
    )
    for part, depth in DEPTH.items():
        for keys, value in _entries(values.get(part, {}), depth):
            if len(keys) < depth:
                message = f"got {shown(value)}. Write a mapping, 'key: value'."
                problems.append(file.problem((part, *keys), message))
                continue
            target = ("demand", *keys, mineral) if part == "demand" else (part, *keys)
            problems += _put_new(world, target, _own(part, value, values), file, (part, *keys), stated)
    return problems


def _origins(file: Tree) -> dict[Keys, dict[Keys, Origin]]:
    """Return what `Tree.below` gives for each entry of a mineral file, from one walk through it."""
    found: dict[Keys, dict[Keys, Origin]] = {}
    for path, place in file.origin.items():
        end = 1 + DEPTH.get(path[0], 0) if path else 0
        if len(path) >= end:
            found.setdefault(path[:end], {})[path[end:]] = place
    return found


def _own(part: str, value: Any, values: Mapping[str, Any]) -> Any:
    """Return a transit rule or a shock that is bound to its own file's materials and processes, if it names none."""
    key, names = {"transit": ("material", "materials"), "hazards": ("processes", "processes")}.get(part, ("", ""))
    scoped = part == "transit" or (part == "hazards" and isinstance(value, Mapping) and "countries" in value)
    if not scoped or not isinstance(value, Mapping) or key in value:
        return value
    return {**value, key: list(mapping_or_empty(values.get(names)))}


def _entries(raw: Any, depth: int, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield key paths of a depth with their values; a shorter path where there is no mapping."""
    if depth == 0 or not isinstance(raw, Mapping):
        yield keys, raw
        return
    for key, part in raw.items():
        yield from _entries(part, depth - 1, (*keys, key))


def _put_new(
    world: Tree, keys: Keys, value: Any, file: Tree, stated: Keys, origins: Mapping[Keys, dict[Keys, Origin]]
) -> list[Problem]:
    if world.get(keys) is not None:
        first = world.where(keys)
        message = f"'{keys[-1]}' stands in {first.file}, line {first.line}, too; rename one of them."
        return [file.problem(stated, message)]
    world.add(keys, value, origins.get(stated) or file.below(stated))
    for end in range(1, len(keys)):
        world.origin.setdefault(keys[:end], file.where(stated[:end]))
    return []


# -- units of one material ------------------------------------------------------------------------------


def spell_out_units(values: dict[str, Any]) -> None:
    """Rewrite quantities in a material's own mass units (``t_element``) in tonnes of its basis, in place.

    Only where the material is plain from the address: its own section, consumers, stockpiles, and the
    throughput of a facility, in a unit of any material its process takes or makes.
    """
    units = {name: _aliases(mapping_or_empty(raw)) for name, raw in mapping_or_empty(values.get("materials")).items()}
    if not any(units.values()):
        return
    for section, key, dimension, materials in _quantities_of_materials(values):
        known = {alias: tonnes for material in materials for alias, tonnes in units.get(material, {}).items()}
        if known and section.get(key) is not None:
            section[key] = _spelled_out(section[key], dimension, known)


def _aliases(material: Mapping[str, Any]) -> dict[str, float]:
    """Return the units of a material in tonnes; ``t_x`` brings ``kt_x`` and ``Mt_x`` along."""
    found: dict[str, float] = {}
    for name, raw in mapping_or_empty(material.get("units")).items():
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
        return ((name, raw) for name, raw in mapping_or_empty(values.get(part)).items() if isinstance(raw, Mapping))

    for name, material in sections("materials"):
        yield material, "total", "t/d", [name]
        yield material, "price", "USD/t", [name]
    for _, uses in sections("consumers"):
        yield from ((use, "use", "t/d", [name]) for name, use in uses.items() if isinstance(use, dict))
    for _, stockpile in sections("stockpiles"):
        yield stockpile, "tonnes", "t", [str(stockpile.get("material"))]
    processes = mapping_or_empty(values.get("processes"))
    for _, facility in sections("facilities"):
        process = mapping_or_empty(processes.get(str(facility.get("process"))))
        named = [*mapping_or_empty(process.get("outputs")), *mapping_or_empty(process.get("inputs"))]
        yield facility, "throughput", "t/d", named


def _spelled_out(raw: Any, dimension: str, aliases: Mapping[str, float]) -> Any:
    if isinstance(raw, Mapping):
        parts = {key: _spelled_out(raw[key], dimension, aliases) for key in ("value", "low", "high") if key in raw}
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
    for address, value in mapping_or_empty(tree.values.get(key)).items():
        yield Setting(address, value, tree.below((key, address)))


@dataclass(frozen=True)
class Change:
    """One value that differs from the base: its address, old and new value, and who says so."""

    address: str
    old: object
    new: object
    file: str
    line: int | None


@dataclass
class Draft:
    """A scenario while differences are put on its base world."""

    name: str
    tree: Tree
    title: str = ""
    question: str = ""
    counterfactual: bool = False
    changes: list[Change] = field(default_factory=list)
    selection: tuple[Selection, Tree] | None = None

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

    def variant(self, address: str, label: str, value: Any) -> Draft:
        """Return a copy that is named after one value of a sweep."""
        plain = value["value"] if is_number_mapping(value) else value
        return replace(
            self,
            name=f"{self.name}@{label}={plain}",
            title=f"{self.title}, {address} = {plain}",
            tree=self.tree.copy(),
            changes=list(self.changes),
        )

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

    def follow(self, key: str, value: str, origin: dict[Keys, Origin]) -> None:
        """Let the world follow another demand path, or let supply grow in another way."""
        self._put((key,), self.tree.get((key,)), value, origin)

    def add_policy(self, keys: Keys, raw: Any, file: Tree) -> None:
        """Merge a policy, or a part of one, key by key; numbers, scalars and lists replace whole."""
        old = self.tree.get(keys)
        if not all(isinstance(each, Mapping) and not is_number_mapping(each) for each in (raw, old)):
            self._put(keys, old, copy.deepcopy(raw), file.below(keys), new_key=old is None)
            return
        if "source" in raw:  # year and note of the old source are not those of the new
            for key in PROVENANCE[1:]:
                old.pop(key, None)
        for key, part in raw.items():
            self.add_policy((*keys, key), part, file)

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
    plain = new is None or isinstance(new, list | Mapping) or new in words_of(annotation)
    if is_number_mapping(new):
        number = dict(new)
    elif (takes_number(annotation) or is_number_mapping(old)) and not plain:
        number = {"value": new}
    else:
        return copy.deepcopy(new)
    return number if "source" in number else {"source": "assumption", "note": f"set by {by}", **number}
