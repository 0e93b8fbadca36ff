"""facility_outage: a scripted stop of named plants."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from sim.config.schema import Names, Number, Ratio
from sim.errors import did_you_mean
from sim.network import Network
from sim.policies.base import Held, Policy, policy
from sim.world import World


@policy("facility_outage")
class FacilityOutage(Policy):
    """Take capacity out of facilities between two dates."""

    facility: Names = Field(description="plants that stop")
    severity: Ratio = Field(Number(1.0), description="share of capacity lost")

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for each unknown facility."""
        for name in self.facility:
            if name not in network.facility_index:
                yield f"facility: got '{name}'. Not a facility of this world.{did_you_mean(name, network.facilities)}"

    def act(self, world: World, held: Held) -> None:
        """Stop the plants for the part of the review inside the window."""
        level = held.window.level(world)
        if level.any():
            rows = np.array([world.network.facility_index[name] for name in self.facility])
            world.levers.stop(rows, level * world.draws.number(self.severity))
