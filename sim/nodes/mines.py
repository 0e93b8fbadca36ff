"""Mines: facilities without inputs; by-product mines follow their host whatever the price."""

from __future__ import annotations

from sim.calendar import Phase
from sim.network import ProcessRows
from sim.nodes.production import Works
from sim.world import Steps, World


def mine(world: World, rows: ProcessRows, stage: int) -> Steps:
    """Produce at each review: as sales and stocks ask, or as the host does.

    Parameters
    ----------
    stage : int
        Place in the chain, upstream first.
    """
    by_product = world.network.world.processes[rows.process].host is not None
    works = Works(world, rows, by_product)
    while True:
        yield world.next(Phase.PRODUCTION, stage)
        works.look()
        throughput = works.limit * works.utilisation if by_product else works.wanted()
        world.beliefs.wanted[rows.facility] = works.limit if by_product else throughput
        works.put_out(throughput)
