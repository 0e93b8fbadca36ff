"""How much of what some countries use comes from another one, directly or upstream, with any set of projects.

Decides what counts as independent: a stock's independent share is that of what flows into it, and a product is as
independent as its least independent input, as for `independent_share` (docs/how-to/choose-projects.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.policies.logistics_project import LogisticsProject
from sim.policies.substitution_programme import SubstitutionProgramme
from sim.selection.supply import POINTS, Supply

Array = NDArray[np.float64]

MOST_ROUNDS = 200
CLOSE = 1e-10


@dataclass
class Outcome:
    """What a set of projects leaves.

    Attributes
    ----------
    gap : dict of float, t
        By material, over the time until the date.
    fed : dict of float
        Plant -> share of its expected output for which there is independent feed.
    scarce : dict of str
        Plant -> the input that limits it.
    """

    gap: dict[str, float]
    fed: dict[str, float] = field(default_factory=dict)
    scarce: dict[str, str] = field(default_factory=dict)


class Count:
    """Outcomes of sets of projects, each counted once."""

    def __init__(self, supply: Supply) -> None:
        self.supply = supply
        self._known: dict[frozenset[str], Outcome] = {}

    def outcome(self, chosen: Iterable[str]) -> Outcome:
        """Return what is left of the gap with some candidates beside what is decided."""
        present = frozenset(chosen) | self.supply.decided
        if present not in self._known:
            self._known[present] = _Round(self.supply, present).outcome()
        return self._known[present]


class _Round:
    """One set of projects: the share of each stock whose chain avoids the country, by successive rounds."""

    def __init__(self, supply: Supply, present: frozenset[str]) -> None:
        self.supply, network = supply, supply.network
        self.plants = {n: p for n, p in supply.plants.items() if n in present and not p.foreign}
        self.claims = [c for c in supply.claims(present) if c.plant in self.plants]
        self.asked = np.zeros((len(network.suppliers), POINTS))
        for claim in self.claims:
            self.asked[claim.supplier] += claim.amount
        bypass, self.replaced = np.zeros_like(supply.open), np.zeros((supply.need.size, POINTS))
        for name in present:
            policy = supply.case.policies.get(name)
            if isinstance(policy, LogisticsProject):
                bypass = np.minimum(bypass + supply.carried(name, policy), 1.0)
            elif isinstance(policy, SubstitutionProgramme):
                self.replaced += supply.replaced(name, policy)
        self.flow = supply.flow[:, None] * (1.0 - (1.0 - supply.open) * (1.0 - bypass))
        self.sold = np.repeat(supply.abroad[:, None] * 1.0, POINTS, axis=1)
        self.run = {name: np.zeros(POINTS) for name in self.plants}
        self.ratio: dict[tuple[str, str], Array] = {}
        self.bought = np.zeros((supply.need.size, POINTS))

    def outcome(self) -> Outcome:
        """Count until nothing changes any more, then add up."""
        for _ in range(MOST_ROUNDS):
            before = self.bought
            used = self._feed()
            self._trade(used)
            self._process()
            if np.abs(self.bought - before).max(initial=0.0) < CLOSE:
                break
        supply = self.supply
        missing = supply.need[:, None] * (1.0 - self.bought)
        gap = {m: supply.days * float(missing[rows].mean(axis=1).sum()) for m, rows in supply.counted.items()}
        found = Outcome(gap)
        for name, plant in self.plants.items():
            total = plant.output.sum()
            found.fed[name] = float(self.run[name].sum() / total) if total > 0 else 0.0
            limits = {m: float((each * plant.output).sum()) for (p, m), each in self.ratio.items() if p == name}
            if limits:
                found.scarce[name] = min(limits, key=lambda material: limits[material])
        return found

    def _feed(self) -> Array:
        """Share independent feed among new plants; return what they take of each supplier, (supplier, point) t/d."""
        supply = self.supply
        offered = supply.room[:, None] * self.sold * supply.abroad[:, None]
        for name, plant in self.plants.items():
            for row, made, _ in plant.products:
                offered[row] = made * self.run[name]
        filled = np.minimum(np.divide(offered, self.asked, out=np.zeros_like(offered), where=self.asked > 0), 1.0)
        needed = {(name, m): need for name in self.plants for m, need in supply.needs(name).items()}
        got = {key: np.zeros(POINTS) for key in needed}
        for claim in self.claims:
            got[claim.plant, claim.material] += claim.amount * filled[claim.supplier]
        self.ratio = {k: np.divide(got[k], need, out=np.ones(POINTS), where=need > 0) for k, need in needed.items()}
        share = {name: np.ones(POINTS) for name in self.plants}
        for (name, _), each in self.ratio.items():
            share[name] = np.minimum(share[name], each)
        self.run = {name: plant.output * share[name] for name, plant in self.plants.items()}
        used = np.zeros_like(offered)
        for claim in self.claims:
            ratio = self.ratio[claim.plant, claim.material]
            part = np.divide(share[claim.plant], ratio, out=np.zeros(POINTS), where=ratio > 0)
            used[claim.supplier] += claim.amount * filled[claim.supplier] * part
        return used

    def _trade(self, used: Array) -> None:
        """Let independent goods of new plants take the place of others, as far as their buyers need."""
        supply, ptr = self.supply, self.supply.network.lane_ptr
        inflow = np.zeros_like(self.bought)
        filled = np.flatnonzero(ptr[1:] > ptr[:-1])
        goods = self.flow * self.sold[supply.network.lane_supplier]
        if filled.size:
            inflow[filled] = np.add.reduceat(goods, ptr[filled], axis=0)
        inflow += self.replaced
        for name, plant in self.plants.items():
            for row, made, customers in plant.products:
                left = np.maximum(made * self.run[name] - used[row], 0.0)
                for buyers, weight in customers:
                    inflow[buyers] += weight[:, None] * left
        need = supply.need[:, None]
        self.bought = np.minimum(np.divide(inflow, need, out=np.zeros_like(inflow), where=need > 0), 1.0)

    def _process(self) -> None:
        """Let each product be as independent as its least independent input."""
        supply = self.supply
        for rows in supply.network.process_rows:
            if not rows.inputs.size:
                continue
            least = self.bought[rows.inputs].min(axis=0)  # (member, class, point)
            share = supply.class_share[rows.inputs[0]][:, :, None]
            mean = (least * share).sum(axis=1) / share.sum(axis=1)
            for suppliers in rows.outputs:
                self.sold[suppliers] = mean * supply.abroad[suppliers][:, None]
