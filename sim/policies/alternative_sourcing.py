"""alternative_sourcing: allies qualify new lanes and sign offtake, after a qualification lead time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from sim.blueprint import Blueprint, Offtake
from sim.config.schema import Days, Flow, Names, Number, Ratio
from sim.network import Network
from sim.policies.base import Held, Policy, policy
from sim.world import World


@policy("alternative_sourcing")
class AlternativeSourcing(Policy):
    """Contract a volume from existing suppliers for allied buyers."""

    origin: Names = Field(alias="from", description="suppliers: countries, blocs or facilities")
    destination: dict[str, Ratio] = Field(alias="to", description="buyer country or facility: share of the volume")
    material: str = Field(description="what is bought")
    volume: Flow = Field(description="offtake at full ramp")
    qualification: Days = Field(description="from agreement to the first qualified delivery")
    ramp: Days = Field(Number(0.0, dimension="d"), description="from first delivery to full volume")

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Add the offtake."""
        blueprint.offtakes.append(Offtake(name, self.material, tuple(self.origin), dict(self.destination), self.volume))

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error if no supplier can sell."""
        if self.material not in network.material_index:
            yield f"material: got '{self.material}'. Not a material of this world."
        elif not network.lanes([self.material], self.origin, self.destination).size:
            sellers, buyers = ", ".join(self.origin), ", ".join(self.destination)
            yield f"no supplier of {self.material} in {sellers} can sell to {buyers}."

    def act(self, world: World, held: Held) -> None:
        """Ramp the offtake after qualification; it lapses when the agreement ends."""
        first = held.window.start + world.draws.number(self.qualification)
        held.happened["first delivery"] = np.where(first < held.window.end, first, np.inf)
        ramp = np.maximum(world.draws.number(self.ramp), 1e-9)
        level = np.clip((world.day + 0.5 * world.step - first) / ramp, 0.0, 1.0) * (world.day < held.window.end)
        if level.any():
            for number, offtake in enumerate(world.network.blueprint.offtakes):
                if offtake.name == held.name:
                    world.levers.open_offtake(number, level)
