"""Picks bundles of candidates that close the most per dollar under a budget: a set function, costs, nothing else.

Greedy by gain per dollar, judged anew after each pick, from every first pick, then exchanges; where candidates are few,
every set is tried as well (Khuller, Moss and Naor 1999 on greedy under a budget). What feeds each other is picked at
once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, combinations

FEW = 8
"""Up to so many candidates, every set is tried as well, so what is picked is the best there is."""

ROUNDS = 3
"""Most rounds of exchanges; one more is gone only if the last has helped."""

Value = Callable[[frozenset[str]], float]


def pick(
    value: Value, cost: Mapping[str, float], budget: float, bundles: Sequence[frozenset[str]], least: float = 0.0
) -> list[frozenset[str]]:
    """Return what to pick, in order: bundles of candidates that close the most per dollar within the budget.

    Parameters
    ----------
    value : function of a set of candidates
        What it closes; more is better.
    cost : candidate -> cost
    bundles : sequence of sets
        What may be picked at once: each candidate, alone and with what feeds it.
    least : float
        A gain below this is none.
    """
    best: list[frozenset[str]] = []
    for start in [frozenset[str](), *bundles]:
        if total(start, cost) <= budget:
            found = _greedy(value, cost, budget, bundles, least, [start] if start else [])
            best = found if value(union(found)) > value(union(best)) + least else best
    for _ in range(ROUNDS):
        better = _exchanged(value, cost, budget, bundles, least, best)
        if union(better) == union(best):
            break
        best = better
    if len(cost) <= FEW:
        best = _every_set(value, cost, budget, least, best)
    kept = _thinned(value, cost, least, union(best))
    kept = union(_greedy(value, cost, budget, bundles, least, [kept]))
    # Told in the order in which they would be picked if nothing else were on offer.
    within = [each for each in bundles if each <= kept]
    ordered = _greedy(value, cost, math.inf, within, least, [])
    rest = kept - union(ordered)
    return [*ordered, rest] if rest else ordered


def _greedy(
    value: Value,
    cost: Mapping[str, float],
    budget: float,
    bundles: Sequence[frozenset[str]],
    least: float,
    picked: list[frozenset[str]],
) -> list[frozenset[str]]:
    """Add the bundle with the largest gain per dollar until nothing more fits or helps."""
    picked = list(picked)
    while True:
        here = union(picked)
        now, left = value(here), budget - total(here, cost)
        offers = []
        for more in dict.fromkeys(bundle - here for bundle in bundles):
            price = total(more, cost)
            if more and price <= left + 1e-6:
                gain = value(here | more) - now
                if gain > least:
                    offers.append((gain / max(price, 1.0), gain, -len(more), more))
        if not offers:
            return picked
        picked.append(max(offers, key=lambda offer: (*offer[:3], sorted(offer[3])))[3])


def _every_set(
    value: Value, cost: Mapping[str, float], budget: float, least: float, best: list[frozenset[str]]
) -> list[frozenset[str]]:
    """Return the best of all sets within the budget if it is better than what was found."""
    sets = chain.from_iterable(combinations(sorted(cost), size) for size in range(len(cost) + 1))
    found = max((frozenset(each) for each in sets if total(each, cost) <= budget), key=value, default=frozenset[str]())
    return [found] if value(found) > value(union(best)) + least else best


def _exchanged(
    value: Value,
    cost: Mapping[str, float],
    budget: float,
    bundles: Sequence[frozenset[str]],
    least: float,
    picked: list[frozenset[str]],
) -> list[frozenset[str]]:
    """Go once through what is picked: take it out, let another bundle in first, fill up, keep what is better."""
    for out in list(picked):
        rest = [each for each in picked if each != out]
        for more in [frozenset[str](), *bundles]:
            trial = [*rest, more - union(rest)] if more - union(rest) else rest
            if out & union(trial) or total(union(trial), cost) > budget + 1e-6:
                continue
            found = _greedy(value, cost, budget, bundles, least, trial)
            if value(union(found)) > value(union(picked)) + least:
                picked = found
                break
    return picked


def _thinned(value: Value, cost: Mapping[str, float], least: float, kept: frozenset[str]) -> frozenset[str]:
    """Leave out again, dearest first, what the others have made superfluous."""
    for name in sorted(kept, key=lambda each: (-cost[each], each)):
        if value(kept - {name}) >= value(kept) - least:
            kept -= {name}
    return kept


def union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    """Return all candidates of some bundles."""
    return frozenset().union(*sets)


def total(names: Iterable[str], cost: Mapping[str, float]) -> float:
    """Return what some candidates cost together."""
    return sum(cost[name] for name in sorted(names))
