"""Rules of an experiment as a whole; addresses are those of its file."""

from __future__ import annotations

from collections.abc import Iterator

from sim.config.check.case import Case, countries_of, unknown
from sim.errors import Problem, did_you_mean


def check_horizon(case: Case) -> Iterator[Problem]:
    """Check that the run ends after it starts, and a review is a whole number of days."""
    horizon = case.experiment.horizon
    if horizon.end <= horizon.start:
        yield Problem("horizon.end", f"got '{horizon.end}'. Must be after the start, {horizon.start}.")
    review = horizon.review
    if review.value < 1 or review.value != round(review.value) or review.uncertain:
        yield Problem("horizon.review", f"got {review.value:g} d. A review is a whole number of days, 1 or more.")


def check_demand(case: Case) -> Iterator[Problem]:
    """Check that the demand path is known for every mineral, or flat."""
    yield from _unknown_path(case, case.experiment.demand, "demand")


def check_growth(case: Case) -> Iterator[Problem]:
    """Check the demand path of a scenario, and that supply which does not follow demand is told how to grow."""
    world = case.world
    if world.demand_path is not None:
        yield from _unknown_path(case, world.demand_path, "demand_path")
    if world.supply_growth == "announced" and world.behaviour.expansion is None:
        message = "missing. Give 'expansion', how capacity grows where supply_growth is 'announced'."
        yield Problem("behaviour.expansion", message)
    for name, process in world.processes.items():
        if process.recycles is not None and process.recycles not in world.materials:
            hint = did_you_mean(process.recycles, world.materials)
            yield Problem(
                f"processes.{name}.recycles", f"got '{process.recycles}'. Not a material of this world.{hint}"
            )


def _unknown_path(case: Case, path: str, address: str) -> Iterator[Problem]:
    world = case.world
    if path == "flat":
        return
    if path not in world.demand:
        hint = did_you_mean(path, ["flat", *world.demand])
        yield Problem(address, f"got '{path}'. Allowed are {', '.join(['flat', *world.demand])}.{hint}")
        return
    for mineral in world.minerals:
        if mineral not in world.demand[path]:
            yield Problem(address, f"got '{path}', which 'demand' of '{mineral}' does not give; add it there.")


def check_scenarios(case: Case) -> Iterator[Problem]:
    """Check that scenarios are named once, and references are among them."""
    names = case.experiment.scenarios
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Problem(f"scenarios.{place}", f"got '{name}' twice.")
    for place, name in enumerate(case.experiment.references):
        if name not in names:
            text = f"got '{name}'. Not among the scenarios of this experiment.{did_you_mean(name, names)}"
            yield Problem(f"references.{place}", text)


def check_disruption(case: Case) -> Iterator[Problem]:
    """Check that what survival is counted from is a policy of at least one scenario."""
    given = case.experiment.disruption
    known = list(dict.fromkeys(name for policies in case.policies.values() for name in policies))
    if given is not None and given not in known:
        yield Problem("disruption", f"got '{given}'. No scenario has such a policy.{did_you_mean(given, known)}")


def check_focus(case: Case) -> Iterator[Problem]:
    """Check that what the answer looks at first exists."""
    for place, country in enumerate(case.experiment.focus.countries):
        yield from unknown(f"focus.countries.{place}", country, "a country", countries_of(case.world))
    for place, material in enumerate(case.experiment.focus.materials):
        yield from unknown(f"focus.materials.{place}", material, "a material", case.world.materials)
