"""Clears quiet markets, all replications abreast: those whose solution leaves every seller at its reserve price.

Most reviews are calm: no seller sells out and no shared gate is in force, so that the shadow prices are the
reserves and only the buyers' prices are left to find, by Halley's method on (3) of `sim.market.equilibrium`, whose
equations and arguments this file shares, and the rents of what is closed altogether. It tries exactly that, lane by
lane with the replications innermost and contiguous, so that the compiler makes vector instructions of the loops,
the exponential included. The program is convex: where the answer meets every capacity it is the solution. Where
it does not, or a buyer leaves the inside of its demand curve, the replication is left to the Newton kernel.

Which way a replication goes, and each of its bits, depends on its own numbers alone. A lane of weight zero, a
gate or a licence of infinite capacity changes no bit either.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit
from sim.market.buyers import Lines, find_price, make_lines, not_zero, note_empty
from sim.market.topology import MarketTopology

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

RENT = 0.1  # of a seller in the last review, over its reserve in this one: it sold out and may again


@njit(error_model="numpy")
def _any(row: Mask) -> bool:
    """Return whether any is true."""
    count = 0
    for r in range(row.size):
        count += row[r]
    return count > 0


@njit(error_model="numpy")
def _gather(
    b: int, topology: MarketTopology, weight: Array, wedge: Array, costly: Mask, no_stock: Mask, out_of_stock: Mask,
    no_licence: Mask, licence_cap: Array, factor: Array, flow: Array, share: Array, lines: Lines,
) -> None:  # fmt: skip
    """Collect a buyer's lanes at the reserves: C_0, C_k (``share``), and flows but for the price."""
    plain, shut = lines.plain, lines.shut
    reps = plain.size
    plain[:] = 0.0
    for k in range(topology.licence_ptr[b], topology.licence_ptr[b + 1]):
        share[k, :] = 0.0
    for lane in range(topology.lane_ptr[b], topology.lane_ptr[b + 1]):
        s, k = topology.lane_supplier[lane], topology.lane_licence[lane]
        for r in range(reps):
            flow[lane, r] = weight[lane, r] * factor[s, r]
        costly[lane] = not_zero(wedge[lane]) if wedge.shape[0] > 0 else False
        if costly[lane]:
            for r in range(reps):
                flow[lane, r] *= exponential(-wedge[lane, r] * lines.per_theta[r])
        if out_of_stock[s]:
            for r in range(reps):
                shut[r] = 1.0 if (weight[lane, r] > 0.0) & no_stock[s, r] else shut[r]
        if k < 0:
            for r in range(reps):
                plain[r] += flow[lane, r]
        else:
            _gather_licensed(no_licence[k], licence_cap[k], flow[lane], share[k], plain, shut)
    note_empty(plain, share[topology.licence_ptr[b] : topology.licence_ptr[b + 1]], lines.capped, lines.empty)


@njit(error_model="numpy")
def _gather_licensed(no_licence: Mask, cap: Array, flow: Array, share: Array, plain: Array, shut: Array) -> None:
    """Add a lane's flow to that under its licence where one is in force; note where that is closed."""
    for r in range(flow.size):
        closed = no_licence[r]
        shut[r] = 1.0 if (flow[r] > 0.0) & closed else shut[r]
        flow[r] = 0.0 if closed else flow[r]
        licensed = cap[r] < np.inf
        plain[r] += 0.0 if licensed else flow[r]
        share[r] += flow[r] if licensed else 0.0


@njit(error_model="numpy")
def _ship(
    b: int, topology: MarketTopology, wedge: Array, costly: Mask, theta: Array, floor: Array, licence_cap: Array,
    share: Array, v: Array, v_max: float, rounding: float, lines: Lines, flow: Array, shipped: Array,
    licence_shadow: Array, delivered: Array,
) -> None:  # fmt: skip
    """Finish a buyer's flows and its delivered price; a licence's rent is theta ln(F_k / A_k)."""
    reps = theta.size
    e, offer = lines.e, lines.offer
    for k in range(topology.licence_ptr[b], topology.licence_ptr[b + 1]):
        for r in range(reps):
            asked = share[k, r] * e[r]
            over = asked > licence_cap[k, r]
            licence_shadow[k, r] = theta[r] * np.log(asked / licence_cap[k, r]) if over else 0.0
            share[k, r] = (1.0 - rounding) * licence_cap[k, r] / asked if over else 1.0
    offer[:] = np.inf
    for lane in range(topology.lane_ptr[b], topology.lane_ptr[b + 1]):
        s, k = topology.lane_supplier[lane], topology.lane_licence[lane]
        if k < 0 and not costly[lane]:
            for r in range(reps):
                amount, cost = flow[lane, r], floor[s, r]
                offer[r] = min(offer[r], cost if amount > 0.0 else np.inf)
                flow[lane, r] = amount * e[r]
        else:
            for r in range(reps):
                cost = floor[s, r] + (wedge[lane, r] if costly[lane] else 0.0)
                cost += licence_shadow[k, r] if k >= 0 else 0.0
                offer[r] = min(offer[r], cost if flow[lane, r] > 0.0 else np.inf)
                flow[lane, r] *= e[r] * (share[k, r] if k >= 0 else 1.0)
        for r in range(reps):
            shipped[s, r] += flow[lane, r]
    for r in range(reps):
        lowest = offer[r] - theta[r] * np.log(2.0)
        price = min(v_max, max(v[r], lowest))
        delivered[b, r] = price if lines.empty[r] == 0.0 else v[r]


@njit(error_model="numpy")
def _impute(
    m: int, topology: MarketTopology, weight: Array, wedge: Array, floor: Array, no_stock: Mask, out_of_stock: Mask,
    no_licence: Mask, price: Array, stock_rent: Array, licence_rent: Array, licence_shadow: Array,
) -> None:  # fmt: skip
    """Find the rents of closed stocks and licences: the largest v_b - reserve - z - other rent of their lanes.

    Two on one lane share its rent equally. The licences' are added to their shadow prices.
    """
    first, last = topology.buyer_ptr[m], topology.buyer_ptr[m + 1]
    for k in range(topology.licence_ptr[first], topology.licence_ptr[last]):
        licence_rent[k, :] = 0.0
    for b in range(first, last):
        for lane in range(topology.lane_ptr[b], topology.lane_ptr[b + 1]):
            s, k = topology.lane_supplier[lane], topology.lane_licence[lane]
            if k < 0 and not out_of_stock[s]:
                continue
            for r in range(price.shape[1]):
                licence = no_licence[k, r] if k >= 0 else False
                closed = (1 if licence else 0) + (1 if no_stock[s, r] else 0)
                if weight[lane, r] > 0.0 and closed > 0:
                    other = licence_shadow[k, r] if k >= 0 else 0.0
                    other += wedge[lane, r] if wedge.shape[0] > 0 else 0.0
                    rent = max((price[b, r] - floor[s, r] - other) / closed, 0.0)
                    if no_stock[s, r]:
                        stock_rent[s, r] = max(stock_rent[s, r], rent)
                    if licence:
                        licence_rent[k, r] = max(licence_rent[k, r], rent)
    for k in range(topology.licence_ptr[first], topology.licence_ptr[last]):
        for r in range(price.shape[1]):
            licence_shadow[k, r] += licence_rent[k, r]


@njit(error_model="numpy")
def _write(
    m: int, topology: MarketTopology, quiet: Mask, floor: Array, rent: Array, price: Array, shadow: Array,
    gate_shadow: Array, log_price: Array, iterations: Index,
) -> None:  # fmt: skip
    """Keep what was found where the market is quiet."""
    for s in range(topology.supplier_ptr[m], topology.supplier_ptr[m + 1]):
        for r in range(quiet.size):
            shadow[s, r] = floor[s, r] + rent[s, r] if quiet[r] else shadow[s, r]
    for g in range(topology.gate_ptr[m], topology.gate_ptr[m + 1]):
        for r in range(quiet.size):
            gate_shadow[g, r] = 0.0 if quiet[r] else gate_shadow[g, r]
    for b in range(topology.buyer_ptr[m], topology.buyer_ptr[m + 1]):
        for r in range(quiet.size):
            log_price[b, r] = price[b, r] if quiet[r] else log_price[b, r]
    for r in range(quiet.size):
        iterations[m, r] = 0 if quiet[r] else iterations[m, r]


@njit(cache=True, error_model="numpy")
def clear_quiet_markets(  # noqa: C901
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
    closed: float,
    rounding: float,
    shadow: Array,
    gate_shadow: Array,
    log_price: Array,
    flow: Array,
    licence_shadow: Array,
    delivered: Array,
    iterations: Index,
    done: Mask,
) -> None:
    """Clear the quiet markets of one review; ``done`` (market, replication) says which those were.

    Arguments are those of `sim.market.clearing.clear_markets`, with the share of its baseline at which a capacity
    counts as closed and the room left for rounding. In markets that are not done, the state of the last review
    (shadow and log prices) is untouched, and what is only written (flows, licences, delivered) means nothing.
    """
    reps, lanes = theta.shape[1], topology.lane_supplier.size
    lines = make_lines(reps)
    no_stock, no_licence = available <= closed * supplier_scale, licence_cap <= closed * licence_scale
    factor, shipped, rent = np.empty_like(floor), np.zeros_like(floor), np.zeros_like(floor)
    price, share = log_price.copy(), np.empty_like(licence_cap)
    costly, out_of_stock = np.empty(lanes, np.bool_), np.empty(floor.shape[0], np.bool_)
    for m in range(theta.shape[0]):
        quiet = lines.quiet
        quiet[:] = 1.0
        lines.shut[:] = 0.0
        for r in range(reps):
            lines.per_theta[r] = 1.0 / theta[m, r]
        for g in range(topology.gate_ptr[m], topology.gate_ptr[m + 1]):
            for r in range(reps):
                quiet[r] = 0.0 if gate_cap[g, r] < np.inf else quiet[r]
        for s in range(topology.supplier_ptr[m], topology.supplier_ptr[m + 1]):
            for r in range(reps):
                sold_out = (shadow[s, r] > floor[s, r] + RENT) & (not no_stock[s, r])
                quiet[r] = 0.0 if sold_out else quiet[r]
        done[m, :] = False
        if not not_zero(quiet):
            continue
        for s in range(topology.supplier_ptr[m], topology.supplier_ptr[m + 1]):
            out_of_stock[s] = _any(no_stock[s])
            for r in range(reps):
                sold = exponential(-floor[s, r] * lines.per_theta[r])
                factor[s, r] = 0.0 if no_stock[s, r] else sold
        for b in range(topology.buyer_ptr[m], topology.buyer_ptr[m + 1]):
            _gather(b, topology, weight, wedge, costly, no_stock, out_of_stock, no_licence, licence_cap, factor, flow,
                    share, lines)  # fmt: skip
            first, last = topology.licence_ptr[b], topology.licence_ptr[b + 1]
            find_price(demand_flow[b], demand_elasticity[b], demand_stock[b], demand_stock_rate[b], demand_offset[b],
                       demand_cap[b], licence_cap[first:last], share[first:last], v_max, price[b], lines)  # fmt: skip
            _ship(b, topology, wedge, costly, theta[m], floor, licence_cap, share, price[b], v_max, rounding, lines,
                  flow, shipped, licence_shadow, delivered)  # fmt: skip
        for s in range(topology.supplier_ptr[m], topology.supplier_ptr[m + 1]):
            for r in range(reps):
                calm = quiet[r]
                quiet[r] = calm if shipped[s, r] <= available[s, r] * (1.0 - rounding) else 0.0
        for r in range(reps):
            done[m, r] = quiet[r] != 0.0
            lines.shut[r] *= quiet[r]
        if not_zero(lines.shut):
            _impute(m, topology, weight, wedge, floor, no_stock, out_of_stock, no_licence, price, rent, share,
                    licence_shadow)  # fmt: skip
        _write(m, topology, done[m], floor, rent, price, shadow, gate_shadow, log_price, iterations)
