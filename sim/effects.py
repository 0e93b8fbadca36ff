"""Effects: paired differences of a scenario from a reference in all places in focus, and what is clear of them.

Decides what counts as an effect and how one is put in words. Leaves which scenarios are told to `finding`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from sim.facts import Estimate, Facts
from sim.wording import LEAST_DAYS, LEAST_PRICE, is_told, listed

LEAST = {"shortage_days": LEAST_DAYS, "price_mean": LEAST_PRICE}
"""Metrics that are told, with the size from which on they are."""

MANIFOLD = 2.0
"""Rise, as a share of the level before, above which the level is told instead of the share."""

NAMED = 2
"""Places named where the same happens in several; the others are counted."""

Place = tuple[str, str]
"""A material and a country that buys it."""


def places(facts: Facts) -> list[Place]:
    """Return every material in focus with every country in focus that buys it."""
    return [(material, country) for material in facts.materials for country in facts.buyers(material)]


def where(facts: Facts, place: Place) -> str:
    """Return a place in words."""
    return f"{short(facts, place[0])} {_at(facts, place[1])}"


def short(facts: Facts, material: str) -> str:
    """Return a material's title inside a sentence, without its brackets where these tell it from no other."""
    plain = {name: facts.inside(name).partition(" (")[0] for name in facts.materials}
    return plain[material] if list(plain.values()).count(plain[material]) == 1 else facts.inside(material)


def _at(facts: Facts, buyer: str) -> str:
    """Return 'in' a country, or 'at' a company."""
    return f"at {facts.country(buyer)}" if buyer in facts.companies else f"in {facts.the(buyer)}"


@dataclass(frozen=True)
class Effect:
    """A paired difference of one metric in one place."""

    place: Place
    metric: str
    size: Estimate

    @property
    def told(self) -> bool:
        """Whether it is clear and large enough to speak of."""
        return is_told(self.size, LEAST[self.metric])

    @property
    def nil(self) -> bool:
        """Whether it is zero in every run."""
        return self.size.mean == self.size.low == self.size.high == 0


@dataclass(frozen=True)
class Change:
    """What a scenario changes against a reference, in all places in focus."""

    facts: Facts
    scenario: str
    reference: str

    @cached_property
    def effects(self) -> list[Effect]:
        """Every difference looked at."""
        found = (
            (place, metric, self.facts.gain(self.scenario, self.reference, *place, metric))
            for metric in LEAST
            for place in places(self.facts)
        )
        return [Effect(place, metric, size) for place, metric, size in found if size is not None]

    def of(self, metric: str, way: int = 0) -> list[Effect]:
        """Return clear effects on a metric, the largest first; `way` 1 for higher, -1 for lower, 0 for both."""
        told = [each for each in self.effects if each.metric == metric and each.told and each.size.mean * way >= 0]
        return sorted(told, key=lambda each: -abs(each.size.mean))

    def strength(self, scale: Mapping[str, float]) -> tuple[float, float]:
        """Return its largest clear effect as a share of a level of each metric, then the sum of all."""
        shares = [abs(each.size.mean) / scale[metric] for metric in LEAST for each in self.of(metric)]
        return round(max(shares, default=0.0), 3), sum(shares)

    @property
    def nil(self) -> bool:
        """Whether it changes nothing at all."""
        return all(each.nil for each in self.effects)

    def text(self) -> str:
        """Return what is clear, in words; empty where nothing is."""
        parts = [_days_part(self.facts, self.of("shortage_days", way), self) for way in (-1, 1)]
        prices = [_price_part(self.facts, self.of("price_mean", way)) for way in (-1, 1)]
        days = [part for part in parts if part]
        if not days and any(prices):
            days = [self._days_unclear()]
        return "; ".join([*days, *(part for part in prices if part)])

    def _days_unclear(self) -> str:
        nil = all(each.nil for each in self.effects if each.metric == "shortage_days")
        return "the same days of shortage in every run" if nil else "no change in days of shortage that can be told"


def _days_part(facts: Facts, effects: Sequence[Effect], change: Change) -> str:
    """Tell days of shortage that go one way: the largest in full, the others by name."""
    if not effects:
        return ""
    first = effects[0]
    size = first.size.scaled(1.0 if first.size.mean > 0 else -1.0)
    before = facts.level(change.reference, *first.place, "shortage_days")
    share = ""
    if before is not None and before.mean >= LEAST_DAYS:
        times = first.size.mean / before.mean
        share = f", {100 * times:+.0f} %" if times <= MANIFOLD else f", from {before.text()}"
    more = "more" if first.size.mean > 0 else "fewer"
    return (
        f"{size.text()} {more} days of shortage of {where(facts, first.place)} {_bracket(size, share)}"
        f"{_others(facts, first, effects[1:], more)}"
    )


def _price_part(facts: Facts, effects: Sequence[Effect]) -> str:
    if not effects:
        return ""
    first = effects[0]
    size = first.size.scaled(100.0 if first.size.mean > 0 else -100.0)
    way = "higher" if first.size.mean > 0 else "lower"
    return (
        f"a mean price of {where(facts, first.place)} {way} by {size.text()} % of normal {size.between()}"
        f"{_others(facts, first, effects[1:], way)}"
    )


def _bracket(size: Estimate, share: str) -> str:
    between = size.between()
    return f"{between[:-1]}{share})" if between else f"({share[2:]})" if share else ""


def _others(facts: Facts, first: Effect, effects: Sequence[Effect], lead: str) -> str:
    """Name the other places of an effect, and count those beyond the first few."""
    if not effects:
        return ""
    if len(effects) > NAMED:
        return f" and {lead} in {len(effects)} other places"
    named = [
        _at(facts, each.place[1]) if each.place[0] == first.place[0] else f"for {where(facts, each.place)}"
        for each in effects
    ]
    return f" and {lead} {listed(named)}"
