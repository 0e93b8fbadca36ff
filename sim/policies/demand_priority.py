"""demand_priority: sectors that are served before the others, such as defence."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from sim.config.schema import Names
from sim.network import Network
from sim.policies.base import Held, Policy, policy
from sim.sectors import sector_problems, sector_shares
from sim.world import World


@policy("demand_priority")
class DemandPriority(Policy):
    """Serve sectors of a country's final use first, in order; the others share what is left as before.

    What the country uses in all, buys and pays does not change. Sectors are told apart where final consumers are the
    only buyers of a material in the country: how plants share what they make is not known.
    """

    country: Names = Field(description="countries or blocs whose consumers it binds")
    material: Names = Field(description="what they use")
    first: Names = Field(min_length=1, description="sectors that are served first, in this order")

    def groups(self, network: Network) -> list[tuple[str, str]]:
        """Return the (material, country) pairs it binds."""
        named = network.expand(self.country)
        return [pair for pair in network.groups if pair[0] in self.material and pair[1] in named]

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for a country or material without such use, or a sector that it does not have."""
        groups = self.groups(network)
        for material in self.material:
            if not any(pair[0] == material for pair in groups):
                yield f"material: nobody in {', '.join(self.country)} buys '{material}'."
        for material, country in groups:
            if not sector_shares(network, material, country):
                yield f"country: plants in {country} buy '{material}', so that sectors are not told apart there."
        if len(set(self.first)) < len(self.first):
            yield "first: a sector is named twice."
        if any(sector_shares(network, *pair) for pair in groups):
            yield from sector_problems(network, groups, self.first, "first")

    def act(self, world: World, held: Held) -> None:
        """Serve the sectors first in the replications where the measure is in force."""
        groups = held.memory.setdefault("groups", self.groups(world.network))
        rows = [world.recorder.sectors.follow(*pair) for pair in groups]
        level = held.window.level(world)
        if held.window.watch is not None:
            level = level * held.window.holds
        if level.any():
            for row in rows:
                world.levers.serve_first(row, self.first, level)
