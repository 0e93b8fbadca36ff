"""demand_shift: requirements rise or fall."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from sim.config.schema import Days, Names, Number, reads
from sim.network import Network
from sim.policies.base import Held, Policy, policy
from sim.world import World


@policy("demand_shift")
class DemandShift(Policy):
    """Multiply the requirement of consumers by ``1 + shift``, reached over a ramp."""

    country: Names | None = Field(None, description="where; everywhere unless given")
    material: Names = Field(description="what is used")
    shift: Annotated[Number, reads("1", -1.0)] = Field(description="change of requirement: 0.1 is 10 % more, -0.1 less")
    ramp: Days = Field(Number(0.0), description="time until the full shift is reached")

    def rows(self, network: Network) -> np.ndarray:
        """Return the consumers it covers."""
        where = None if self.country is None else network.expand(self.country)
        found = [
            i
            for i, row in enumerate(network.buyers)
            if row.kind == "consumer" and row.material in self.material and (where is None or row.country in where)
        ]
        return np.array(found, dtype=np.int64)

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error if nobody is covered."""
        if not self.rows(network).size:
            yield f"no consumer of {', '.join(self.material)} in {', '.join(self.country or ('any country',))}."

    def act(self, world: World, held: Held) -> None:
        """Shift demand for the part of the review inside the window."""
        level = held.window.level(world)
        if not level.any():
            return
        ramp = world.draws.number(self.ramp)
        since = world.day + 0.5 * world.step - held.window.start
        grown = np.where(ramp > 0, np.clip(since / np.maximum(ramp, 1e-9), 0.0, 1.0), 1.0)
        world.levers.shift_demand(self.rows(world.network), 1.0 + world.draws.number(self.shift) * level * grown)
