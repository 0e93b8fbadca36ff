"""Loads a plan: an experiment or scenario with every file it names, merged, validated and checked.

Decides how files become a plan: a base world from the mineral files, then what each scenario extends,
changes and adds, then what the experiment and the command line change. Leaves reading to `tree`, merging
to `merge` and `assemble`, the meaning of fields to `schema`, rules that span records to `check`, and the
fields of policies to the policy classes, which call `validate_section`. All problems of all files are
collected and raised together.

In one order: scenario files (bases first) -> ``change`` of the experiment -> ``--set`` -> ``sweep``.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.config import check
from sim.config.assemble import Loader
from sim.config.company import works
from sim.config.explain import (
    RUN_SETTINGS,
    annotation_at,
    find_near,
    unknown_part,
    validate_section,
)
from sim.config.merge import Change, Draft, Setting, settings_of, spell_out_units
from sim.config.schema import Experiment, Selection, Source, World, fields_of, iter_numbers, stamp
from sim.config.tree import (
    COMMAND_LINE,
    Origin,
    Tree,
    find_root,
    read_override,
    read_yaml,
    split,
    stems,
)
from sim.errors import ConfigError, Problem

__all__ = [
    "Change",
    "Origin",
    "Plan",
    "Scenario",
    "Tree",
    "find_near",
    "find_root",
    "is_experiment",
    "iter_numbers",
    "jsonable",
    "load_plan",
    "read_override",
    "read_yaml",
    "stamp",
    "stems",
    "validate_section",
]

DEFAULT_EXPERIMENT: dict[str, Any] = {
    "horizon": {"start": "2025-01-01", "end": "2029-12-31", "review": "7 d"},
    "demand": "flat",
    "replications": 128,
    "seed": 20250101,
}
"""What a scenario that is run by itself is run with: all minerals, beside the baseline."""


# -- what loading gives ---------------------------------------------------------------------------------


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
    selection : (Selection, Tree) or None
        How projects are picked, and the file that says so.
    """

    name: str
    title: str
    question: str
    counterfactual: bool
    world: World
    policies: dict[str, dict[str, Any]]
    changes: tuple[Change, ...]
    tree: Tree
    selection: tuple[Selection, Tree] | None = None


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


# -- plans ----------------------------------------------------------------------------------------------


def load_plan(
    path: Path | str,
    overrides: Sequence[str] = (),
    replications: int | None = None,
    seed: int | None = None,
    companies: Sequence[Path] = (),
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
    companies : sequence of Path, optional
        Files of companies to lay over the world, besides those that the experiment names; the answer is then theirs.

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
    if tree.values.get("supply_growth") == "announced":
        base.put(("supply_growth",), "announced", tree.below(("supply_growth",)))
    named = _texts(tree.values.get("companies"))
    laid = loader.lay_over(base, named, tree, companies)
    if laid:
        tree.put(("companies",), laid, tree.below(("companies",)))
    if laid[len(named) :]:
        _look_at(tree, base, laid[len(named) :])
    if "focus" not in tree.values and not is_experiment(file):
        tree.values["focus"] = {"countries": list(base.values["consumers"])}
    sources, experiment = loader.sources, loader.validate(Experiment, tree.values, tree)
    drafts = _drafts(loader, tree, base, scenarios, settings)
    if experiment is not None and experiment.selection is not None:
        for draft in drafts:
            draft.selection = draft.selection or (experiment.selection, tree)
    finished = _finish_scenarios(loader, drafts or [Draft("", base.copy())])
    if experiment is not None:
        policies = {draft.name: tuple(draft.policies) for draft in drafts}
        loader.problems += _check(loader, experiment, tree, finished, policies)
    loader.finish()
    assert experiment is not None
    resolved = _resolved(tree, base, finished)
    name = "_".join((path.stem, *laid[len(named) :]))
    return Plan(name, path, loader.root, experiment, tuple(finished), sources, resolved)


def is_experiment(file: Tree) -> bool:
    """Whether a file is an experiment rather than a scenario."""
    return any(key in file.values for key in ("scenarios", "world", "horizon", "replications"))


def _experiment_around(name: str, file: Tree, loader: Loader) -> Tree:
    """Return the default experiment of a scenario: it and the baseline, in a world of all minerals."""
    beside = ["baseline"] if loader.exists("configs/scenarios/baseline.yaml") else []
    names = list(dict.fromkeys([*beside, name]))
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


def _set_run(tree: Tree, settings: Sequence[Setting], loader: Loader, options: Mapping[str, int | None]) -> None:
    """Put on an experiment what the command line sets of the run itself."""
    for key, value in options.items():
        if value is not None:
            tree.put((key,), value, {(): Origin(COMMAND_LINE)})
    for setting in settings:
        keys = split(setting.address)
        if keys[0] not in RUN_SETTINGS:
            continue
        whole = keys[0] in ("demand", "supply_growth")  # one value; the others are sections
        known = () if whole else tuple(fields_of(annotation_at(Experiment, keys[:1])))
        if keys[1:] and keys[1] not in known:
            loader.problems.append(setting.problem(unknown_part(keys, 1, known)))
        elif len(keys) != (1 if whole else 2):
            message = f"got '{setting.address}'. Name one value, such as horizon.end."
            loader.problems.append(setting.problem(message))
        else:
            tree.put(keys, setting.value, setting.origin)


def _look_at(tree: Tree, world: Tree, companies: Sequence[str]) -> None:
    """Let an experiment's answer be about companies and what they buy, beside their countries."""
    facilities, processes = world.values["facilities"], world.values["processes"]
    plants = [facilities[works(name)] for name in companies]
    countries = dict.fromkeys((*companies, *(str(plant["country"]) for plant in plants)))
    bought = {material for plant in plants for material in processes[plant["process"]]["inputs"]}
    materials = [name for name in world.values["materials"] if name in bought]
    tree.put(("focus",), {"countries": list(countries), "materials": materials}, {(): Origin(COMMAND_LINE)})


def _texts(raw: Any) -> list[str]:
    return [str(each) for each in ([raw] if isinstance(raw, str) else raw if isinstance(raw, list) else [])]


def _drafts(loader: Loader, tree: Tree, base: Tree, names: Sequence[str], settings: Sequence[Setting]) -> list[Draft]:
    """Return all scenarios with all that changes them."""
    found = [loader.scenario(name, base, tree, ("scenarios", str(place))) for place, name in enumerate(names)]
    drafts = [draft for draft in found if draft is not None]
    if len(drafts) < len(found):
        return drafts  # a policy that seems missing may stand in the file that could not be read
    for setting in settings_of(tree):
        loader.apply(setting, drafts)
    for setting in settings:
        if split(setting.address)[0] not in RUN_SETTINGS:
            loader.apply(setting, drafts)
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
            worlds[draft.physical] = loader.validate(World, _world_of(draft.tree), draft.tree)
        world = worlds[draft.physical]
        if world is not None:
            finished.append(_scenario(draft, world))
    return finished


def _world_of(tree: Tree) -> dict[str, Any]:
    return {key: value for key, value in tree.values.items() if key != "policies"}


def _scenario(draft: Draft, world: World) -> Scenario:
    return Scenario(
        name=draft.name,
        title=draft.title or draft.name,
        question=draft.question,
        counterfactual=draft.counterfactual,
        world=world,
        policies=draft.policies,
        changes=tuple(draft.changes),
        tree=draft.tree,
        selection=draft.selection,
    )


def _check(
    loader: Loader,
    experiment: Experiment,
    tree: Tree,
    scenarios: Sequence[Scenario],
    policies: Mapping[str, Sequence[str]],
) -> Iterator[Problem]:
    """Yield what the rules across records find, with files and lines."""
    if not loader.complete or not scenarios:
        return  # every name of a file that could not be read would seem unknown

    def case(world: World) -> check.Case:
        return check.Case(world, experiment, loader.sources, policies)

    seen: dict[int, Scenario] = {}
    for scenario in scenarios:
        seen.setdefault(id(scenario.world), scenario)
    found = [(first.tree, check.check_world(case(first.world))) for first in seen.values()]
    for stated, problems in (*found, (tree, check.check_plan(case(scenarios[0].world)))):
        yield from (stated.problem(problem.address, problem.message) for problem in problems)


# -- what is saved with results -------------------------------------------------------------------------


def _resolved(tree: Tree, base: Tree, scenarios: Sequence[Scenario]) -> dict[str, Any]:
    """Return everything needed to repeat a run, as plain values that JSON can hold."""
    return {
        "experiment": jsonable(tree.values),
        "origin": {".".join(keys): str(place) for keys, place in base.origin.items() if keys},
        "scenarios": {scenario.name: _resolved_scenario(scenario) for scenario in scenarios},
    }


def _resolved_scenario(scenario: Scenario) -> dict[str, Any]:
    origin = scenario.tree.below(("policies",)).items()
    return {
        "title": scenario.title,
        "question": scenario.question,
        "counterfactual": scenario.counterfactual,
        "world": jsonable(_world_of(scenario.tree)),
        "policies": jsonable(scenario.policies),
        "changes": [jsonable(vars(change)) for change in scenario.changes],
        "origin": {".".join(("policies", *keys)): str(place) for keys, place in origin if keys},
    }


def jsonable(value: Any) -> Any:
    """Return plain values with dates written out."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(part) for part in value]
    return value.isoformat() if isinstance(value, dt.date) else value
