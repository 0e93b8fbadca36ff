"""production_limit: plants may make no more than a share of what they normally make; it is felt at home too.

The limit is on throughput, after what a plant wishes to make and before what its inputs allow,

    throughput <= (1 - level) unrestricted + level share normal

normal being the baseline with growth, and unrestricted the throughput of the last review before the window.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.config.schema import Names, Positive
from sim.errors import did_you_mean
from sim.network import Index, Network
from sim.policies.base import Held, Policy, policy
from sim.policies.paths import BY_DATE, mean_of_path
from sim.world import World

Array = NDArray[np.float64]


@policy("production_limit")
class ProductionLimit(Policy):
    """Limit what plants make to a share of their normal throughput, as a number or a path over time.

    By-products and joint products are limited with the throughput that brings them. Whoever buys from the plants, at
    home too, has a share of its supply at risk: 1 less the share allowed.
    """

    facility: Names | None = Field(None, description="plants that it limits")
    country: Names | None = Field(None, description="instead of plants: all of a process in these countries or blocs")
    process: str | None = Field(None, description="the process that is limited there")
    share: Annotated[dict[dt.date, Positive], BY_DATE] = Field(
        description="share of normal throughput that is allowed, or a path date: share, linear in between"
    )

    @model_validator(mode="after")
    def _one_target(self) -> ProductionLimit:
        place = self.country is not None and self.process is not None
        if (self.facility is not None) == place or (self.country is None) != (self.process is None):
            raise ValueError("give either 'facility', or both 'country' and 'process'.")
        return self

    def members(self, network: Network) -> Index:
        """Return the facilities that it limits."""
        if self.facility is not None:
            return np.array([network.facility_index[name] for name in self.facility], dtype=np.int64)
        places = network.expand(self.country or ())
        plants = network.blueprint.facilities.items()
        found = [name for name, each in plants if each.process == self.process and each.country in places]
        return np.array([network.facility_index[name] for name in found], dtype=np.int64)

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for each unknown plant, or if there is none of the process."""
        unknown = [name for name in self.facility or () if name not in network.facility_index]
        for name in unknown:
            yield f"facility: got '{name}'. Not a facility of this world.{did_you_mean(name, network.facilities)}"
        if unknown:
            return
        if not self.members(network).size:
            yield f"no plant of {self.process} stands in {', '.join(self.country or ())}."
        processes = [network.blueprint.facilities[network.facilities[f]].process for f in self.members(network)]
        for name in dict.fromkeys(processes):
            if network.world.processes[name].final is not None:
                yield f"{name} is a company's assembly, which builds to a plan; stop its plants with facility_outage."

    def act(self, world: World, held: Held) -> None:
        """Hold the limit, and the risk from the announcement on."""
        if held.window.asleep(world):
            held.let_go()
            return
        allowed, members = mean_of_path(world, self.share), self.members(world.network)
        news = held.window.news(world) * np.clip(1.0 - allowed, 0.0, 1.0)
        if news.any():
            world.levers.warn(self.sold(world.network, members), news)
        level = held.window.level(world)
        if not level.any():
            held.let_go()
            return
        before = world.throughput[members]
        free = before if held.free is None else np.where(held.idle, before, held.free)
        held.free, held.idle = free, level == 0.0
        limit = (1.0 - level) * free + level * allowed * normal_throughput(world, members)
        world.levers.limit_output(members, np.where(level > 0, limit, np.inf))

    def sold(self, network: Network, members: Index) -> Index:
        """Return the lanes on which the plants sell, at home and abroad."""
        return network.lanes(None, [network.facilities[f] for f in members])


def normal_throughput(world: World, members: Index) -> Array:
    """Return what plants normally make, with growth and what opened since, (member, replication), units per day."""
    network, base = world.network, world.baseline
    processes = [network.world.processes[network.blueprint.facilities[network.facilities[f]].process] for f in members]
    material = [network.material_index[next(iter(process.outputs))] for process in processes]
    opened = world.plant_capacity[members] * base.utilisation[members]
    return np.asarray(base.throughput[members] * world.growth_now[material] + opened)
