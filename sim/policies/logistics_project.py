"""logistics_project: another way for a route that closes, such as a port, a railway or room on other ships."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Ratio
from sim.network import Network
from sim.policies.base import Held, policy
from sim.policies.investment import Investment
from sim.policies.route import OnRoute, hold_limits
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]


@policy("logistics_project")
class LogisticsProject(OnRoute, Investment):
    """Build a way round a route, which carries a share of its normal traffic while it is closed.

    Open is then ``1 - (1 - open) (1 - bypass)`` with ``bypass = capacity_share x ramp``, whoever closed it: chance,
    or a `route_closure`. Where nothing else passes, the lanes together carry at most ``sum bypass K0``. A calm route
    is as it was. ``start`` is the decision; odds and money are those of every investment.
    """

    capacity_share: Ratio = Field(description="part of a closure that it makes good, in shares of normal traffic")

    def act(self, world: World, held: Held) -> None:
        """Spend while building, then carry goods round."""
        material = self.accounted_under(world.network)
        way = self.proceed(world, held, material, "open") * world.draws.number(self.capacity_share)
        if way.any():
            world.levers.go_round(self.lanes(world.network), way)

    def accounted_under(self, network: Network) -> str:
        """Return the material that the money is accounted under: the first that travels on the route."""
        return network.materials[int(network.buyer_material[network.lane_buyer[self.lanes(network)]].min())]

    def limit(self, world: World, held: Held) -> None:
        """Limit what goes round to the room there is, where the route itself is shut."""
        limits = {}
        for material, cap in held.caps.items():
            bypass = world.levers.bypass[cap.lanes]
            shut = (world.levers.open[cap.lanes] == 0.0).all(axis=0) & bypass.any(axis=0)
            limits[material] = (shut * 1.0, sum_rows(bypass * world.lane_normal[cap.lanes])[None])
        hold_limits(world, held, limits)
