"""Demand paths as factors on the baseline: of what is made, and of what each buyer needs (docs/model.md, section 5).

Consumers follow the path of their mineral, plants that of their product. Where these differ, as for lithium that goes
into cells and into grease, what is made of a material follows all its buyers together, weighted by what they need. A
mineral may state paths of single materials, as of cells by chemistry, and one of the uses beside what plants take.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sim.balance import Baseline
from sim.calendar import Calendar
from sim.closure import add_up
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
        One per material, for what is made of it; where demand is mixed, one more per material for its consumers and one
        per mineral, for companies.
        Where supply does not follow demand (`announced`), the rows of what is made stay at one, and two more per
        material end the array: what would be made if it did, and what exists, which `nodes.expansion` fills.
    of_buyer : (buyer,) int
        The path that a buyer's lanes follow; its need follows the same, or `rows_of_needs` where supply does not.
    """

    def __init__(self, network: Network, baseline: Baseline, path: str, calendar: Calendar, draws: Draws) -> None:
        self.network = network
        self.materials = len(network.materials)
        own, given = self._given(path, calendar, draws)
        followed = rows_of_needs(network)
        self.paths = self._made(own, given, followed, baseline)
        self.of_buyer = followed
        if self.paths is own:
            self.of_buyer = network.buyer_material
        if network.world.supply_growth == "announced":
            self._detach(own, given)

    def _detach(self, own: Array, given: Array) -> None:
        """Lay the paths out so that needs alone follow demand, and what exists starts at one and waits to be filled."""
        made, flat = self.paths[: self.materials], np.ones_like(own)
        self.paths = np.concatenate([flat, given, made, flat])
        self.of_buyer = len(self.paths) - self.materials + self.network.buyer_material

    def _given(self, path: str, calendar: Calendar, draws: Draws) -> tuple[Array, Array]:
        """Return the stated paths: per material; and per material for its consumers with, last, those of the minerals.

        Consumers follow `beside` where plants take a part of what the mineral's file counts as their use.
        """
        world = self.network.world
        shared = self._taken()
        own = np.ones((self.materials, calendar.reviews, draws.replications))
        used, minerals = own.copy(), np.ones((len(world.minerals), *own.shape[1:]))
        if path == "flat":
            return own, np.concatenate([used, minerals])
        for k, (mineral, materials) in enumerate(world.minerals.items()):
            record = world.demand[path][mineral]
            minerals[k] = _index(record.years, calendar, draws)
            for material in materials:
                m = self.network.material_index[material]
                special = record.materials.get(material)
                own[m] = _index(special, calendar, draws) if special else minerals[k]
                beside = record.beside if material in shared else None
                used[m] = _index(beside, calendar, draws) if beside else own[m]
        return own, np.concatenate([used, minerals])

    def _taken(self) -> set[str]:
        """Return the materials of whose stated use plants that make something of them take a part."""
        blueprint, world = self.network.blueprint, self.network.world
        running = {facility.process for facility in blueprint.facilities.values()}
        return {
            material
            for process in map(world.processes.__getitem__, running)
            if process.final is None
            for material, need in process.inputs.items()
            if need.within_sectors
        }

    def _made(self, own: Array, given: Array, followed: NDArray[np.int64], baseline: Baseline) -> Array:
        """Return all paths, what is made of a material following its buyers, weighted; `own` if nothing is mixed."""
        network = self.network
        paths = np.concatenate([own, given])
        buying = baseline.requirement.any(axis=1)
        mixed = False
        for _ in network.materials:  # a change travels one stage upstream at a time
            moved = False
            for m in range(self.materials):
                rows = np.flatnonzero((network.buyer_material == m) & buying)
                if all(np.array_equal(paths[path], own[m]) for path in set(followed[rows].tolist())):
                    continue
                weighted = (
                    need * paths[path] for need, path in zip(baseline.requirement[rows], followed[rows], strict=True)
                )
                made = sum(weighted, np.zeros(own.shape[1:])) / add_up(baseline.requirement[rows])
                moved |= not np.array_equal(made, paths[m])
                paths[m] = made
            if not moved:
                break
            mixed = True
        return paths if mixed else own


def rows_of_needs(network: Network) -> NDArray[np.int64]:
    """Return the row of `Growth.paths` that each buyer's need follows, (buyer,).

    A plant follows what is made of its product, a consumer the users of its material, a company its mineral.
    """
    world, materials = network.world, len(network.materials)
    minerals = list(world.minerals)
    followed = []
    for row in network.buyers:
        if row.kind != "processor":
            followed.append(materials * (row.kind == "consumer") + network.material_index[row.material])
            continue
        process = world.processes[network.blueprint.facilities[row.owner].process]
        if process.final is not None:
            followed.append(2 * materials + minerals.index(process.final))
        else:
            followed.append(network.material_index[next(iter(process.outputs))])
    return np.array(followed, dtype=np.int64)


def rows_now(network: Network, rows_of_lanes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows that needs follow, given those of lanes, which are the same unless supply is `announced`."""
    return rows_of_needs(network) if network.world.supply_growth == "announced" else rows_of_lanes


def _index(years: Mapping[int, schema.Number], calendar: Calendar, draws: Draws) -> Array:
    """Return a path, log-linear between mid-years, 1 at the start of the run; (review, replication)."""
    at = np.array([float(calendar.years_since(year)[0]) for year in sorted(years)])
    when = calendar.times / 365.25
    logs = np.log([draws.number(years[year]) for year in sorted(years)])
    path = np.array([np.interp(when, -at, logs[:, r]) for r in range(draws.replications)]).T
    start = np.array([np.interp(0.0, -at, logs[:, r]) for r in range(draws.replications)])
    return np.asarray(np.exp(path - start))
