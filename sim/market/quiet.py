"""Clears quiet markets, all replications abreast: those whose solution leaves every seller at its reserve price.

Most reviews are calm: no seller sells out and no shared gate is in force, so that the shadow prices are the
reserves and only the buyers' prices are left to find, by Newton on (3) of `sim.market.equilibrium`, whose
equations and arguments this file shares, and the rents of what is closed altogether. It tries exactly that, lane by
lane with the replications innermost and contiguous, so that the compiler makes vector instructions of the loops,
the exponential included. The program is convex: where the answer meets every capacity it is the solution. Where
it does not, or a buyer leaves the inside of its demand curve, the replication is left to the Newton kernel.

Which way a replication goes, and each of its bits, depends on its own numbers alone. A lane of weight zero, a
gate or a licence of infinite capacity changes no bit either.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit
from sim.market.topology import MarketTopology

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

ROUNDS = 16  # Newton steps on a buyer's price before its market counts as busy
LONGEST_STEP = 0.5  # in log price
SMALL_STEP = 1e-8  # the error after a step is of the order of its square
PRICE_TOLERANCE = 1e-12  # of a buyer's balance: a price that meets it is left as it is
V_LOW = -5.0  # a price below this is for the Newton kernel

_LOG2_E = 1.4426950408889634
_ROUNDER = 6755399441055744.0  # 1.5 x 2**52: adding it rounds to an integer, held in the low bits
_LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts, the first with room for exact products
_LN2_LOW = 1.90821492927058770002e-10


class _Lines(NamedTuple):
    """Scratch, one number a replication."""

    x: Array
    e: Array  # exp(v / theta)
    final: Array  # the same at the price that settled
    wished: Array  # exp(-wedge / theta)
    steady: Array
    stock: Array
    plain: Array  # C_0
    inflow: Array
    uncapped: Array
    offer: Array
    power: Array
    settled: Mask
    empty: Mask  # the buyer has no open lanes
    shut: Mask  # a lane of the market is closed for want of stock or licence


@njit(error_model="numpy")
def _exponential(x: Array, out: Array, power: Array) -> None:
    """Fill ``out`` with exp(x), x held within +-700, in operations that a compiler can vectorise.

    exp(x) = 2^n exp(r) with n = round(x / ln 2), |r| <= ln(2) / 2 found in two parts of ln 2 (Cody & Waite 1980,
    *Software Manual for the Elementary Functions*, ch. 6); the Taylor polynomial of degree 13 is exact to rounding.
    ``power`` is scratch.
    """
    bits = power.view(np.int64)
    for i in range(x.size):
        y = min(max(x[i], -700.0), 700.0)
        shifted = y * _LOG2_E + _ROUNDER
        n = shifted - _ROUNDER
        r = (y - n * _LN2_HIGH) - n * _LN2_LOW
        p = 1.0 / 6227020800.0
        p = p * r + 1.0 / 479001600.0
        p = p * r + 1.0 / 39916800.0
        p = p * r + 1.0 / 3628800.0
        p = p * r + 1.0 / 362880.0
        p = p * r + 1.0 / 40320.0
        p = p * r + 1.0 / 5040.0
        p = p * r + 1.0 / 720.0
        p = p * r + 1.0 / 120.0
        p = p * r + 1.0 / 24.0
        p = p * r + 1.0 / 6.0
        p = p * r + 0.5
        p = p * r + 1.0
        p = p * r + 1.0
        power[i] = shifted
        out[i] = p
    for i in range(x.size):
        bits[i] = (bits[i] << 52) + (1023 << 52)
    for i in range(x.size):
        out[i] *= power[i]


@njit(error_model="numpy")
def _wedge_factor(wedge: Array, theta: Array, lines: _Lines) -> bool:
    """Fill ``wished`` with exp(-wedge / theta) of one lane; return whether any is not 1."""
    costly = False
    for r in range(theta.size):
        costly = costly or wedge[r] != 0.0
    if costly:
        for r in range(theta.size):
            lines.x[r] = -wedge[r] / theta[r]
        _exponential(lines.x, lines.wished, lines.power)
    return costly


@njit(error_model="numpy")
def _gather(
    b: int, topology: MarketTopology, weight: Array, wedge: Array, theta: Array, no_stock: Mask, no_licence: Mask,
    licence_cap: Array, factor: Array, flow: Array, share: Array, lines: _Lines,
) -> None:  # fmt: skip
    """Collect a buyer's lanes at the reserves: C_0, C_k (``share``), and flows but for the price."""
    reps = theta.size
    plain, e, shut = lines.plain, lines.wished, lines.shut
    plain[:] = 0.0
    for k in range(topology.licence_ptr[b], topology.licence_ptr[b + 1]):
        share[k, :] = 0.0
    for lane in range(topology.lane_ptr[b], topology.lane_ptr[b + 1]):
        s, k = topology.lane_supplier[lane], topology.lane_licence[lane]
        costly = _wedge_factor(wedge[lane], theta, lines)
        for r in range(reps):
            amount = weight[lane, r] * factor[s, r]
            amount = amount * e[r] if costly else amount
            wanted, closed = weight[lane, r] > 0.0, no_stock[s, r]
            flow[lane, r] = amount if wanted and not closed else 0.0
            shut[r] = shut[r] or (wanted and closed)
        if k < 0:
            for r in range(reps):
                plain[r] += flow[lane, r]
        else:
            for r in range(reps):
                closed = no_licence[k, r]
                shut[r] = shut[r] or (flow[lane, r] > 0.0 and closed)
                flow[lane, r] = 0.0 if closed else flow[lane, r]
                licensed = licence_cap[k, r] < np.inf
                plain[r] += 0.0 if licensed else flow[lane, r]
                share[k, r] += flow[lane, r] if licensed else 0.0
    for r in range(reps):
        lines.x[r] = plain[r]
    for k in range(topology.licence_ptr[b], topology.licence_ptr[b + 1]):
        for r in range(reps):
            lines.x[r] += share[k, r]
    for r in range(reps):
        lines.empty[r] = not lines.x[r] > 0.0


@njit(error_model="numpy")
def _inflow(b: int, topology: MarketTopology, licence_cap: Array, share: Array, lines: _Lines) -> None:
    """Fill F(v) and its part outside binding licences."""
    inflow, uncapped, e = lines.inflow, lines.uncapped, lines.e
    for r in range(e.size):
        uncapped[r] = lines.plain[r] * e[r]
        inflow[r] = uncapped[r]
    for k in range(topology.licence_ptr[b], topology.licence_ptr[b + 1]):
        for r in range(e.size):
            asked = share[k, r] * e[r]
            over = asked > licence_cap[k, r]
            inflow[r] += licence_cap[k, r] if over else asked
            uncapped[r] += 0.0 if over else asked


@njit(error_model="numpy")
def _move(
    theta: Array, flow: Array, elasticity: Array, stock: Array, stock_rate: Array, offset: Array, cap: Array, v: Array,
    lines: _Lines, quiet: Mask,
) -> None:  # fmt: skip
    """Take one Newton step on ln F - ln D where the price is not settled yet; a short one settles it."""
    inflow, uncapped, settled = lines.inflow, lines.uncapped, lines.settled
    for r in range(v.size):
        steady, stocking = flow[r] * lines.steady[r], stock[r] * lines.stock[r]
        total = steady + stocking + offset[r]
        full = total >= cap[r]
        wanted = cap[r] if full else total
        slope = 0.0 if full else -elasticity[r] * steady - stock_rate[r] * stocking
        inside = wanted > 0.0 and inflow[r] > 0.0
        wanted = wanted if inside else 1.0
        supplied = inflow[r] if inside else 1.0
        # ln F - ln D = 2 artanh z, by its series: near the solution, where it matters, exact to rounding.
        z = (supplied - wanted) / (supplied + wanted)
        z2 = z * z
        gap = 2.0 * z * (1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 * (1.0 / 7.0 + z2 / 9.0))))
        growth = uncapped[r] / (supplied * theta[r]) - slope / wanted
        good = inside and growth > 1e-9
        move = -gap / growth if good and abs(gap) > PRICE_TOLERANCE else 0.0
        move = 0.0 if settled[r] else min(max(move, -LONGEST_STEP), LONGEST_STEP)
        quiet[r] = quiet[r] and (good or settled[r])
        v[r] += move
        # After a short step exp(v / theta) follows from that before it, exact to rounding by its third term.
        part = move / theta[r]
        lines.final[r] = lines.final[r] if settled[r] else lines.e[r] * (1.0 + part * (1.0 + 0.5 * part))
        settled[r] = settled[r] or abs(move) < SMALL_STEP


@njit(error_model="numpy")
def _price(
    b: int, topology: MarketTopology, theta: Array, flow: Array, elasticity: Array, stock: Array, stock_rate: Array,
    offset: Array, cap: Array, licence_cap: Array, share: Array, v_max: float, v: Array, lines: _Lines, quiet: Mask,
) -> None:  # fmt: skip
    """Find the price of a buyer; a replication stops at its own last step. Leave exp(v / theta) in ``e``."""
    reps = theta.size
    x, settled = lines.x, lines.settled
    for r in range(reps):
        idle = flow[b, r] + stock[b, r] <= 0.0 and offset[b, r] <= 0.0
        quiet[r] = quiet[r] and (not lines.empty[r] or idle)
        settled[r] = lines.empty[r]
        warm = min(max(v[r], V_LOW), v_max) if np.isfinite(v[r]) else 0.0
        v[r] = 0.0 if lines.empty[r] else warm
    lines.final[:] = 1.0
    for _ in range(ROUNDS):
        waiting = False
        for r in range(reps):
            waiting = waiting or not settled[r]
        if not waiting:
            break
        for r in range(reps):
            x[r] = v[r] / theta[r]
        _exponential(x, lines.e, lines.power)
        for r in range(reps):
            x[r] = -elasticity[b, r] * v[r]
        _exponential(x, lines.steady, lines.power)
        for r in range(reps):
            x[r] = -stock_rate[b, r] * v[r]
        _exponential(x, lines.stock, lines.power)
        _inflow(b, topology, licence_cap, share, lines)
        _move(theta, flow[b], elasticity[b], stock[b], stock_rate[b], offset[b], cap[b], v, lines, quiet)
    for r in range(reps):
        quiet[r] = quiet[r] and settled[r] and v[r] < v_max and v[r] > V_LOW
        lines.e[r] = lines.final[r]


@njit(error_model="numpy")
def _ship(
    b: int, topology: MarketTopology, wedge: Array, theta: Array, floor: Array, licence_cap: Array, share: Array,
    v: Array, v_max: float, rounding: float, lines: _Lines, flow: Array, shipped: Array, licence_shadow: Array,
    delivered: Array,
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
        if k < 0:
            for r in range(reps):
                cost = floor[s, r] + wedge[lane, r]
                offer[r] = min(offer[r], cost if flow[lane, r] > 0.0 else np.inf)
                flow[lane, r] *= e[r]
        else:
            for r in range(reps):
                cost = floor[s, r] + wedge[lane, r] + licence_shadow[k, r]
                offer[r] = min(offer[r], cost if flow[lane, r] > 0.0 else np.inf)
                flow[lane, r] *= e[r] * share[k, r]
        for r in range(reps):
            shipped[s, r] += flow[lane, r]
    for r in range(reps):
        lowest = offer[r] - theta[r] * np.log(2.0)
        delivered[b, r] = 0.0 if lines.empty[r] else min(v_max, max(v[r], lowest))


@njit(error_model="numpy")
def _impute(
    m: int, topology: MarketTopology, weight: Array, wedge: Array, floor: Array, no_stock: Mask, no_licence: Mask,
    price: Array, stock_rent: Array, licence_rent: Array, licence_shadow: Array,
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
            for r in range(price.shape[1]):
                licence = no_licence[k, r] if k >= 0 else False
                closed = (1 if licence else 0) + (1 if no_stock[s, r] else 0)
                if weight[lane, r] > 0.0 and closed > 0:
                    other = licence_shadow[k, r] if k >= 0 else 0.0
                    rent = max((price[b, r] - floor[s, r] - wedge[lane, r] - other) / closed, 0.0)
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
def clear_quiet_markets(
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
    reps = theta.shape[1]
    lines = _Lines(
        np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps),
        np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps, np.bool_),
        np.empty(reps, np.bool_), np.empty(reps, np.bool_),
    )  # fmt: skip
    no_stock, no_licence = available <= closed * supplier_scale, licence_cap <= closed * licence_scale
    factor, shipped, rent = np.empty_like(floor), np.zeros_like(floor), np.zeros_like(floor)
    price, share = log_price.copy(), np.empty_like(licence_cap)
    for m in range(theta.shape[0]):
        quiet = done[m]
        quiet[:] = True
        lines.shut[:] = False
        for g in range(topology.gate_ptr[m], topology.gate_ptr[m + 1]):
            for r in range(reps):
                quiet[r] = quiet[r] and not gate_cap[g, r] < np.inf
        for s in range(topology.supplier_ptr[m], topology.supplier_ptr[m + 1]):
            for r in range(reps):
                lines.x[r] = -floor[s, r] / theta[m, r]
            _exponential(lines.x, factor[s], lines.power)
        for b in range(topology.buyer_ptr[m], topology.buyer_ptr[m + 1]):
            _gather(b, topology, weight, wedge, theta[m], no_stock, no_licence, licence_cap, factor, flow, share,
                    lines)  # fmt: skip
            _price(b, topology, theta[m], demand_flow, demand_elasticity, demand_stock, demand_stock_rate,
                   demand_offset, demand_cap, licence_cap, share, v_max, price[b], lines, quiet)  # fmt: skip
            _ship(b, topology, wedge, theta[m], floor, licence_cap, share, price[b], v_max, rounding, lines, flow,
                  shipped, licence_shadow, delivered)  # fmt: skip
        for s in range(topology.supplier_ptr[m], topology.supplier_ptr[m + 1]):
            for r in range(reps):
                quiet[r] = quiet[r] and shipped[s, r] <= available[s, r] * (1.0 - rounding)
        if (lines.shut & quiet).any():
            _impute(m, topology, weight, wedge, floor, no_stock, no_licence, price, rent, share, licence_shadow)
        _write(m, topology, quiet, floor, rent, price, shadow, gate_shadow, log_price, iterations)
