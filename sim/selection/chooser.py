"""The selection of one scenario: what candidates cost and close, which are picked, and of each candidate why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

from sim.config.load import Plan, Scenario
from sim.engine import Case
from sim.errors import ConfigError
from sim.policies.investment import Investment
from sim.policies.logistics_project import LogisticsProject
from sim.policies.substitution_programme import SubstitutionProgramme
from sim.selection.count import Count
from sim.selection.pick import FEW, pick, total
from sim.selection.supply import Supply
from sim.selection.told import LEAST, MILLION, Candidate, Picked, listed, short


@dataclass
class Chooser:
    """The selection of one scenario, at work."""

    plan: Plan
    scenario: Scenario
    case: Case
    names: list[str]
    supply: Supply = field(init=False)

    def __post_init__(self) -> None:
        assert self.scenario.selection is not None
        self.selection, self.tree = self.scenario.selection
        self.supply = Supply(self.case, self.selection, self.names, self.plan.experiment.seed)
        self.count = Count(self.supply)
        self.public, self.whole = {}, {}
        for name in self.names:
            policy, draws = self.project(name), self.supply.draws
            cost = draws.number(policy.cost)
            self.public[name] = float((cost * draws.number(policy.public_share)).mean())
            self.whole[name] = float(cost.mean())
        self.cost = self.public if self.selection.public_only else self.whole
        self.bare = self.count.outcome(())
        self.weight = {m: self._weight(m) for m in self.bare.gap}
        self.least = LEAST * sum(self.weight[m] * gap for m, gap in self.bare.gap.items())

    def project(self, name: str) -> Investment:
        """Return a candidate."""
        policy = self.case.policies[name]
        assert isinstance(policy, Investment)
        return policy

    def _weight(self, material: str) -> float:
        if self.selection.weigh == "tonnes":
            return 1.0
        gap = self.bare.gap[material]
        if self.selection.weigh == "need":
            return 100.0 / gap if gap > 0 else 0.0
        return self.supply.price[material]

    @property
    def unit(self) -> str:
        """What candidates are compared by."""
        return {"tonnes": "t", "need": "% of a gap", "value": "USD at normal prices"}[self.selection.weigh]

    def closed(self, names: Iterable[str]) -> dict[str, float]:
        """Return what a set of candidates closes, by material, t."""
        left = self.count.outcome(names).gap
        return {material: gap - left[material] for material, gap in self.bare.gap.items()}

    def value(self, names: frozenset[str]) -> float:
        """Return what a set of candidates closes, in the measure of the selection."""
        return sum(self.weight[material] * tonnes for material, tonnes in self.closed(names).items())

    def bundles(self) -> list[frozenset[str]]:
        """Return each candidate alone, with all candidates that feed it, and with each of them by itself."""
        found = {frozenset({name}): None for name in self.names}
        for name in self.names:
            found[self._fed(name)] = None
            for feeder in self._feeders(name):
                found[frozenset({name}) | self._fed(feeder)] = None
        if len(self.names) <= FEW and not any(self.value(each) > self.least for each in found):
            found |= {one | other: None for one, other in combinations(tuple(found), 2)}
        return list(found)

    def _feeders(self, name: str) -> list[str]:
        given = getattr(self.project(name), "suppliers", {})
        return [place for shares in given.values() for place in shares if place in self.names]

    def _fed(self, name: str) -> frozenset[str]:
        found, waiting = {name}, [name]
        while waiting:
            new = [each for each in self._feeders(waiting.pop()) if each not in found]
            found.update(new)
            waiting += new
        return frozenset(found)

    # -- the outcome ----------------------------------------------------------------------------------------

    def picked(self) -> Picked:
        """Pick, and tell of each candidate why.

        Raises
        ------
        ConfigError
            If everything that closes something costs more than the budget.
        """
        budget = self.selection.budget.value
        bundles = self.bundles()
        steps = pick(self.value, self.cost, budget, bundles, self.least)
        if not steps:
            self._too_small(bundles, budget)
        told: dict[str, Candidate] = {}
        here: frozenset[str] = frozenset()
        for order, step in enumerate(steps, start=1):
            for name in sorted(step, key=self.names.index):
                told[name] = self._chosen(name, step, here, order)
            here |= step
        for name in self.names:
            if name not in here:
                told[name] = self._left_out(name, here, budget - total(here, self.cost))
        until = self.selection.by or self.case.horizon.end
        gap, closed = self.bare.gap, self.closed(here)
        ordered = tuple(told[name] for name in self.names)
        scenario = self.scenario
        return Picked(scenario.name, scenario.title, self.selection, until.isoformat(), ordered, gap, closed, self.unit)

    def _too_small(self, bundles: Iterable[frozenset[str]], budget: float) -> None:
        useful = [each for each in bundles if self.value(each) > self.least]
        if not useful or min(total(each, self.cost) for each in useful) <= budget:
            return
        best = min(useful, key=lambda each: (total(each, self.cost), sorted(each)))
        names, price = " with ".join(sorted(best)), total(best, self.cost)
        message = (
            f"got {budget / MILLION:,.4g} million USD, too little for any candidate. The least that closes something "
            f"is {names}, for {price / MILLION:,.4g} million USD{' of public money' * self.selection.public_only}."
        )
        raise ConfigError([self.tree.problem("selection.budget", message)])

    def _record(self, name: str, chosen: bool, order: int | None, before: float, gap: float, reason: str) -> Candidate:
        policy = self.project(name)
        title, expected = policy.title or name, self.supply.expected(name)
        return Candidate(
            name, title, chosen, order, self.public[name], self.whole[name], self._makes(name), expected,
            gap, before, reason,
        )  # fmt: skip

    def _makes(self, name: str) -> str:
        policy = self.project(name)
        if isinstance(policy, SubstitutionProgramme):
            return ", ".join(policy.material)
        if isinstance(policy, LogisticsProject):
            return policy.accounted_under(self.supply.network)
        plant = self.supply.network.blueprint.facilities[name]
        return next(iter(self.supply.network.world.processes[plant.process].outputs))

    def _chosen(self, name: str, step: frozenset[str], here: frozenset[str], order: int) -> Candidate:
        gained, tonnes = self._gain(step, here)
        lost, lost_tonnes = (gained, tonnes) if len(step) == 1 else self._gain(frozenset({name}), here | step - {name})
        price = total(step, self.cost) / MILLION
        others = sorted(step - {name})
        together = f" together with {listed(others)}" if others else ""
        share = 100.0 * gained / max(sum(self.weight[m] * g for m, g in self.bare.gap.items()), 1e-30)
        per = f", {short(tonnes / price)} t per million" if price > 0 else ""
        reason = (
            f"pick {order}{together}: {short(tonnes)} t ({share:.2g} % of the gap) for {price:,.4g} million USD{per}"
            f"{self._limit(name, here | step)}"
        )
        return self._record(name, True, order, lost, lost_tonnes, reason)

    def _left_out(self, name: str, here: frozenset[str], left: float) -> Candidate:
        gained, tonnes = self._gain(frozenset({name}), here)
        price = self.cost[name]
        if gained > self.least and price > left:
            reason = (
                f"would close {short(tonnes)} t more, but costs {price / MILLION:,.4g} million USD and "
                f"{left / MILLION:,.4g} million are left"
            )
        elif gained > self.least:
            reason = f"would close {short(tonnes)} t more; others use the budget better"
        else:
            reason = self._useless(name, here, left)
        return self._record(name, False, None, gained, tonnes, reason)

    def _useless(self, name: str, here: frozenset[str], left: float) -> str:
        """Say why a project closes nothing beside those that are picked."""
        if self.supply.expected(name) <= 0:
            return "not on line before the date"
        alone = self.value(frozenset({name}))
        if alone > self.least:
            return "closes nothing that those picked do not close"
        fed = self._fed(name)
        more = sorted(fed - here - {name})
        gained, tonnes = self._gain(fed, here)
        if more and gained > self.least:
            price = total(fed - here, self.cost)
            verdict = f"{left / MILLION:,.4g} million are left" if price > left else "others use the budget better"
            return (
                f"closes nothing without {listed(more)}; together {short(tonnes)} t for {price / MILLION:,.4g} "
                f"million USD, and {verdict}"
            )
        users = [other for other in self.names if name in self._feeders(other)]
        if users and not here & set(users):
            return f"would feed {listed(users)}, not picked"
        limit = self._limit(name, here | {name})
        return f"closes nothing{limit}" if limit else "closes nothing: what it makes is not what the gap is short of"

    def _limit(self, name: str, names: frozenset[str]) -> str:
        """Say which input holds a plant back, if one does."""
        outcome = self.count.outcome(names)
        fed = outcome.fed.get(name, 1.0)
        if fed > 0.98 or name not in outcome.scarce:
            return ""
        return f"; {outcome.scarce[name]} from elsewhere suffices for {100 * fed:.0f} % of what it could make"

    def _gain(self, more: frozenset[str], here: frozenset[str]) -> tuple[float, float]:
        """Return what some candidates add to others, in the measure and in tonnes."""
        after, before = self.closed(here | more), self.closed(here)
        return self.value(here | more) - self.value(here), sum(after.values()) - sum(before.values())
