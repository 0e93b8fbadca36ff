"""Finds the price of one buyer at given shadow prices, all replications abreast: F(v) = D(v).

F is its inflow, (3) of `sim.market.equilibrium`, and D its demand. Halley's method on the logs of both, whose loops
have the replications innermost and contiguous, so that the compiler makes vector instructions of them, the
exponential included. Each replication stops at its own last step: each of its bits depends on its own numbers alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit

Array = NDArray[np.float64]

ROUNDS = 16  # steps on a buyer's price before its market counts as busy
LONGEST_STEP = 0.5  # in log price
SMALL_STEP = 1e-5  # the error after a step is of the order of its cube
PRICE_TOLERANCE = 1e-12  # of a buyer's balance: a price that meets it is left as it is
V_LOW = -5.0  # a price below this is for the Newton kernel
V_NOTHING = -50.0  # the price that stands for a buyer who takes nothing at any


class Lines(NamedTuple):
    """Scratch, one number a replication; what holds or not is 1 or 0, which vector instructions can choose by."""

    e: Array  # exp(v / theta)
    final: Array  # the same at the price that settled
    steady: Array
    stock: Array
    plain: Array  # C_0
    response: Array  # -D'(v)
    capped: Array  # F in binding licences
    uncapped: Array
    offer: Array
    per_theta: Array
    settled: Array
    empty: Array  # the buyer has no open lanes
    shut: Array  # a lane of the market is closed for want of stock or licence
    quiet: Array


@njit(error_model="numpy")
def make_lines(reps: int) -> Lines:
    """Return scratch for so many replications."""
    return Lines(
        np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps),
        np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps),
    )  # fmt: skip


@njit(error_model="numpy")
def not_zero(row: Array) -> bool:
    """Return whether any is not zero."""
    count = 0
    for r in range(row.size):
        count += row[r] != 0.0
    return count > 0


@njit(error_model="numpy")
def note_empty(plain: Array, share: Array, total: Array, empty: Array) -> None:
    """Fill ``empty`` with whether a buyer has no open lanes; ``total`` is scratch."""
    for r in range(plain.size):
        total[r] = plain[r]
    for k in range(share.shape[0]):
        for r in range(plain.size):
            total[r] += share[k, r]
    for r in range(plain.size):
        empty[r] = 0.0 if total[r] > 0.0 else 1.0


@njit(error_model="numpy")
def _curves(
    elastic: bool, flow: Array, elasticity: Array, stock: Array, stock_rate: Array, v: Array, licence_cap: Array,
    share: Array, lines: Lines,
) -> None:  # fmt: skip
    """Fill exp(v / theta), the two falling parts of demand, and F(v) outside binding licences and in them."""
    e, steady, falling, uncapped, capped = lines.e, lines.steady, lines.stock, lines.uncapped, lines.capped
    for r in range(v.size):
        e[r] = exponential(v[r] * lines.per_theta[r])
        uncapped[r] = lines.plain[r] * e[r]
    for r in range(v.size):
        falling[r] = stock[r] * exponential(-stock_rate[r] * v[r])
        steady[r] = flow[r]
        capped[r] = 0.0
    if elastic:
        for r in range(v.size):
            steady[r] = flow[r] * exponential(-elasticity[r] * v[r])
    for k in range(share.shape[0]):
        for r in range(v.size):
            asked = share[k, r] * e[r]
            over = asked > licence_cap[k, r]
            capped[r] += licence_cap[k, r] if over else 0.0
            uncapped[r] += 0.0 if over else asked


@njit(error_model="numpy")
def _move(
    elasticity: Array, stock_rate: Array, offset: Array, cap: Array, v_max: float, v: Array, lines: Lines
) -> None:
    """Take one step of Halley on ln P - ln Q where the price is not settled yet; a short one settles it.

    F = D is written P = Q with P = F + max(-offset, 0) and Q = D + max(-offset, 0): both are positive wherever the
    step leads, and their logs nearly straight. At its cap D is that alone. No price rises above ``v_max``.
    """
    uncapped, capped, per_theta, e, final = lines.uncapped, lines.capped, lines.per_theta, lines.e, lines.final
    steady, falling, settled, quiet = lines.steady, lines.stock, lines.settled, lines.quiet
    response = lines.response
    for r in range(v.size):
        known, most, supplied = settled[r] != 0.0, cap[r], uncapped[r] + capped[r]
        wanted = steady[r] + falling[r]
        full = wanted + offset[r] >= most
        owed = 0.0 if full else max(-offset[r], 0.0)
        wanted = most if full else wanted + max(offset[r], 0.0)
        least = PRICE_TOLERANCE * supplied
        supplied += owed
        inside = (wanted > 0.0) & (supplied > 0.0)
        wanted = wanted if inside else 1.0
        supplied = supplied if inside else 1.0
        both = supplied * wanted
        scale = 1.0 / (both * (supplied + wanted))
        # ln P - ln Q = 2 artanh z, by its series: near the solution, where it matters, exact to rounding.
        over = supplied - wanted
        z = over * (both * scale)
        z2 = z * z
        gap = 2.0 * z * (1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 * (1.0 / 7.0 + z2 * (1.0 / 9.0)))))
        scale *= supplied + wanted
        first, second = elasticity[r] * steady[r], stock_rate[r] * falling[r]
        falls = 0.0 if full else supplied * scale
        slope = (first + second) * falls
        bend = (elasticity[r] * first + stock_rate[r] * second) * falls
        rises = uncapped[r] * (wanted * scale) * per_theta[r]
        growth = rises + slope
        turn = rises * (per_theta[r] - rises) - (bend - slope * slope)
        good = inside & (growth > 1e-9)
        # Halley's step where it is near Newton's, else Newton's.
        square = growth * growth
        below = 2.0 * square - gap * turn
        near = below > square
        numerator = 2.0 * growth if near else 1.0
        below = below if near else growth
        below = below if good else 1.0
        move = -gap * numerator / below
        topped = (v[r] >= v_max) & (over <= 0.0)
        move = move if good & (abs(over) > least) & (not (known | topped)) else 0.0
        move = min(max(move, -LONGEST_STEP), LONGEST_STEP)
        small = abs(move) < SMALL_STEP
        move = min(move, v_max - v[r])
        quiet[r] = quiet[r] if good | known | topped else 0.0
        v[r] += move
        # After a short step exp(v / theta) follows from that before it, exact to rounding by its fifth term.
        part = move * per_theta[r]
        after = e[r] * (1.0 + part * (1.0 + part * (0.5 + part * (1.0 / 6.0 + part * (1.0 / 24.0)))))
        last, before = final[r], response[r]
        final[r] = last if known else after
        response[r] = before if known else (0.0 if full else first + second)
        settled[r] = 1.0 if known | small else 0.0


@njit(error_model="numpy")
def find_price(
    flow: Array, elasticity: Array, stock: Array, stock_rate: Array, offset: Array, cap: Array, licence_cap: Array,
    share: Array, v_max: float, v: Array, lines: Lines,
) -> None:  # fmt: skip
    """Find the price of a buyer, in place; a replication stops at its own last step.

    Arguments are (replication,), of licences (licence, replication). Of ``lines`` it reads ``per_theta``, ``plain`` and
    ``empty``, leaves exp(v / theta) in ``e`` and -D'(v) in ``response``, and lowers ``quiet`` where it fails.
    """
    reps = v.size
    settled, empty, quiet = lines.settled, lines.empty, lines.quiet
    stranded = 0
    for r in range(reps):
        idle = ((flow[r] + stock[r] <= 0.0) & (offset[r] <= 0.0)) | (cap[r] <= 0.0)
        bare, last = empty[r] != 0.0, v[r]
        stranded += bare & (not idle)
        last = min(max(last, V_LOW), v_max) if abs(last) < np.inf else 0.0
        last = V_NOTHING if idle else last
        v[r] = 0.0 if bare else last
        lines.final[r] = 0.0 if idle else 1.0
        lines.response[r] = 0.0
        settled[r] = 1.0 if bare | idle else 0.0
    if stranded > 0:
        # Without lanes a buyer who still wants some at v_max stands there; others need their reservation price.
        for r in range(reps):
            wanted = flow[r] * exponential(-elasticity[r] * v_max) + stock[r] * exponential(-stock_rate[r] * v_max)
            left = (empty[r] != 0.0) & (lines.final[r] != 0.0)
            pays = wanted + offset[r] > 0.0
            v[r] = v_max if left & pays else v[r]
            quiet[r] = 0.0 if left & (not pays) else quiet[r]
    elastic = not_zero(elasticity)
    for _ in range(ROUNDS):
        waiting = 0
        for r in range(reps):
            waiting += settled[r] == 0.0
        if waiting == 0:
            break
        _curves(elastic, flow, elasticity, stock, stock_rate, v, licence_cap, share, lines)
        _move(elasticity, stock_rate, offset, cap, v_max, v, lines)
    for r in range(reps):
        calm = quiet[r]
        quiet[r] = calm if (settled[r] != 0.0) & ((v[r] > V_LOW) | (lines.final[r] == 0.0)) else 0.0
        lines.e[r] = lines.final[r]
