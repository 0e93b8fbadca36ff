"""price_floor: governments make up what plants earn to a floor, so that low prices do not shut them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Positive
from sim.network import Index, Network
from sim.policies.base import Held, policy
from sim.policies.support import Support, market_noise, sold, usual_sales
from sim.world import World

Array = NDArray[np.float64]

SOFTNESS = 0.05
"""Over this much of log price below the floor, plants go from what they sell to what they usually sell."""


@policy("price_floor")
class PriceFloor(Support):
    """Let plants decide as if their product fetched at least a floor, and pay the difference on what they sell.

    A plant goes by the price ``max(c, ln floor)``, and while the floor holds that up it plans for its usual sales and
    not for the fewer that a low market leaves it. What it makes more it sells cheaper, from fuller shelves; its
    sponsors pay ``max(floor - price, 0)`` on each tonne sold, at the price that it got, market noise included. Above
    the floor nothing changes and nothing is paid.
    """

    floor: Positive = Field(description="lowest price over its baseline that a plant gets")

    def check(self, network: Network) -> Iterator[str]:
        """Yield what is wrong with the plants, and those that do not go by prices."""
        yield from super().check(network)
        for name in self.plants(network):
            process = network.world.processes[network.blueprint.facilities[name].process]
            if process.host is not None:
                yield f"{name} makes a by-product of {process.host} whatever its price; a floor would change nothing."

    def act(self, world: World, held: Held) -> None:
        """Pay for what was sold below the floor in the last review, then hold the floor for this one."""
        level = held.window.level(world)
        before = held.memory.get("level")
        held.memory["level"] = level
        if not level.any() and (before is None or not before.any()):
            return
        rows = held.memory.setdefault("rows", self.rows(world.network))
        noise = market_noise(world, rows)
        if before is not None and before.any():
            self._top_up(world, held, rows, before, noise)
        if level.any():
            self._hold(world, rows, level, np.log(np.maximum(world.draws.number(self.floor), 1e-6)) - noise)

    def _hold(self, world: World, rows: Index, level: Array, floor: Array) -> None:
        """Hold the floor, a log price less noise (row, replication), for a share of the review."""
        beliefs, now = world.beliefs, level > 0.0
        lift = floor - beliefs.shadow_smooth[rows]
        world.levers.back_price(
            rows, np.where(now, beliefs.shadow_smooth[rows] + level * np.maximum(lift, 0.0), -np.inf)
        )
        missing = np.maximum(usual_sales(world, rows) - beliefs.sales[rows], 0.0)
        world.levers.back_sales(rows, level * np.clip(lift / SOFTNESS, 0.0, 1.0) * missing)

    def _top_up(self, world: World, held: Held, rows: Index, level: Array, noise: Array) -> None:
        """Pay the difference to the floor on what was shipped in the last review."""
        price = np.exp(world.beliefs.shadow[rows] + noise)
        below = np.maximum(world.draws.number(self.floor) - price, 0.0) * level
        normal = world.baseline.price[world.network.supplier_material[rows]]
        money = below * normal * sold(world, rows)
        self.pay(world, held, rows, money)
        paid = (money > 0.0).any(axis=0)
        first = held.happened.setdefault("first payment", np.full(world.draws.replications, np.inf))
        held.happened["first payment"] = np.where(paid & np.isinf(first), world.day - world.step, first)
