"""route_closure: a route closes for all or part of its traffic; the rest may have to go round."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Days, Number, Positive, Section, reads
from sim.network import Network
from sim.policies.base import Held, policy
from sim.policies.route import OnRoute, hold_limits
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]


class Detour(Section):
    """How traffic that still passes goes round."""

    days: Days = Field(description="days longer under way")
    cost: Positive = Field(Number(0.0), description="added to the delivered price: 0.1 or '10 %'")


@policy("route_closure")
class RouteClosure(OnRoute):
    """Close a route for a share of its traffic between two dates.

    In force, all its lanes together carry at most ``sum K0 (1 - share (1 - bypass))``: at a share of 1 they are shut.
    With a `detour`, what still passes arrives ``days`` later and costs ``ln(1 + cost)`` more. Goods under way are
    delivered. A `logistics_project` lifts the limit by its bypass, and what takes its way neither waits nor pays.
    """

    share: Annotated[Number, reads("1", 0.0, 1.0)] | None = Field(
        None, description="share of traffic that cannot pass at all; 1 unless given, 0 where there is a detour"
    )
    detour: Detour | None = Field(None, description="what the rest goes round: {days, cost}; it passes as ever without")

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for a detour that nothing takes."""
        yield from super().check(network)
        if self.detour is not None and self.share is not None and self.share.value >= 1.0 and not self.share.uncertain:
            yield "detour: at a share of 1 nothing is left to go round; give the share that cannot pass, below 1."

    @property
    def longest_delay(self) -> float:
        """Longest detour in days."""
        if self.detour is None:
            return 0.0
        days = self.detour.days
        return days.value if days.high is None else days.high

    def closed(self, world: World) -> Array:
        """Return the share of traffic that cannot pass, (replication,)."""
        if self.share is not None:
            return world.draws.number(self.share)
        return np.full(world.draws.replications, 1.0 if self.detour is None else 0.0)

    def act(self, world: World, held: Held) -> None:
        """Close the lanes, and let buyers and sellers know."""
        if held.window.asleep(world):
            return
        lanes, share = self.lanes(world.network), self.closed(world)
        news, level = held.window.news(world) * share, held.window.level(world) * share
        if news.any():
            world.levers.warn(lanes, news)
        if level.any():
            world.levers.close(lanes, level)

    def limit(self, world: World, held: Held) -> None:
        """Limit what passes to what is left of the route, and send it round."""
        level, share = held.window.level(world), self.closed(world)
        limits = {}
        for material, cap in held.caps.items():
            shut = share * (1.0 - world.levers.bypass[cap.lanes])
            inside = sum_rows(world.lane_normal[cap.lanes] * (1.0 - shut))[None]
            limits[material] = (level * (share > 0), inside)
        hold_limits(world, held, limits)
        if self.detour is None or not level.any():
            return
        lanes = self.lanes(world.network)
        round_about = level * (1.0 - world.levers.bypass[lanes])
        world.levers.delay(lanes, world.draws.number(self.detour.days), round_about, np.zeros_like(level))
        world.levers.cost(lanes, round_about * np.log1p(world.draws.number(self.detour.cost)))
