"""Turns a plan into cases that are ready to run: policies read by their classes and held against the world.

Decides whether a scenario's policies can act in its world, and says so with file and line before anything
runs. Leaves what a policy does to its class, and the values of the world to `config.load`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.balance import balance
from sim.config.explain import annotation_at
from sim.config.load import Plan, Scenario, load_plan, validate_section
from sim.config.merge import as_assumption
from sim.config.schema import World
from sim.config.tree import split
from sim.draws import BLOCK_SIZE, Draws, lifetime_problem
from sim.engine import Case, lay_out
from sim.errors import ConfigError, Problem, did_you_mean
from sim.hazards import mean_availability
from sim.policies import REGISTRY, Policy

NAME_KEYS = {
    **dict.fromkeys(
        ("from", "to", "by", "except_from", "except_to", "country", "beneficiaries", "sponsors"),
        "country, bloc or facility",
    ),
    **dict.fromkeys(("material", "content"), "material"),
    "process": "process",
    "facility": "facility",
    "stockpile": "stockpile",
}
"""Keys of policies that hold names, as one name, a list, or the keys of a mapping; and what they name."""


def load(
    path: Path | str,
    overrides: Sequence[str] = (),
    *,
    replications: int | None = None,
    seed: int | None = None,
    companies: Sequence[Path] = (),
    balanced: bool = False,
) -> tuple[Plan, tuple[Case, ...]]:
    """Return the plan of an experiment or scenario file and its cases, checked (see `prepare`).

    Raises
    ------
    ConfigError
        If the input cannot be used.
    """
    plan = load_plan(path, overrides, replications, seed, companies)
    return plan, prepare(plan, balanced=balanced)


def prepare(plan: Plan, *, balanced: bool = False) -> tuple[Case, ...]:
    """Return one case per scenario of a plan, in order.

    Parameters
    ----------
    balanced : bool
        Also balance the first block, so that a world whose flows cannot be closed fails here.

    Raises
    ------
    ConfigError
        With the problems of all scenarios, each with the file and line it was stated on.
    """
    problems: list[Problem] = []
    cases: list[Case] = []
    starts: list[World] = []
    for scenario in plan.scenarios:
        try:
            case = _case(plan, scenario)
            # Neither policies nor plants that open later flow at the start: one balance serves all that is equal then.
            start = at_start(case)
            _try_out(case, scenario, plan, balanced and start not in starts)
            starts.append(start)
            cases.append(case)
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(dict.fromkeys(problems))
    return tuple(cases)


def _case(plan: Plan, scenario: Scenario) -> Case:
    experiment = plan.experiment
    problems = list(_undrawable(scenario))
    if problems:
        raise ConfigError(problems)
    return Case(
        name=scenario.name,
        world=scenario.world,
        policies=read_policies(scenario),
        horizon=experiment.horizon,
        demand=scenario.world.demand_path or experiment.demand,
        switches=experiment.switches,
        disruption=experiment.disruption,
        independent_of=experiment.independent_of,
    )


def at_start(case: Case) -> World:
    """Return a case's world without the plants that open later."""
    present = {name: facility for name, facility in case.world.facilities.items() if facility.opens is None}
    return case.world.model_copy(update={"facilities": present})


def _try_out(case: Case, scenario: Scenario, plan: Plan, balanced: bool) -> None:
    """Lay the case out once; what it complains of gets file and line."""
    try:
        network, _, _ = lay_out(case)
        if balanced:
            count = min(plan.experiment.replications, BLOCK_SIZE)
            draws = Draws(plan.experiment.seed, 0, count, case.switches.uncertainty)
            up = mean_availability(network, draws, case.switches.hazards)
            balance(network, draws, case.calendar.review, up, compiled=False)
    except ConfigError as error:
        raise ConfigError([_located(problem, scenario) for problem in error.problems]) from None


def _located(problem: Problem, scenario: Scenario) -> Problem:
    """Return a problem of the engine with the file and line of what it speaks of."""
    address = problem.address.rpartition(", ")[2]
    key, colon, rest = problem.message.partition(": ")
    if colon and scenario.tree.get((*address.split("."), key)) is not None:
        return scenario.tree.problem(f"{address}.{key}", rest)
    return scenario.tree.problem(address, problem.message)


def _undrawable(scenario: Scenario) -> Iterator[Problem]:
    """Yield the lifetimes of hazards that no distribution can draw."""
    hazards = scenario.world.hazards
    for kind, entries in (("outages", hazards.outages), ("shocks", hazards.shocks), ("routes", hazards.routes)):
        for name, entry in entries.items():
            for key in ("time_to_failure", "repair_time"):
                problem = lifetime_problem(getattr(entry, key))
                if problem is not None:
                    yield scenario.tree.problem(f"hazards.{kind}.{name}.{key}.{problem[0]}", problem[1])


# -- policies -------------------------------------------------------------------------------------------


def read_policies(scenario: Scenario) -> dict[str, Policy]:
    """Return a scenario's policies by name, in the order in which they act.

    Raises
    ------
    ConfigError
        For an unknown type, a wrong field, or a name that is not of this world.
    """
    problems: list[Problem] = []
    policies: dict[str, Policy] = {}
    for name, raw in scenario.policies.items():
        wrong = list(_wrong_type(scenario, name, raw))
        if not wrong:
            try:
                kind = REGISTRY[raw["type"]]
                policies[name] = validate_section(kind, _as_set(scenario, name, raw), f"policies.{name}", scenario.tree)
            except ConfigError as error:
                wrong = list(error.problems)
        problems += wrong or [*_unknown_names(scenario, name, raw), *_unknown_states(scenario, name, raw)]
    if problems:
        raise ConfigError(problems)
    return policies


def _as_set(scenario: Scenario, name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a policy in which plain numbers set outside ``configs`` are assumptions: its source does not say them."""
    kind, found = REGISTRY[raw["type"]], dict(raw)
    for change in scenario.changes:
        keys = split(change.address)
        own = len(keys) == 3 and keys[:2] == ("policies", name) and not change.file.startswith("configs/")
        if own and found.get(keys[2]) == change.new:  # unless something set it again
            found[keys[2]] = as_assumption(None, change.new, annotation_at(kind, keys[2:]), change.file)
    return found


def _wrong_type(scenario: Scenario, name: str, raw: Mapping[str, Any]) -> Iterator[Problem]:
    allowed = ", ".join(sorted(REGISTRY))
    if "type" not in raw:
        yield scenario.tree.problem(f"policies.{name}", f"missing. Give 'type', one of {allowed}.")
    elif raw["type"] not in REGISTRY:
        hint = did_you_mean(raw["type"], REGISTRY)
        message = f"got '{raw['type']}'. Not a type of policy.{hint} Allowed are {allowed}."
        yield scenario.tree.problem(f"policies.{name}.type", message)


def _unknown_names(scenario: Scenario, name: str, raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield names in a policy that nothing in this world has, with the nearest that it has."""
    world = scenario.world
    facilities = [*world.facilities, *scenario.policies]  # a project is a facility by its policy's name
    known: dict[str, Iterable[str]] = {
        "country, bloc or facility": [*world.countries, *world.blocs, *facilities],
        "material": world.materials,
        "process": world.processes,
        "facility": facilities,
        "stockpile": world.stockpiles,
    }
    known["policy of this scenario"] = scenario.policies
    known["escalation of this scenario"] = [
        other for other, each in scenario.policies.items() if each.get("type") == "escalation"
    ]
    for keys, kind, given in _names(raw):
        if given not in known[kind]:
            where = "" if kind.endswith("scenario") else " of this world"
            article = "an" if kind[0] in "aeiou" else "a"
            message = f"got '{given}'. Not {article} {kind}{where}.{did_you_mean(given, known[kind])}"
            yield scenario.tree.problem(("policies", name, *keys), message)


def _unknown_states(scenario: Scenario, name: str, raw: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield states in which a policy is in force that its escalation does not have."""
    for chain, given in (raw.get("during") or {}).items():
        states = tuple(_each(scenario.policies.get(chain, {}).get("states")))
        for state in _each(given):
            if states and state not in states:
                message = f"got '{state}'. Not a state of '{chain}'.{did_you_mean(state, states)}"
                yield scenario.tree.problem(("policies", name, "during", chain), message)


def _names(raw: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Yield (key path, kind, name) of every name in a policy that must be one of the world's."""
    for key, kind in NAME_KEYS.items():
        yield from (((key,), kind, given) for given in _each(raw.get(key)))
    when = raw.get("when")
    if isinstance(when, Mapping):
        for key in ("material", "country"):
            yield from ((("when", key), NAME_KEYS[key], given) for given in _each(when.get(key)))
        yield from ((("when", "policy"), "policy of this scenario", given) for given in _each(when.get("policy")))
    during = raw.get("during")
    if isinstance(during, Mapping):
        yield from ((("during", given), "escalation of this scenario", given) for given in during)
    for key in ("suppliers", "customers"):
        for material, shares in (raw.get(key) or {}).items():
            yield (key, material), "material", material
            yield from (((key, material, place), NAME_KEYS["country"], place) for place in _each(shares))


def _each(raw: object) -> Iterator[str]:
    """Yield the names in a name, a list of names, or a mapping from names."""
    if isinstance(raw, str):
        yield raw
    elif isinstance(raw, list | tuple | Mapping):
        yield from (each for each in raw if isinstance(each, str))
