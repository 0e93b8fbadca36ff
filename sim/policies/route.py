"""What policies on a route share: which lanes it is, and a limit on what still passes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.calendar import Phase
from sim.config.schema import Names
from sim.errors import did_you_mean
from sim.gates import Cap, CapBook
from sim.network import Index, Network
from sim.policies.base import Held, Policy, hold_cap
from sim.world import Steps, World

Array = NDArray[np.float64]

AFTER_HAZARDS = 900
"""Stage at which every closure of a review is known."""


class OnRoute(Policy):
    """A measure on a route: one of `hazards.routes`, or all trade between two sets of places.

    What passes is limited once all closures and all ways round are known, so the order of policies does not matter.
    """

    route: str | None = Field(None, description="key of hazards.routes; or give 'from' and 'to'")
    origin: Names | None = Field(None, alias="from", description="where goods leave; everywhere unless given")
    destination: Names | None = Field(None, alias="to", description="where they arrive; everywhere abroad unless given")
    material: Names | None = Field(None, description="what travels; everything unless given")

    @model_validator(mode="after")
    def _one_route(self) -> OnRoute:
        ends = self.origin is not None or self.destination is not None
        if (self.route is not None) == ends:
            raise ValueError("give either a 'route' of hazards.routes, or its ends by 'from', 'to' or both.")
        return self

    def lanes(self, network: Network) -> Index:
        """Return the lanes on the route; without a `route` those that cross a border."""
        if self.route is None:
            return network.lanes(self.material, self.origin, self.destination, abroad=True)
        risk = network.world.hazards.routes[self.route]
        return network.lanes(self.material, risk.origin, risk.destination)

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for an unknown route, or one on which nothing travels."""
        routes = network.world.hazards.routes
        unknown = [m for m in self.material or () if m not in network.material_index]
        if self.route is not None and self.route not in routes:
            known = f" Allowed are {', '.join(routes)}." if routes else " The world names none; give 'from' and 'to'."
            yield f"route: got '{self.route}'. Not a route of this world.{did_you_mean(self.route, routes)}{known}"
        elif unknown:
            yield f"material: got '{unknown[0]}'. Not a material of this world."
        elif not self.lanes(network).size:
            yield "no trade of this world travels on the route."

    def caps(self, network: Network, book: CapBook) -> dict[str, Cap]:
        """Ask for one limit per material: who uses the room left on a route is settled by price."""
        lanes = self.lanes(network)
        materials = network.buyer_material[network.lane_buyer[lanes]]
        return {network.materials[m]: book.shared(lanes[materials == m]) for m in np.unique(materials)}

    def enact(self, world: World, held: Held) -> Steps:
        """Act at each review, and limit what passes when all closures are known."""
        world.env.process(self._limit(world, held))
        yield from super().enact(world, held)

    def _limit(self, world: World, held: Held) -> Steps:
        while True:
            yield world.next(Phase.HAZARDS, AFTER_HAZARDS + held.number % 100)
            self.limit(world, held)

    def limit(self, world: World, held: Held) -> None:
        """Hold what needs all closures of the review to be known."""


def hold_limits(world: World, held: Held, limits: dict[str, tuple[Array, Array]]) -> None:
    """Hold the caps of a measure that has one per material.

    Parameters
    ----------
    limits : material -> (level, inside)
        As of `hold_cap`: (replication,) share of the review, and (1, replication) t/d.
    """
    for material, cap in held.caps.items():
        # Each material remembers its own flow before the measure.
        part = held.memory.setdefault(
            f"limit {material}", Held(held.name, held.number, held.cause, {material: cap}, held.window)
        )
        level, inside = limits[material]
        hold_cap(world, part, cap, level, inside)
