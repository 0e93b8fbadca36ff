"""How much of what each buyer takes ends in some sectors, traced down the chain at the start."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from sim.network import Network
from sim.sums import sum_by_supplier, sum_rows
from sim.world import World

Array = NDArray[np.float64]


def sectors_of(network: Network) -> set[str]:
    """Return the names of all sectors of the world's consumers."""
    return {
        sector for uses in network.world.consumers.values() for consumer in uses.values() for sector in consumer.sectors
    }


def share_of_use(world: World, sectors: Collection[str]) -> Array:
    """Return the share of each buyer's purchases that ends in some sectors, (buyer, replication) in [0, 1].

    A consumer's is the share of its use in these sectors. A plant's is that of the buyers of its products, weighted by
    trade at the start and, of joint products, by value. Reserves have none.
    """
    network, base, draws = world.network, world.baseline, world.draws
    share = np.zeros_like(base.requirement)
    for b, row in enumerate(network.buyers):
        if row.kind == "consumer":
            known = network.world.consumers[row.owner][row.material].sectors
            share[b] = sum((draws.number(known[name]) for name in sectors if name in known), np.zeros(share.shape[1]))
    value = base.sales * base.price[network.supplier_material]
    total = sum_by_supplier(base.flow, network.lane_supplier, np.empty_like(base.sales))
    for _ in network.materials:  # one stage upstream at a time
        flow = np.ascontiguousarray(base.flow * share[network.lane_buyer])
        ends = sum_by_supplier(flow, network.lane_supplier, np.empty_like(base.sales))
        sold = np.divide(ends, total, out=np.zeros_like(ends), where=total > 0)
        before = share.copy()
        for rows in network.process_rows:
            if not rows.inputs.size or rows.final:
                continue
            for member, inputs in enumerate(np.moveaxis(rows.inputs, 1, 0)):
                outputs = rows.outputs[:, member]
                worth = sum_rows(value[outputs])
                ending = sum_rows(np.ascontiguousarray(value[outputs] * sold[outputs]))
                share[inputs.ravel()] = np.divide(ending, worth, out=np.zeros_like(worth), where=worth > 0)
        if np.array_equal(before, share):
            break
    return np.clip(share, 0.0, 1.0)
