"""Mines: facilities without inputs; by-product mines follow their host whatever the price."""

from __future__ import annotations

from sim.calendar import Phase
from sim.network import ProcessRows
from sim.nodes.production import facility_growth, limit, put_out, usual_throughput, wanted_throughput
from sim.world import Steps, World


def mine(world: World, rows: ProcessRows, stage: int) -> Steps:
    """Produce at each review: as sales and stocks ask, or as the host does.

    Parameters
    ----------
    stage : int
        Place in the chain, upstream first.
    """
    by_product = world.network.world.processes[rows.process].host is not None
    while True:
        yield world.next(Phase.PRODUCTION, stage)
        usual = usual_throughput(world, rows)
        if by_product:
            throughput = (
                world.baseline.throughput[rows.facility]
                * facility_growth(world, rows)
                * world.levers.available[rows.facility]
            )
        else:
            throughput = wanted_throughput(world, rows, usual)
        world.beliefs.wanted[rows.facility] = limit(world, rows) if by_product else throughput
        put_out(world, rows, throughput, usual, by_product)
