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
        self.of_buyer, final = self._followed()
        if mixed:
            self.of_buyer[final] += self.materials

    def _followed(self) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the material whose path each buyer's need follows, and whether that is the path of its own mineral.

        A plant follows what is made of its product; who uses a material, or assembles what leaves the chain, a mineral.
        """
        network, world = self.network, self.network.world
        followed, final = [], []
        for row in network.buyers:
            material, ends = row.material, row.kind == "consumer"
            if row.kind == "processor":
                process = world.processes[network.blueprint.facilities[row.owner].process]
                ends = process.final is not None
                material = world.minerals[process.final][-1] if process.final else next(iter(process.outputs))
            followed.append(network.material_index[material])
            final.append(ends)
        return np.array(followed, dtype=np.int64), np.array(final, dtype=bool)

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
        followed, final = self._followed()
        buying = baseline.requirement.any(axis=1)
        for _ in network.materials:  # a change travels one stage upstream at a time
            before = made
            for m in range(len(network.materials)):
                rows = np.flatnonzero((network.buyer_material == m) & buying)
                needs = {(int(followed[row]), bool(final[row])) for row in rows}
                paths = {need: (own if need[1] else before)[need[0]] for need in needs}
                if all(np.array_equal(path, own[m]) for path in paths.values()):
                    continue
                weight = baseline.requirement[rows]
                sources = [paths[int(followed[row]), bool(final[row])] for row in rows]
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
