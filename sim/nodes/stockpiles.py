"""Stockpiles: move what was bought into the reserve; what is offered never exceeds what is held."""

from __future__ import annotations

import numpy as np

from sim.calendar import Phase
from sim.world import Steps, World


def stockpiles(world: World) -> Steps:
    """Keep the books of all reserves at each review, after policies have said what to release or fill."""
    network = world.network
    piles = [
        (network.buyer_rows[(row.owner, row.material)][0], supplier)
        for supplier, row in enumerate(network.suppliers)
        if row.stockpile
    ]
    docks, reserves = np.array(piles, dtype=np.int64).reshape(-1, 2).T.copy()
    while True:
        yield world.next(Phase.STOCKPILES)
        if not reserves.size:
            continue
        world.stocks.store(docks, reserves)
        if world.levers.holds("release"):
            world.levers.release[reserves] = np.minimum(world.levers.release[reserves], world.stocks.supplier[reserves])
