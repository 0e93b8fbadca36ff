"""Stockpiles: move what was bought into the reserve; what is offered never exceeds what is held."""

from __future__ import annotations

import numpy as np

from sim.calendar import Phase
from sim.world import Steps, World


def stockpiles(world: World) -> Steps:
    """Keep the books of all reserves at each review, after policies have said what to release or fill."""
    network = world.network
    docks = [
        (int(network.buyer_rows[(row.owner, row.material)][0]), supplier)
        for supplier, row in enumerate(network.suppliers)
        if row.stockpile
    ]
    while True:
        yield world.next(Phase.STOCKPILES)
        for dock, reserve in docks:
            world.stocks.store(dock, reserve)
            np.minimum(
                world.levers.release[reserve],
                world.stocks.supplier[reserve],
                out=world.levers.release[reserve],
            )
