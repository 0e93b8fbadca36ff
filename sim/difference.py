"""What differs between two files of configs or experiments, in words: resolved, so that what is inherited counts.

Decides what counts as a difference: the same quantity in other units is none, a default that is written out is none.
Values are those a run would start from; where two scenarios differ in the same way, it is said once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim.config.assemble import Loader
from sim.config.explain import PROVENANCE, is_number_mapping, known_keys
from sim.config.load import is_experiment, jsonable, load_plan
from sim.config.merge import DEPTH
from sim.config.schema import MineralFile, ScenarioFile, fields_of
from sim.config.tree import Keys, Tree, find_root, read_yaml, stems
from sim.errors import ConfigError, Problem
from sim.naming import in_short, in_words
from sim.policies import REGISTRY
from sim.values import is_quantity, leaves, same

ONLY_A, ONLY_B, CHANGED = "only in A", "only in B", "changed"

BOTH = ("configs/scenarios", "configs/policies")
"""Where files of scenarios and of bundles of policies stand."""

SETTINGS = (
    "question", "world", "companies", "behaviour", "horizon", "demand", "supply_growth", "replications", "seed",
    "disruption", "independent_of", "references", "focus", "switches", "selection", "sweep",
)  # fmt: skip
"""Parts of an experiment that are told as settings; scenarios and what they change are told by themselves."""


@dataclass(frozen=True)
class View:
    """One resolved world with its policies, as plain values that know where they stand."""

    title: str
    tree: Tree
    counterfactual: bool = False

    @property
    def scenario(self) -> dict[str, Any]:
        """World and policies, as names are looked up in them."""
        return {"world": self.tree.values, "policies": self.tree.values.get("policies", {})}


@dataclass(frozen=True)
class Side:
    """One of the two files: what kind it is, its settings, and its worlds by name (one without a name for most)."""

    file: str
    kind: str
    title: str
    settings: Tree
    views: dict[str, View]


@dataclass(frozen=True)
class Difference:
    """One thing that differs.

    Attributes
    ----------
    part : str
        ``settings``, ``scenarios``, ``policies`` or the first part of the address.
    address : str
    kind : str
        `ONLY_A`, `ONLY_B` or `CHANGED`.
    old, new : object
        Values in A and in B, None where there is none.
    words : str
    scenarios : tuple of str
        Those it holds in, of the ones both have; empty where there is one only, or for settings.
    """

    part: str
    address: str
    kind: str
    old: Any
    new: Any
    words: str
    scenarios: tuple[str, ...] = ()

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {key: jsonable(value) for key, value in vars(self).items()}


@dataclass
class Comparison:
    """Two sides and all that differs between them."""

    a: Side
    b: Side
    differences: list[Difference] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        found = [each.plain() for each in self.differences]
        return {"a": self.a.file, "b": self.b.file, "kind": self.a.kind, "equal": not found, "differences": found}


# -- the two files --------------------------------------------------------------------------------------


def difference(a: Path, b: Path) -> Comparison:
    """Return what differs between two files.

    Raises
    ------
    ConfigError
        If one cannot be read or resolved, or they are of different kinds.
    """
    loaders: dict[Path, Loader] = {}
    first, second = _side(Path(a), loaders), _side(Path(b), loaders)
    if first.kind != second.kind:
        message = f"is {first.kind}, and {second.file} is {second.kind}. Compare two files of one kind."
        raise ConfigError([Problem("", message, first.file)])
    return Comparison(first, second, [*_settings(first, second), *_worlds(first, second)])


def _side(path: Path, loaders: dict[Path, Loader]) -> Side:
    path = path.resolve()
    root = find_root(path)
    name = path.relative_to(root).as_posix()
    tree = read_yaml(path, name)
    keys = set(tree.values)
    if is_experiment(tree):
        return _experiment(path, name)
    loader = loaders.setdefault(root, Loader(root))
    if keys <= set(known_keys(MineralFile)) and "materials" in keys:
        view = View(str(tree.values.get("title", path.stem)), loader.base([path.stem], "default", tree))
        view.tree.values.pop("behaviour", None)
        loader.finish()
        return Side(name, "a mineral", view.title, Tree(), {"": view})
    if keys <= set(fields_of(ScenarioFile)) | set(PROVENANCE) and path.parent.name in ("scenarios", "policies"):
        base = loader.base(stems(root / "configs/minerals"), "default", tree)
        draft = loader.scenario(path.stem, base, tree, (), (f"configs/{path.parent.name}", *BOTH))
        loader.finish()
        assert draft is not None
        return Side(name, "a scenario", draft.title, Tree(), {"": View(draft.title, draft.tree, draft.counterfactual)})
    return Side(name, f"a file of {path.parent.name}", "", Tree(), {"": View("", tree)})


def _experiment(path: Path, name: str) -> Side:
    plan = load_plan(path)
    views = {
        scenario.name: View(scenario.title, scenario.tree, scenario.counterfactual)
        for scenario in plan.scenarios
        if "@" not in scenario.name  # variants of a sweep differ in what the sweep says
    }
    values = {key: plan.resolved["experiment"].get(key) for key in SETTINGS}
    settings = Tree({key: value for key, value in values.items() if value is not None})
    return Side(name, "an experiment", plan.experiment.title, settings, views)


# -- settings and scenarios -----------------------------------------------------------------------------


def _settings(a: Side, b: Side) -> Iterator[Difference]:
    for keys, old, new in leaves(a.settings.values, b.settings.values):
        if not same(old, new):
            name = f"sweep of {'.'.join(keys[1:])}" if keys[0] == "sweep" else " ".join(keys).replace("_", " ")
            words = f"{name}: {in_short(old)} -> {in_short(new)}"
            yield Difference("settings", ".".join(keys), CHANGED, old, new, words)


def _worlds(a: Side, b: Side) -> Iterator[Difference]:
    for name, view in a.views.items():
        if name not in b.views:
            yield Difference("scenarios", name, ONLY_A, view.title, None, _label(view, name))
    for name, view in b.views.items():
        if name not in a.views:
            yield Difference("scenarios", name, ONLY_B, None, view.title, _label(view, name))
    common = [name for name in a.views if name in b.views]
    found: dict[tuple[str, str, str], tuple[Difference, list[str]]] = {}
    for name in common:
        for each in _between(a.views[name], b.views[name]):
            found.setdefault((each.address, each.kind, each.words), (each, []))[1].append(name)
    for each, names in found.values():
        scenarios = tuple(names) if names != [""] else ()
        yield Difference(each.part, each.address, each.kind, each.old, each.new, each.words, scenarios)


def _label(view: View, name: str) -> str:
    return f"{view.title} ({name}){', counterfactual' if view.counterfactual else ''}"


# -- two worlds -----------------------------------------------------------------------------------------


def _between(a: View, b: View) -> Iterator[Difference]:
    """Yield what differs between two worlds: policies first, then the rest in the order of the files."""
    if a.title != b.title:
        yield Difference("title", "title", CHANGED, a.title, b.title, f"title: {a.title} -> {b.title}")
    if a.counterfactual != b.counterfactual:
        said = ("happened", "counterfactual")
        words = f"{said[a.counterfactual]} -> {said[b.counterfactual]}"
        yield Difference("title", "counterfactual", CHANGED, a.counterfactual, b.counterfactual, words)
    old, new = (view.tree.values.get("policies", {}) for view in (a, b))
    for name in dict.fromkeys([*old, *new]):
        yield from _policy(name, a, b)
    for part in dict.fromkeys([*a.tree.values, *b.tree.values]):
        if part != "policies":
            yield from _part(part, a, b)


def _policy(name: str, a: View, b: View) -> Iterator[Difference]:
    old, new = (view.tree.values.get("policies", {}).get(name) for view in (a, b))
    address = f"policies.{name}"
    if old is None or new is None:
        view, raw = (a, old) if new is None else (b, new)
        yield Difference("policies", address, _kind(old, new), old, new, _policy_in_words(name, raw, view))
        return
    for keys, before, after in leaves(old, new):
        default = _default(old.get("type"), new.get("type"), keys)
        if not same(default if before is None else before, default if after is None else after):
            full = ("policies", name, *keys)
            yield _changed("policies", full, before, after, a, b, default)


def _policy_in_words(name: str, raw: Any, view: View) -> str:
    """Return a policy in a line: what it is, on what, between whom, and when."""
    if not isinstance(raw, Mapping):
        return name
    world = view.tree.values
    said = [str(raw.get("type", "")).replace("_", " ")]
    for key, lead in (
        ("from", "from "),
        ("to", "to "),
        ("country", "in "),
        ("material", "of "),
        ("facility", "at "),
        ("stockpile", "of "),
    ):
        if raw.get(key):
            names = raw[key] if isinstance(raw[key], list | Mapping) else [raw[key]]
            said.append(lead + ", ".join(_name(str(each), world) for each in names))
    for key, lead in (("start", "from "), ("end", "until ")):
        if raw.get(key) is not None:
            said.append(lead + in_short(raw[key]))
    return f"{raw.get('title') or name} ({', '.join(filter(None, said))})"


def _name(key: str, world: Mapping[str, Any]) -> str:
    """Return the name of a country, or the title of anything else."""
    if key in world.get("countries", {}):
        return str(world["countries"][key]).partition(" (")[0]
    for part in ("materials", "facilities", "stockpiles"):
        entry = world.get(part, {}).get(key)
        if isinstance(entry, Mapping):
            return str(entry.get("title") or key)
    return key


def _part(part: str, a: View, b: View) -> Iterator[Difference]:
    """Yield what differs in one part of a world; whole entries that only one has are told by their titles."""
    old, new = a.tree.values.get(part), b.tree.values.get(part)
    if not (isinstance(old, Mapping | None) and isinstance(new, Mapping | None)):
        if not same(old, new):
            yield _changed(part, (part,), old, new, a, b)
        return
    yield from _entries((part,), old or {}, new or {}, {**DEPTH, "demand": 2}.get(part, 1), a, b)


def _entries(
    keys: Keys, old: Mapping[str, Any], new: Mapping[str, Any], depth: int, a: View, b: View
) -> Iterator[Difference]:
    """Yield what differs below a key path under which entries lie so many keys deep."""
    for name in dict.fromkeys([*old, *new]):
        full, before, after = (*keys, name), old.get(name), new.get(name)
        if depth > 1 and isinstance(before, Mapping | None) and isinstance(after, Mapping | None):
            yield from _entries(full, before or {}, after or {}, depth - 1, a, b)
        elif before is None or after is None:
            view, raw = (a, before) if after is None else (b, after)
            yield Difference(keys[0], ".".join(full), _kind(before, after), before, after, _entry(full, raw, view))
        else:
            for rest, left, right in leaves(before, after):
                if not same(left, right):
                    yield _changed(keys[0], (*full, *rest), left, right, a, b)


def _entry(keys: Keys, raw: Any, view: View) -> str:
    """Return an entry that only one side has in words: by its title, or by the names in its address."""
    if isinstance(raw, Mapping) and raw.get("title"):
        return f"{raw['title']} ({keys[-1]})"
    names = [_name(key, view.tree.values) for key in keys[1:]]
    return ", ".join(dict.fromkeys(names)) + ("" if isinstance(raw, Mapping) else f": {in_short(raw)}")


def _changed(part: str, keys: Keys, old: Any, new: Any, a: View, b: View, default: Any = None) -> Difference:
    """Return a changed value in words: both values with their sources, and where the new one stands."""
    address = ".".join(keys)
    before, after = _with_source(old, keys, a, default), _with_source(new, keys, b, default)
    place = b.tree.where(keys) if new is not None else a.tree.where(keys)
    words = f"{in_words(address, (b if new is not None else a).scenario)}: {before} -> {after} [{place}]"
    return Difference(part, address, CHANGED, old, new, words)


def _with_source(raw: Any, keys: Keys, view: View, default: Any) -> str:
    if raw is None:
        return f"not given (which means {in_short(default)})" if default is not None else "not given"
    source = _source(raw, keys, view.tree)
    return in_short(raw) + (f" ({source})" if source else "")


def _source(raw: Any, keys: Keys, tree: Tree) -> str:
    """Return the source of a number: its own, or that of the nearest record around it."""
    if not (is_number_mapping(raw) or is_quantity(raw)):
        return ""
    around = [tree.get(keys[:end]) for end in range(len(keys) - 1, 0, -1)]
    for record in (raw, *around):
        if isinstance(record, Mapping) and "source" in record:
            year = f" {record['year']}" if "year" in record else ""
            return f"{record['source']}{year}"
    return ""


def _kind(old: Any, new: Any) -> str:
    return ONLY_B if old is None else ONLY_A if new is None else CHANGED


def _default(old: Any, new: Any, keys: Sequence[str]) -> Any:
    """Return what a key of a policy means where it is not given; None where that is nothing."""
    if old != new or old not in REGISTRY or len(keys) != 1:
        return None
    for name, info in REGISTRY[old].model_fields.items():
        if keys[0] in (name, info.alias) and not info.is_required():
            value = info.get_default()
            plain = getattr(value, "value", value)
            return plain if isinstance(plain, bool | int | float | str) else None
    return None


# -- words ----------------------------------------------------------------------------------------------

MOST = 8
"""Entries of one part that only one side has are named up to here; the others are counted."""

PARTS = {
    "settings": "Settings",
    "scenarios": "Scenarios",
    "title": "Names",
    "policies": "Policies",
}


def text(found: Comparison) -> str:
    """Return a comparison as lines to read."""
    a, b = found.a, found.b
    lines = [f"A  {a.file}{_titled(a)}", f"B  {b.file}{_titled(b)}", ""]
    if not found.differences:
        return "\n".join([*lines, f"Equal: {_equal_words(a)}"])
    common = sum(name in b.views for name in a.views)
    for part in dict.fromkeys(each.part for each in found.differences):
        own = [each for each in found.differences if each.part == part]
        lines.append(PARTS.get(part, part[:1].upper() + part[1:].replace("_", " ")))
        for kind in (ONLY_A, ONLY_B, CHANGED):
            some = [each for each in own if each.kind == kind]
            shown = some if kind == CHANGED or part in PARTS else some[:MOST]
            lead = "  changed    " if kind == CHANGED else f"  {kind}  "
            lines += [f"{lead}{each.words}{_where(each, common)}" for each in shown]
            if len(some) > len(shown):
                lines.append(f"{lead}and {len(some) - len(shown)} more")
        lines.append("")
    untouched = {"policies", "settings", "scenarios"} >= {each.part for each in found.differences}
    if untouched and common:
        lines.append("The worlds are equal: no number of mines, plants, trade or use differs.")
    return "\n".join(lines).rstrip()


def _titled(side: Side) -> str:
    return f": {side.title}" if side.title else ""


def _equal_words(side: Side) -> str:
    if side.kind == "an experiment":
        return "the same settings, scenarios, policies and worlds, what is inherited included."
    if side.kind == "a scenario":
        return "the same policies in the same world, what is inherited included."
    return "every value is the same."


def _where(each: Difference, common: int) -> str:
    if not each.scenarios or common == 1:
        return ""
    return " (all scenarios)" if len(each.scenarios) == common else f" (in {', '.join(each.scenarios)})"
