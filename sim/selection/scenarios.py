"""Applies selections to a plan: what is not picked leaves the scenario, and what rests on it alone goes with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sim.config.load import Plan, Scenario
from sim.config.schema import Number
from sim.config.tree import Tree
from sim.engine import Case
from sim.errors import ConfigError, Problem, did_you_mean
from sim.policies import Policy
from sim.policies.investment import Investment
from sim.selection.chooser import Chooser
from sim.selection.told import Picked


def select(plan: Plan, cases: Sequence[Case]) -> tuple[Plan, tuple[Case, ...], list[Picked]]:
    """Return plan and cases without the candidates that are not picked, and how they were picked.

    Raises
    ------
    ConfigError
        If candidates are unknown or no projects, or the budget is too small for any.
    """
    check_selections(plan, cases)
    scenarios, kept, found = [], [], []
    for scenario, case in zip(plan.scenarios, cases, strict=True):
        names = _candidates(scenario, case)
        if names:
            picked = Chooser(plan, scenario, case, names).picked()
            found.append(picked)
            case = without(case, {c.name for c in picked.candidates if not c.chosen})
            gone = tuple(name for name in scenario.policies if name not in case.policies)
            found[-1] = replace(picked, gone=tuple(name for name in gone if name not in names))
            policies = {name: raw for name, raw in scenario.policies.items() if name in case.policies}
            scenario = replace(scenario, policies=policies)
        scenarios.append(scenario)
        kept.append(case)
    if not found:
        return plan, tuple(cases), []
    resolved = {**plan.resolved, "scenarios": dict(plan.resolved["scenarios"])}
    for scenario in scenarios:
        record = dict(resolved["scenarios"][scenario.name])
        record["policies"] = {name: raw for name, raw in record["policies"].items() if name in scenario.policies}
        resolved["scenarios"][scenario.name] = record
    resolved["selection"] = {each.scenario: [c.name for c in each.chosen] for each in found}
    return replace(plan, scenarios=tuple(scenarios), resolved=resolved), tuple(kept), found


def check_selections(plan: Plan, cases: Sequence[Case]) -> None:
    """Raise what is wrong with the selections of a plan, as far as it shows without counting anything.

    Raises
    ------
    ConfigError
        If places, materials or candidates are unknown, or candidates are no projects.
    """
    problems = list(_unknown(plan, cases))
    if problems:
        raise ConfigError(dict.fromkeys(problems))


def _candidates(scenario: Scenario, case: Case) -> list[str]:
    if scenario.selection is None:
        return []
    return [name for name in scenario.selection[0].candidates if name in case.policies]


def _unknown(plan: Plan, cases: Sequence[Case]) -> Iterator[Problem]:
    """Yield candidates that no scenario of their selection has, or that are no projects, and unknown places."""
    for scenario, case in zip(plan.scenarios, cases, strict=True):
        if scenario.selection is None:
            continue
        chosen, tree = scenario.selection
        world = case.world
        places, materials = [*world.countries, *world.blocs], list(world.materials)
        for key, given, allowed, what in (
            ("for", chosen.beneficiaries, places, "country or bloc"),
            ("against", chosen.against, places, "country or bloc"),
            ("materials", chosen.materials, materials, "material"),
        ):
            for each in given:
                if each not in allowed:
                    message = f"got '{each}'. Not a {what} of this world.{did_you_mean(each, allowed)}"
                    yield tree.problem(f"selection.{key}", message)
        sharing = [c for s, c in zip(plan.scenarios, cases, strict=True) if s.selection == scenario.selection]
        for place, name in enumerate(chosen.candidates):
            yield from _wrong_candidate(name, f"selection.candidates.{place}", tree, sharing)


def _wrong_candidate(name: str, address: str, tree: Tree, cases: Sequence[Case]) -> Iterator[Problem]:
    policies = [case.policies[name] for case in cases if name in case.policies]
    known = {n: p for case in cases for n, p in case.policies.items() if isinstance(p, Investment)}
    if not policies:
        allowed = f" Projects are {', '.join(known)}." if known else " No scenario here has any project."
        message = f"got '{name}'. Not a policy of a scenario with this selection.{did_you_mean(name, known)}{allowed}"
        yield tree.problem(address, message)
    elif not isinstance(policies[0], Investment):
        yield tree.problem(address, f"got '{name}', a policy of type '{policies[0].type}'. Candidates are projects.")
    elif policies[0].start is None:
        yield tree.problem(address, f"got '{name}', which a trigger decides. A candidate needs a 'start'.")


def without(case: Case, names: set[str]) -> Case:
    """Return a case without some projects, and without what rests on them alone.

    Plants that would buy from them buy that share from their other suppliers; measures on them go with them.
    """
    policies: dict[str, Policy] = {}
    for name, policy in case.policies.items():
        if name in names:
            continue
        on = getattr(policy, "facility", None)
        left = tuple(each for each in on or () if each not in names)
        if on and not left:
            continue
        changes: dict[str, Any] = {"facility": left} if on and left != tuple(on) else {}
        for key in ("suppliers", "customers"):
            given = getattr(policy, key, None)
            if given and any(place in names for shares in given.values() for place in shares):
                changes[key] = {material: _spread(shares, names) for material, shares in given.items()}
        policies[name] = policy.model_copy(update=changes) if changes else policy
    return replace(case, policies=policies)


def _spread(shares: Mapping[str, Number], names: set[str]) -> dict[str, Number]:
    """Return shares without some places, the rest scaled up to the same total."""
    left = {place: share for place, share in shares.items() if place not in names}
    total, kept = (sum(share.value for share in each.values()) for each in (shares, left))
    if kept <= 0 or len(left) == len(shares):
        return left
    factor = total / kept
    return {
        place: replace(
            share,
            value=min(share.value * factor, 1.0),
            low=None if share.low is None else min(share.low * factor, 1.0),
            high=None if share.high is None else min(share.high * factor, 1.0),
        )
        for place, share in left.items()
    }
