"""What one market of one tile of replications is held in while `sim.market.lockstep` solves it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit
from sim.market.topology import MarketTopology

Array = NDArray[np.float64]
Index = NDArray[np.int64]

TILE = 32  # replications abreast, at most: what a market keeps of them stays in the first caches


class Tile(NamedTuple):
    """One market in a tile of replications, numbered from 0, replication last; what holds is 1, else 0."""

    live: Array  # (replication,) still on its way
    fails: Array  # left to the scalar kernel
    theta: Array
    start: Array  # slope of the dual at the start of a step
    length: Array  # longest step; scratch elsewhere
    weight: Array  # (lane, replication) w exp(-z / theta), 0 where closed
    flow: Array
    capacity: Array  # (supplier, replication)
    tolerance: Array
    floor: Array
    lam: Array
    step: Array
    factor: Array
    shipped: Array
    free: Array
    closed: Array
    moves: Array  # has an equation
    bound: Array  # has none, or is put on its floor
    right: Array
    column: Array
    hessian: Array  # (supplier, supplier, replication), lower triangle
    low: Array
    demand: Array  # (6, buyer, replication)
    price: Array  # (buyer, replication)
    scale: Array  # exp(v / theta)
    response: Array  # -D'(v)
    empty: Array
    licence_cap: Array  # (licence, replication)
    share: Array  # C_k
    cut: Array  # min(1, A_k / F_k)
    rent: Array  # (supplier or licence, replication)
    rows: Index  # (equation,) suppliers that move in any replication
    width: Index  # (1,) replications in it


@njit(error_model="numpy")
def _widest(ptr: Index) -> int:
    """Return the largest number of things in one range."""
    widest = 0
    for i in range(ptr.size - 1):
        widest = max(widest, ptr[i + 1] - ptr[i])
    return widest


@njit(error_model="numpy")
def make_tile(topology: MarketTopology) -> Tile:
    """Return scratch space that any one market fits into."""
    n, buyers = _widest(topology.supplier_ptr), _widest(topology.buyer_ptr)
    lanes = _widest(topology.lane_ptr[topology.buyer_ptr])
    licences = _widest(topology.licence_ptr[topology.buyer_ptr])
    one, rows = (5, TILE), (15, n, TILE)
    a, s, b = np.zeros(one), np.zeros(rows), np.zeros((4, buyers, TILE))
    k = np.zeros((3, licences, TILE))
    return Tile(
        a[0], a[1], a[2], a[3], a[4], np.zeros((lanes, TILE)), np.zeros((lanes, TILE)),
        s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8], s[9], s[10], s[11], s[12],
        np.zeros((n, n, TILE)), np.zeros((n, n, TILE)), np.zeros((6, buyers, TILE)),
        b[0], b[1], b[2], b[3], k[0], k[1], k[2], np.zeros((n + licences, TILE)), np.zeros(n, np.int64),
        np.zeros(1, np.int64),
    )  # fmt: skip
