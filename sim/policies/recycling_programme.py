"""recycling_programme: more of a country's scrap comes back, through a process of the world or a source of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.blueprint import Blueprint, BuyerRow, SupplierRow
from sim.config import schema
from sim.config.schema import Days, Flow, Number, Ratio
from sim.errors import did_you_mean
from sim.growth import rows_now
from sim.network import Index, Network
from sim.policies.base import Held, policy
from sim.policies.investment import Investment
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]


@policy("recycling_programme")
class RecyclingProgramme(Investment):
    """A recycling plant that is decided, built, and sells at home unless told otherwise.

    With a `process` it is one more plant of that process, and what the process needs it must buy: feed that others
    recycle today is taken from them. Without one it is a source of its own, which collects goods that nobody counts
    today and makes `material` out of nothing else, whatever the price: what piles up sells cheaper. Its size is a
    `capacity`, or the share `recovered` of what the country needs of the material, along the demand path
    (``capacity = recovered x use(t) / made``).
    """

    country: str = Field(description="where it is built, and whose use counts")
    material: str | None = Field(
        None, description="what is recycled into; a feed may be named where there is a process"
    )
    process: str | None = Field(None, description="a process of the world; a source of its own without inputs if none")
    capacity: Flow | None = Field(None, description="full capacity, in units of the process")
    recovered: Ratio | None = Field(
        None, description="instead of a capacity: share of the country's need of the material"
    )
    lead_time: Days = Field(Number(0.0), description="from decision to first output, without public support")
    success: Ratio = Field(Number(1.0), description="odds that it comes on line, without public support")
    suppliers: dict[str, dict[str, Ratio]] = Field(
        default_factory=dict, description="input: {country or facility: share}; the country itself unless given"
    )
    customers: dict[str, dict[str, Ratio]] = Field(
        default_factory=dict,
        description="product: {country or facility: share of sales}; the country itself unless given",
    )

    @model_validator(mode="after")
    def _one_size(self) -> RecyclingProgramme:
        if (self.capacity is None) == (self.recovered is None):
            raise ValueError("give either a 'capacity' or the share 'recovered' of the country's use.")
        if self.material is None and (self.process is None or self.recovered is not None):
            raise ValueError("give the 'material' that is recycled.")
        return self

    # -- before the run -------------------------------------------------------------------------------

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Add the plant with nothing flowing, and a process of its own where none is named."""
        process = self.process or f"{name} (scrap)"
        if self.process is None:
            assert self.material is not None
            source = schema.Process(
                title=self.title or name,
                unit=f"t of {self.material}",
                outputs={self.material: Number(1.0)},
                host=f"use of {self.material}",
            )
            known = {**blueprint.world.processes, process: source}
            blueprint.world = blueprint.world.model_copy(update={"processes": known})
        record = blueprint.world.processes[process]
        home = {self.country: Number(1.0)}
        bought = [each for each in record.outputs if _bought(blueprint, each, self.country)]
        facility = schema.Facility(
            title=self.title or name,
            country=self.country,
            process=process,
            throughput=self.capacity or Number(1.0, dimension="t/d"),
            utilisation=None if self.process is not None and self.recovered is None else Number(1.0),
            opens=self.start or Number(0.0, dimension="date"),
            ramp=self.ramp,
            suppliers={**dict.fromkeys(record.inputs, home), **self.suppliers},
            customers={**dict.fromkeys(bought, home), **self.customers},
        )
        blueprint.add_facility(name, facility)

    def check(self, network: Network) -> Iterator[str]:
        """Yield what keeps it from working: a wrong material, nobody who uses it, supplies it or buys from it."""
        world = network.world
        if self.country not in world.countries:
            hint = did_you_mean(self.country, world.countries)
            yield f"country: got '{self.country}'. A plant stands in one country.{hint}"
        inputs, outputs = self._recipe(network)
        allowed = outputs if self.recovered is not None else [*outputs, *inputs]
        if self.material is not None and self.material not in allowed:
            given, names = self.material, ", ".join(allowed)
            yield f"material: got '{given}', which '{self.process}' does not make. Allowed are {names}."
        elif self.recovered is not None and not self.users(network).size:
            yield f"material: nobody in {self.country} uses '{self.material}', so there is no share of it to recover."
        for what in inputs:
            places = self.suppliers.get(what, {self.country: None})
            if not any(_has(network, network.suppliers, what, place) for place in places):
                yield f"suppliers: none of {', '.join(places)} makes its input '{what}'; say who supplies it."
        sold = [
            what for what in outputs if self.customers.get(what) or _has(network, network.buyers, what, self.country)
        ]
        if not sold:
            yield f"customers: nobody in {self.country} buys {', '.join(outputs)}; say who does."

    def _recipe(self, network: Network) -> tuple[list[str], list[str]]:
        """Return the materials it takes and makes."""
        if self.process is None:
            return [], [str(self.material)]
        record = network.world.processes[self.process]
        return list(record.inputs), list(record.outputs)

    def users(self, network: Network) -> Index:
        """Return the buyers whose need counts: consumers and plants of the country that are there at the start."""
        where = network.expand((self.country,))
        found = [
            i
            for i, row in enumerate(network.buyers)
            if row.material == self.material and row.country in where and row.kind != "stockpile"
            and not (row.kind == "processor" and network.blueprint.opens_later(row.owner))
        ]  # fmt: skip
        return np.array(found, dtype=np.int64)

    # -- during the run -------------------------------------------------------------------------------

    def act(self, world: World, held: Held) -> None:
        """Spend while building, then ramp up; what a share of the use means follows the demand path."""
        material = self.material or self._recipe(world.network)[1][0]
        level = self.proceed(world, held, material, "first output")
        if not level.any():
            return
        if self.capacity is not None:
            world.open_plant(held.name, world.draws.number(self.capacity), level)
            return
        assert self.recovered is not None
        users = held.memory.setdefault("users", self.users(world.network))
        paths = held.memory.setdefault("paths", rows_now(world.network, world.grown_buyer)[users])
        need = sum_rows(world.baseline.requirement[users] * world.growth[paths, world.review])
        made = world.baseline.made[world.network.supplier_row[held.name, material]]
        # It is laid out with one unit a day, so that its level is its size, and that of its sales.
        world.open_plant(held.name, np.ones_like(level), level * world.draws.number(self.recovered) * need / made)


def _bought(blueprint: Blueprint, material: str, country: str) -> bool:
    """Whether anybody in a country buys a material at the start."""
    uses = any(
        where in blueprint.world.blocs.get(country, (country,)) and material in materials
        for where, materials in blueprint.world.consumers.items()
    )
    plants = (
        plant.country in blueprint.world.blocs.get(country, (country,))
        and material in blueprint.world.processes[plant.process].inputs
        for name, plant in blueprint.facilities.items()
        if not blueprint.opens_later(name)
    )
    return uses or any(plants)


def _has(network: Network, rows: Iterable[SupplierRow | BuyerRow], material: str, place: str) -> bool:
    """Whether a row of a material belongs to a place."""
    return any(row.material == material and network.matches(place, row.owner, row.country) for row in rows)
