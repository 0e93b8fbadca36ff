"""Brings busy markets to `sim.market.lockstep` in tiles of replications, and writes what it finds.

Arguments are those of `sim.market.clearing.clear_markets`. A tile gathers replications that are not done, in their
order; the last one stands in for those that are missing. What a replication gets does not depend on its tile.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit
from sim.market.buyers import Lines, make_lines
from sim.market.lockstep import CLOSED, ROUNDING, minimise
from sim.market.scratch import TILE, Tile, make_tile
from sim.market.topology import MarketTopology

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


@njit(error_model="numpy")
def _load_rows(
    m: int, at: Index, topology: MarketTopology, available: Array, floor: Array, scale: Array, shadow: Array,
    tolerance: float, t: Tile,
) -> None:  # fmt: skip
    """Load sellers; each is freed by its first open lane."""
    width = t.width[0]
    first = topology.supplier_ptr[m]
    for j in range(topology.supplier_ptr[m + 1] - first):
        s = first + j
        for r in range(width):
            c = at[r]
            capacity, low, warm = available[s, c], floor[s, c], shadow[s, c]
            t.capacity[j, r], t.floor[j, r] = capacity, low
            t.tolerance[j, r] = tolerance * max(capacity, 1e-3 * scale[s, c])
            t.closed[j, r] = 1.0 if capacity <= CLOSED * scale[s, c] else 0.0
            t.lam[j, r] = max(low, warm) if abs(warm) < np.inf else low
            t.free[j, r] = 0.0


@njit(error_model="numpy")
def _load_buyers(
    m: int, at: Index, topology: MarketTopology, flow: Array, elasticity: Array, stock: Array, stock_rate: Array,
    offset: Array, cap: Array, licence_cap: Array, log_price: Array, t: Tile,
) -> None:  # fmt: skip
    """Load demand curves, last prices and licences."""
    width = t.width[0]
    first, last = topology.buyer_ptr[m], topology.buyer_ptr[m + 1]
    for b in range(first, last):
        i = b - first
        for r in range(width):
            c = at[r]
            t.demand[0, i, r], t.demand[1, i, r], t.demand[2, i, r] = flow[b, c], elasticity[b, c], stock[b, c]
            t.demand[3, i, r], t.demand[4, i, r], t.demand[5, i, r] = stock_rate[b, c], offset[b, c], cap[b, c]
            t.price[i, r] = log_price[b, c]
    base = topology.licence_ptr[first]
    for k in range(topology.licence_ptr[last] - base):
        for r in range(width):
            t.licence_cap[k, r] = licence_cap[base + k, at[r]]


@njit(error_model="numpy")
def _load_lanes(
    m: int, at: Index, topology: MarketTopology, weight: Array, wedge: Array, licence_scale: Array, t: Tile,
    lines: Lines,
) -> None:  # fmt: skip
    """Load lanes, those of closed stocks or licences without weight; leave in ``lines.shut`` whether there are any."""
    width = t.width[0]
    first_b, first_s = topology.buyer_ptr[m], topology.supplier_ptr[m]
    first, base = topology.lane_ptr[first_b], topology.licence_ptr[first_b]
    lines.shut[:] = 0.0
    for lane in range(first, topology.lane_ptr[topology.buyer_ptr[m + 1]]):
        i, j, k = lane - first, topology.lane_supplier[lane] - first_s, topology.lane_licence[lane]
        costly = 0
        for r in range(width):
            t.weight[i, r] = weight[lane, at[r]]
            lines.offer[r] = t.closed[j, r]
        if wedge.shape[0] > 0:
            for r in range(width):
                costly += wedge[lane, at[r]] != 0.0
        if k >= 0:
            for r in range(width):
                shut = t.licence_cap[k - base, r] <= CLOSED * licence_scale[k, at[r]]
                lines.offer[r] = 1.0 if shut else lines.offer[r]
        for r in range(width):
            given, closed = t.weight[i, r], lines.offer[r] != 0.0
            lines.shut[r] = 1.0 if closed & (given > 0.0) else lines.shut[r]
            given = 0.0 if closed | (not given > 0.0) else given
            t.weight[i, r] = given
            t.free[j, r] = 1.0 if (given > 0.0) & (t.capacity[j, r] < np.inf) else t.free[j, r]
        if costly > 0:
            for r in range(width):
                z = wedge[lane, at[r]]
                t.weight[i, r] *= exponential(-z * lines.per_theta[r]) if z != 0.0 else 1.0
    for j in range(topology.supplier_ptr[m + 1] - first_s):
        for r in range(width):
            t.lam[j, r] = t.lam[j, r] if t.free[j, r] != 0.0 else t.floor[j, r]


@njit(error_model="numpy")
def _store(
    m: int, c: int, r: int, topology: MarketTopology, v_max: float, wedge: Array, t: Tile, shadow: Array,
    gate_shadow: Array, log_price: Array, flow: Array, licence_shadow: Array, delivered: Array,
) -> None:  # fmt: skip
    """Write one replication ``c``, number ``r`` of the tile; nobody ships more than there is."""
    first_s, first_b, th = topology.supplier_ptr[m], topology.buyer_ptr[m], t.theta[r]
    first, base = topology.lane_ptr[first_b], topology.licence_ptr[first_b]
    for j in range(topology.supplier_ptr[m + 1] - first_s):
        limit = t.capacity[j, r] * (1.0 - ROUNDING)
        t.factor[j, r] = limit / t.shipped[j, r] if t.shipped[j, r] > limit else 1.0
        shadow[first_s + j, c] = t.lam[j, r]
    for g in range(topology.gate_ptr[m], topology.gate_ptr[m + 1]):
        gate_shadow[g, c] = 0.0
    for k in range(topology.licence_ptr[topology.buyer_ptr[m + 1]] - base):
        licence_shadow[base + k, c] = -th * np.log(t.cut[k, r]) if t.cut[k, r] < 1.0 else 0.0
    for b in range(first_b, topology.buyer_ptr[m + 1]):
        offer, v = np.inf, t.price[b - first_b, r]
        for lane in range(topology.lane_ptr[b], topology.lane_ptr[b + 1]):
            i, j, k = lane - first, topology.lane_supplier[lane] - first_s, topology.lane_licence[lane]
            cut = t.factor[j, r]
            if k >= 0 and t.cut[k - base, r] < 1.0:
                cut = min(cut, 1.0 - ROUNDING)
            flow[lane, c] = t.flow[i, r] * cut
            if t.weight[i, r] > 0.0:
                rent = licence_shadow[k, c] if k >= 0 else 0.0
                offer = min(offer, (wedge[lane, c] if wedge.shape[0] > 0 else 0.0) + t.lam[j, r] + rent)
        log_price[b, c] = v
        delivered[b, c] = v if t.empty[b - first_b, r] != 0.0 else min(v_max, max(v, offer - th * np.log(2.0)))


@njit(error_model="numpy")
def _impute(
    m: int, c: int, r: int, topology: MarketTopology, weight: Array, wedge: Array, licence_scale: Array, t: Tile,
    shadow: Array, licence_shadow: Array,
) -> None:  # fmt: skip
    """Write the rents of closed stocks and licences: the largest v_b - (other lam) - z of their lanes.

    Two on one lane share its rent equally.
    """
    first_s, first_b = topology.supplier_ptr[m], topology.buyer_ptr[m]
    base, last = topology.licence_ptr[first_b], topology.buyer_ptr[m + 1]
    suppliers, licences = topology.supplier_ptr[m + 1] - first_s, topology.licence_ptr[last] - base
    t.rent[: suppliers + licences, r] = 0.0
    for b in range(first_b, last):
        for lane in range(topology.lane_ptr[b], topology.lane_ptr[b + 1]):
            j, k = topology.lane_supplier[lane] - first_s, topology.lane_licence[lane]
            shut = t.closed[j, r] != 0.0
            barred = k >= 0 and t.licence_cap[k - base, r] <= CLOSED * licence_scale[k, c]
            if weight[lane, c] > 0.0 and (shut or barred):
                other = licence_shadow[k, c] if k >= 0 else 0.0
                other += wedge[lane, c] if wedge.shape[0] > 0 else 0.0
                rent = (t.price[b - first_b, r] - t.lam[j, r] - other) / (2.0 if shut and barred else 1.0)
                if shut:
                    t.rent[j, r] = max(t.rent[j, r], rent)
                if barred:
                    t.rent[suppliers + k - base, r] = max(t.rent[suppliers + k - base, r], rent)
    for j in range(suppliers):
        shadow[first_s + j, c] += t.rent[j, r]
    for k in range(licences):
        licence_shadow[base + k, c] += t.rent[suppliers + k, r]


@njit(cache=True, error_model="numpy")
def clear_in_tiles(
    topology: MarketTopology,
    weight: Array,
    wedge: Array,
    theta: Array,
    demand_flow: Array,
    demand_elasticity: Array,
    demand_stock: Array,
    demand_stock_rate: Array,
    demand_offset: Array,
    demand_cap: Array,
    available: Array,
    floor: Array,
    supplier_scale: Array,
    gate_cap: Array,
    licence_cap: Array,
    licence_scale: Array,
    v_max: float,
    tolerance: float,
    shadow: Array,
    gate_shadow: Array,
    log_price: Array,
    flow: Array,
    licence_shadow: Array,
    delivered: Array,
    iterations: Index,
    done: Mask,
) -> None:
    """Clear the markets that are not ``done`` (market, replication) and note those that were cleared."""
    reps = theta.shape[1]
    t, lines, steps = make_tile(topology), make_lines(TILE), np.zeros(TILE)
    at = np.zeros(TILE, np.int64)
    for m in range(theta.shape[0]):
        c = 0
        while c < reps:
            count = 0
            while c < reps and count < TILE:
                barred = done[m, c]
                for g in range(topology.gate_ptr[m], topology.gate_ptr[m + 1]):
                    barred |= gate_cap[g, c] < np.inf
                if not barred:
                    at[count] = c
                    count += 1
                c += 1
            if count == 0:
                continue
            t.width[0] = count
            for r in range(count):
                t.live[r], t.fails[r], t.theta[r] = 1.0, 0.0, theta[m, at[r]]
                lines.per_theta[r] = 1.0 / t.theta[r]
            _load_rows(m, at, topology, available, floor, supplier_scale, shadow, tolerance, t)
            _load_buyers(m, at, topology, demand_flow, demand_elasticity, demand_stock, demand_stock_rate,
                         demand_offset, demand_cap, licence_cap, log_price, t)  # fmt: skip
            _load_lanes(m, at, topology, weight, wedge, licence_scale, t, lines)
            minimise(m, topology, v_max, t, lines, steps)
            for r in range(count):
                if t.fails[r] != 0.0:
                    continue
                _store(m, at[r], r, topology, v_max, wedge, t, shadow, gate_shadow, log_price, flow, licence_shadow,
                       delivered)  # fmt: skip
                if lines.shut[r] != 0.0:
                    _impute(m, at[r], r, topology, weight, wedge, licence_scale, t, shadow, licence_shadow)
                iterations[m, at[r]] = int(steps[r])
                done[m, at[r]] = True
