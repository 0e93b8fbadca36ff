"""Shipments: what is due lands before anything else happens in a review."""

from __future__ import annotations

from sim.calendar import Phase
from sim.world import Steps, World


def shipments(world: World) -> Steps:
    """Land goods that are due, and bring refused goods back to their sellers."""
    while True:
        yield world.next(Phase.ARRIVALS)
        world.stocks.arrive()
