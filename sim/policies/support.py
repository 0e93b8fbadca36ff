"""What measures that carry plants through low prices share: whose output it is, what it fetches, and who pays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.config.schema import Names, Ratio
from sim.errors import did_you_mean
from sim.levers import Spending
from sim.network import Index, Network
from sim.policies.base import Held, Policy
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]


class Support(Policy):
    """A measure for the output of some plants, paid for by governments."""

    facility: Names | None = Field(None, description="plants whose output it is")
    country: Names | None = Field(None, description="instead of plants: all of a process in these countries or blocs")
    process: str | None = Field(None, description="the process that is supported there")
    material: Names | None = Field(None, description="which of their products; all unless given")
    sponsors: dict[str, Ratio] = Field(description="government: share of the money")

    @model_validator(mode="after")
    def _one_place(self) -> Support:
        place = self.country is not None and self.process is not None
        if (self.facility is not None) == place or (self.country is None) != (self.process is None):
            raise ValueError("give either 'facility', or both 'country' and 'process'.")
        return self

    def plants(self, network: Network) -> list[str]:
        """Return the plants it supports."""
        if self.facility is not None:
            return [name for name in self.facility if name in network.facility_index]
        where = network.expand(self.country or ())
        plants = network.blueprint.facilities.items()
        return [name for name, plant in plants if plant.process == self.process and plant.country in where]

    def rows(self, network: Network) -> Index:
        """Return the supplier rows of their products."""
        plants = set(self.plants(network))
        found = [
            i
            for i, row in enumerate(network.suppliers)
            if not row.stockpile and row.owner in plants and (self.material is None or row.material in self.material)
        ]
        return np.array(found, dtype=np.int64)

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for each unknown plant, and if none makes the material."""
        for name in self.facility or ():
            if name not in network.facility_index:
                yield f"facility: got '{name}'. Not a facility of this world.{did_you_mean(name, network.facilities)}"
        plants = self.plants(network)
        if not plants and self.facility is None:
            yield f"no plant of {self.process} stands in {', '.join(self.country or ())}."
        elif plants and not self.rows(network).size:
            makes = dict.fromkeys(row.material for row in network.suppliers if row.owner in plants)
            given, allowed = ", ".join(self.material or ()), ", ".join(makes) or "none"
            yield f"material: got '{given}', which they do not make. Allowed are {allowed}."

    def pay(self, world: World, held: Held, rows: Index, money: Array) -> None:
        """Account public money, (row, replication) USD, under each row's material, by the sponsors' shares."""
        suppliers = world.network.suppliers
        for material in dict.fromkeys(suppliers[row].material for row in rows):
            total = sum_rows(money[[suppliers[row].material == material for row in rows]])
            if not total.any():
                continue
            for country, share in self.sponsors.items():
                part = total * world.draws.number(share)
                world.levers.spend(Spending(held.name, material, country, part, np.zeros_like(part)))


def usual_sales(world: World, rows: Index) -> Array:
    """Return what plants usually sell, with growth and what opened since the start, (row, replication), t/d."""
    network, base = world.network, world.baseline
    plants = np.array([network.facility_index[network.suppliers[row].owner] for row in rows], dtype=np.int64)
    grown = base.sales[rows] * world.growth_now[network.supplier_material[rows]]
    return np.asarray(grown + base.made[rows] * world.plant_capacity[plants] * base.utilisation[plants])


def sold(world: World, rows: Index) -> Array:
    """Return what plants shipped in the last review, (row, replication), t."""
    lanes = [np.flatnonzero(world.network.lane_supplier == row) for row in rows]
    return np.array([sum_rows(world.lane_flow[each]) for each in lanes])


def market_noise(world: World, rows: Index) -> Array:
    """Return the log by which the last review's prices differed from what stocks and limits explain, by supplier row.

    Fixed prices hold in money, so it stands between them and the prices that markets clear at. It is the same for all
    buyers of a material, so that reported over cleared prices of any group of them give it.

    Returns
    -------
    (row, replication) float
    """
    network, recorder = world.network, world.recorder
    noise = np.zeros((rows.size, world.draws.replications))
    if not world.switches.noise:
        return noise
    for i, row in enumerate(rows):
        material = network.suppliers[row].material
        group = next((g for g, key in enumerate(network.groups) if key[0] == material), None)
        if group is None:
            continue
        buyers = np.flatnonzero(network.buyer_group == group)
        cleared = sum_rows(np.exp(world.beliefs.price[buyers]) * recorder.weight[buyers])
        noise[i] = np.log(world.signal("price_pressure", *network.groups[group]) / cleared)
    return noise
