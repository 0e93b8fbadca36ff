"""Mines: facilities without inputs; by-product mines follow their host whatever the price."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.network import ProcessRows
from sim.nodes.production import MINES, Works
from sim.sums import sum_rows
from sim.world import Steps, World

Array = NDArray[np.float64]


def mines(world: World, groups: Sequence[ProcessRows]) -> Steps:
    """Produce at each review, all mines that no simulated host leads: as sales and stocks ask, or steadily."""
    works = Works(world, groups)
    while True:
        yield world.next(Phase.PRODUCTION, MINES)
        works.look()
        works.put_out(works.wanted())


def by_products(world: World, groups: Sequence[ProcessRows], stage: int) -> Steps:
    """Produce at each review what hosts that are simulated too let their by-products make.

    Parameters
    ----------
    stage : int
        `BEFORE_HOSTS`, where the host is further down the chain and its last review counts, or `AFTER_HOSTS`.
    """
    processes = world.network.world.processes
    led = [(Works(world, [rows]), Host(world, rows, processes[rows.process].follows or "")) for rows in groups]
    while True:
        yield world.next(Phase.PRODUCTION, stage)
        for works, host in led:
            works.look()
            works.put_out(works.permitted(works.limit * host.index() * works.utilisation))


class Host:
    """What a by-product follows where its host is simulated too: the host's output over what it normally makes.

    Parameters
    ----------
    world : World
    rows : ProcessRows
        The by-product's facilities.
    process : str
        The host's process: its facilities in the same country, or all where there are none.
    """

    def __init__(self, world: World, rows: ProcessRows, process: str) -> None:
        self.world = world
        network, facilities = world.network, world.network.blueprint.facilities
        hosts = [i for i, name in enumerate(network.facilities) if facilities[name].process == process]
        self.product = network.material_index[next(iter(network.world.processes[process].outputs))]
        countries = [facilities[network.facilities[f]].country for f in rows.facility]
        near = {c: [i for i in hosts if facilities[network.facilities[i]].country == c] for c in set(countries)}
        self.members = [np.array(near[country] or hosts, dtype=np.int64) for country in countries]
        self.normal = np.array([sum_rows(world.baseline.throughput[members]) for members in self.members])
        self.announced = network.world.supply_growth == "announced"

    def usual(self) -> Array:
        """Return what hosts usually make with what was built since the start, (member, replication)."""
        world = self.world
        usual = world.baseline.throughput + world.plant_capacity * world.baseline.utilisation
        return np.array([sum_rows(usual[members]) for members in self.members])

    def index(self) -> Array:
        """Return output now over normal output with growth, (member, replication); 1 where nothing is normal."""
        world = self.world
        now = np.array([sum_rows(world.throughput[members]) for members in self.members])
        if self.announced:
            usual = self.usual()
        else:
            usual = self.normal * world.growth_now[self.product]
        return np.divide(now, usual, out=np.ones_like(now), where=usual > 0)
