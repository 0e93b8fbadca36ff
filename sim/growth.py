"""Demand paths as factors on the baseline: of what is made, and of what each buyer needs (docs/model.md, section 5).

Consumers follow the path of their mineral, plants that of their product. Where these differ, as for lithium that goes
into cells and into grease, what is made of a material follows all its buyers together, weighted by what they need.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.balance import Baseline
from sim.calendar import Calendar
from sim.config import schema
from sim.draws import Draws
from sim.network import Network

Array = NDArray[np.float64]


class Growth:
    """The demand path over its start, per material and buyer.

    Parameters
    ----------
    network : Network
    baseline : Baseline
    path : str
        Name of a demand path, or ``flat``.
    calendar : Calendar
    draws : Draws

    Attributes
    ----------
    paths : (path, review, replication) float
        One per material, for what is made of it; where demand is mixed, one more per material for its consumers.
    of_buyer : (buyer,) int
        The path that a buyer's need follows.
    """

    def __init__(self, network: Network, baseline: Baseline, path: str, calendar: Calendar, draws: Draws) -> None:
        self.network = network
        own = self._own(path, calendar, draws)
        made = self._made(own, baseline)
        mixed = made is not own
        self.paths = np.concatenate([made, own]) if mixed else own
        self.materials = len(network.materials)
        self.of_buyer = np.array([self._followed(row) for row in range(len(network.buyers))], dtype=np.int64)
        if mixed:
            consumers = np.array([row.kind == "consumer" for row in network.buyers])
            self.of_buyer[consumers] += self.materials

    def _followed(self, buyer: int) -> int:
        """Return the material whose path a buyer's need follows: its product's, or the one it uses."""
        row = self.network.buyers[buyer]
        if row.kind != "processor":
            return self.network.material_index[row.material]
        process = self.network.blueprint.facilities[row.owner].process
        return self.network.material_index[next(iter(self.network.world.processes[process].outputs))]

    def _own(self, path: str, calendar: Calendar, draws: Draws) -> Array:
        """Return the path of each material's mineral, (material, review, replication)."""
        world = self.network.world
        factor = np.ones((len(world.materials), calendar.reviews, draws.replications))
        if path == "flat":
            return factor
        for mineral, materials in world.minerals.items():
            index = _index(world.demand[path][mineral].years, calendar, draws)
            for material in materials:
                factor[self.network.material_index[material]] = index
        return factor

    def _made(self, own: Array, baseline: Baseline) -> Array:
        """Return the path of what is made of each material: that of its buyers, weighted; `own` if nothing is mixed."""
        network, made = self.network, own
        consumers = np.array([row.kind == "consumer" for row in network.buyers])
        followed = np.array([self._followed(row) for row in range(len(network.buyers))], dtype=np.int64)
        buying = baseline.requirement.any(axis=1)
        for _ in network.materials:  # a change travels one stage upstream at a time
            before = made
            for m in range(len(network.materials)):
                rows = np.flatnonzero((network.buyer_material == m) & buying)
                plants = rows[~consumers[rows]]
                if all(np.array_equal(before[product], own[m]) for product in np.unique(followed[plants])):
                    continue
                weight = baseline.requirement[rows]
                sources = [own[m] if consumers[row] else before[followed[row]] for row in rows]
                made = made.copy() if made is before else made
                made[m] = sum(w * source for w, source in zip(weight, sources, strict=True)) / weight.sum(axis=0)
            if made is before or np.array_equal(made, before):
                break
        return made


def _index(years: Mapping[int, schema.Number], calendar: Calendar, draws: Draws) -> Array:
    """Return a path, log-linear between mid-years, 1 at the start of the run; (review, replication)."""
    at = np.array([float(calendar.years_since(year)[0]) for year in sorted(years)])
    when = calendar.times / 365.25
    logs = np.log([draws.number(years[year]) for year in sorted(years)])
    path = np.array([np.interp(when, -at, logs[:, r]) for r in range(draws.replications)]).T
    start = np.array([np.interp(0.0, -at, logs[:, r]) for r in range(draws.replications)])
    return np.asarray(np.exp(path - start))
