"""Which share of each stock has a chain that avoids one country altogether (docs/model.md, section 8)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit
from sim.sums import sum_by_buyer, sum_rows
from sim.world import World

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class Independence:
    """Follows the share of each stock whose whole chain avoids a country, as goods are bought and made.

    Attributes
    ----------
    bought : (buyer, replication) float in [0, 1]
    sold : (supplier, replication) float in [0, 1]
    """

    def __init__(self, world: World) -> None:
        self.world = world
        network, reps = world.network, world.draws.replications
        self.bought = np.zeros_like(world.baseline.requirement)
        abroad = np.array([row.country != world.independent_of for row in network.suppliers], dtype=float)
        self.sold = np.repeat(abroad[:, None], reps, axis=1)
        self.keep = 1.0 - np.exp(-float(world.step) / world.habits.smoothing)
        self._list_products(abroad > 0)
        inflow = sum_by_buyer(world.baseline.flow, network.lane_ptr, np.empty_like(self.bought))
        for _ in range(2 * len(network.materials)):
            self._trace(world.baseline.flow, inflow, np.ones(reps))
        self._fill_reserves()

    def _list_products(self, abroad: NDArray[np.bool_]) -> None:
        """List the products of processors made abroad, each with its input rows, class by class."""
        network, share = self.world.network, self.world.baseline.class_share
        products, classes, rows, weights = [], [], [], []
        for process in network.process_rows:
            if not process.inputs.size:
                continue
            for output in process.outputs:
                for member, s in enumerate(output):
                    if not abroad[s]:
                        continue
                    products.append(int(s))
                    classes.append(process.inputs.shape[2])
                    rows.append(process.inputs[:, member].T)  # (class, input)
                    weights.append(share[process.inputs[0, member]])
        self.products = np.array(products, dtype=np.int64)
        self.class_ptr = np.cumsum([0, *classes]).astype(np.int64)
        each = [row for block in rows for row in block]
        self.row_ptr = np.cumsum([0, *(row.size for row in each)]).astype(np.int64)
        self.rows = np.concatenate([*each, np.empty(0)]).astype(np.int64)
        self.weights = np.concatenate([*weights, np.empty(0)]).astype(np.float64)

    def _fill_reserves(self) -> None:
        """Take a reserve to have been bought like the stocks of its country's users."""
        network = self.world.network
        for s, row in enumerate(network.suppliers):
            users = [
                b
                for b, buyer in enumerate(network.buyers)
                if row.stockpile and (buyer.material, buyer.country) == (row.material, row.country)
            ]
            if users:
                self.sold[s] = sum_rows(self.bought[users]) / len(users)

    def _trace(self, flow: Array, inflow: Array, weight: Array) -> None:
        network = self.world.network
        trace(
            flow, inflow, weight, network.lane_ptr, network.lane_supplier,
            self.products, self.class_ptr, self.row_ptr, self.rows, self.weights, self.bought, self.sold,
        )  # fmt: skip

    def update(self, flow: Array, inflow: Array) -> Array:
        """Take in one review's trade; return the independent share of each buyer's stock, (buyer, replication).

        Parameters
        ----------
        flow : (lane, replication) float, t
        inflow : (buyer, replication) float, t
            Its sum by buyer.
        """
        self._trace(flow, inflow, self.keep)
        return self.bought


@njit(cache=True, error_model="numpy")
def trace(
    flow: Array,
    inflow: Array,
    weight: Array,
    lane_ptr: Index,
    lane_supplier: Index,
    products: Index,
    class_ptr: Index,
    row_ptr: Index,
    rows: Index,
    class_share: Array,
    bought: Array,
    sold: Array,
) -> None:
    """Mix what was bought into stocks, then let each product be as independent as its least independent input.

    Parameters
    ----------
    flow, inflow : (lane, replication) and (buyer, replication) float, t
    weight : (replication,) float
        Of the review in a stock.
    products : (product,) int
        Supplier rows of processors outside the country.
    class_ptr, row_ptr : int
        Classes of each product; input rows of each class.
    rows : (entry,) int
        Buyer rows.
    class_share : (class,) float
    bought, sold : (buyer, replication) and (supplier, replication) float
        Changed in place.
    """
    reps = flow.shape[1]
    clean = np.empty(reps)
    for b in range(lane_ptr.size - 1):
        clean[:] = 0.0
        for lane in range(lane_ptr[b], lane_ptr[b + 1]):
            s = lane_supplier[lane]
            for r in range(reps):
                clean[r] += flow[lane, r] * sold[s, r]
        for r in range(reps):
            if inflow[b, r] > 0.0:
                bought[b, r] += weight[r] * (clean[r] / inflow[b, r] - bought[b, r])
    for k in range(products.size):
        s = products[k]
        clean[:] = 0.0
        for c in range(class_ptr[k], class_ptr[k + 1]):
            for r in range(reps):
                least = 1.0
                for i in range(row_ptr[c], row_ptr[c + 1]):
                    least = min(least, bought[rows[i], r])
                clean[r] += least * class_share[c]
        for r in range(reps):
            sold[s, r] = clean[r]
