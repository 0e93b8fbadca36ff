"""What the rules look at, and what several of them say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sim.config.schema import Experiment, Number, Source, World
from sim.errors import Problem, did_you_mean

TOLERANCE = 1e-6
"""Rounding allowed in sums of shares."""


@dataclass(frozen=True)
class Case:
    """What the rules look at.

    Attributes
    ----------
    world : World
        Of one scenario.
    experiment : Experiment
    sources : mapping
        Key -> source.
    policies : mapping
        Scenario -> names of its policies.
    """

    world: World
    experiment: Experiment
    sources: Mapping[str, Source]
    policies: Mapping[str, Sequence[str]]


Rule = Callable[[Case], Iterator[Problem]]


def unknown(address: str, given: str, what: str, allowed: Collection[str]) -> Iterator[Problem]:
    """Yield a problem if a name is not among those allowed."""
    if given not in allowed:
        yield Problem(address, f"got '{given}'. Not {what} of this world.{did_you_mean(given, allowed)}")


def countries_of(world: World) -> list[str]:
    """Return what may stand where a country is named: countries and blocs."""
    return [*world.countries, *world.blocs]


def lowest(number: Number) -> float:
    """Return the least a number can be."""
    return number.value if number.low is None else number.low


def highest(number: Number) -> float:
    """Return the most a number can be."""
    return number.value if number.high is None else number.high


def too_much(address: str, shares: Mapping[str, Number], what: str) -> Iterator[Problem]:
    """Yield a problem if shares exceed one in sum."""
    total = sum(share.value for share in shares.values())
    if total > 1 + TOLERANCE:
        yield Problem(address, f"got shares of {what} that add up to {total:.6g}. They may add up to 1 at most.")


# -- names ----------------------------------------------------------------------------------------------
