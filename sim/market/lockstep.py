"""Clears busy markets by Newton's method, a tile of replications abreast.

Equations and arguments are those of `sim.market.equilibrium`; the steps are its own too, bounded as there:

    H d = S ln(S / A),   H = diag(S) / theta - sum_b c c^T / (theta (F_u - theta D'))                    (1)

with ``c`` what a buyer takes from each seller outside binding licences, and for each binding licence one more such
term, ``c c^T / (theta A_k)``. Whatever a step drives through its floor is put there and the rest solved again.

Replications of a tile take each step together, so that the compiler makes vector instructions of the loops over them;
one that has arrived is held still, and what it finds does not depend on its neighbours in any bit. Sellers at their
floor throughout a tile are left out of the linear system; elsewhere they are rows of the identity, which change no
bit. What is rare is left to `sim.market.equilibrium`, untouched: shared gates in force, a step that overshoots, a buyer
without lanes who would pay less than ``v_max``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit
from sim.market.buyers import Lines, find_price, note_empty
from sim.market.scratch import Tile
from sim.market.topology import MarketTopology

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

STEPS = 12  # more are for the scalar kernel
SLACK, SLOPE_ACCEPTED, TILT, CLOSED = 0.8, 0.5, 1e-10, 1e-6  # as in `sim.market.equilibrium`
LONGEST_STEP, ROUNDING = 4.0, 1e-14


@njit(error_model="numpy")
def _evaluate(m: int, topology: MarketTopology, v_max: float, t: Tile, lines: Lines) -> None:  # noqa: C901
    """Solve every buyer at ``lam`` and fill shipments; who is not live keeps its prices to the bit."""
    width = t.width[0]
    first_s, first_b = topology.supplier_ptr[m], topology.buyer_ptr[m]
    first_lane, first_k = topology.lane_ptr[first_b], topology.licence_ptr[first_b]
    for j in range(topology.supplier_ptr[m + 1] - first_s):
        for r in range(width):
            t.factor[j, r] = exponential(-t.lam[j, r] * lines.per_theta[r])
            t.shipped[j, r] = 0.0
    for b in range(topology.buyer_ptr[m + 1] - first_b):
        start, stop = topology.lane_ptr[first_b + b] - first_lane, topology.lane_ptr[first_b + b + 1] - first_lane
        k0, k1 = topology.licence_ptr[first_b + b] - first_k, topology.licence_ptr[first_b + b + 1] - first_k
        plain, share, cap = lines.plain, t.share[k0:k1], t.licence_cap[k0:k1]
        plain[:] = 0.0
        share[:] = 0.0
        for i in range(start, stop):
            j, k = topology.lane_supplier[first_lane + i] - first_s, topology.lane_licence[first_lane + i] - first_k
            for r in range(width):
                t.flow[i, r] = t.weight[i, r] * t.factor[j, r]
            if k >= 0:
                for r in range(width):
                    given, licensed = t.flow[i, r], t.licence_cap[k, r] < np.inf
                    plain[r] += 0.0 if licensed else given
                    t.share[k, r] += given if licensed else 0.0
            else:
                for r in range(width):
                    plain[r] += t.flow[i, r]
        note_empty(plain[:width], share, lines.capped, lines.empty)
        for r in range(width):
            lines.quiet[r] = 1.0
            t.length[r] = t.price[b, r]
        find_price(
            t.demand[0, b], t.demand[1, b], t.demand[2, b], t.demand[3, b], t.demand[4, b], t.demand[5, b], cap, share,
            v_max, t.length[:width], lines,
        )  # fmt: skip
        for r in range(width):
            live, price, scale, response = t.live[r] != 0.0, t.price[b, r], t.scale[b, r], t.response[b, r]
            t.price[b, r] = t.length[r] if live else price
            t.scale[b, r] = lines.e[r] if live else scale
            t.response[b, r] = lines.response[r] if live else response
            t.empty[b, r] = lines.empty[r]
            t.fails[r] = 1.0 if live & (lines.quiet[r] == 0.0) else t.fails[r]
        for k in range(k0, k1):
            for r in range(width):
                asked = t.share[k, r] * t.scale[b, r]
                t.cut[k, r] = t.licence_cap[k, r] / asked if asked > t.licence_cap[k, r] else 1.0
        for i in range(start, stop):
            j, k = topology.lane_supplier[first_lane + i] - first_s, topology.lane_licence[first_lane + i] - first_k
            for r in range(width):
                t.flow[i, r] *= t.scale[b, r]
            if k >= 0:
                for r in range(width):
                    t.flow[i, r] *= t.cut[k, r]
            for r in range(width):
                t.shipped[j, r] += t.flow[i, r]


@njit(error_model="numpy")
def _arrived(n: int, t: Tile, solved: Array) -> bool:
    """Fill whether every row ships its capacity, or no more than that at its floor; return whether all are done."""
    width = t.width[0]
    solved[:] = 1.0
    for j in range(n):
        for r in range(width):
            spare = t.capacity[j, r] - t.shipped[j, r]
            wrong = (-spare > t.tolerance[j, r]) | ((t.lam[j, r] > t.floor[j, r]) & (spare > t.tolerance[j, r]))
            solved[r] = 0.0 if wrong & (t.free[j, r] != 0.0) else solved[r]
    left = 0
    for r in range(width):
        t.live[r] = t.live[r] if (solved[r] == 0.0) & (t.fails[r] == 0.0) else 0.0
        left += t.live[r] != 0.0
    return left == 0


@njit(error_model="numpy")
def _choose_rows(n: int, t: Tile) -> int:
    """Enter the rows that may move in any replication; return their number."""
    width = t.width[0]
    size = 0
    for j in range(n):
        some = 0
        for r in range(width):
            out = (t.lam[j, r] > t.floor[j, r]) | (t.capacity[j, r] < t.shipped[j, r])
            goes = out & (t.free[j, r] != 0.0) & (t.live[r] != 0.0)
            t.moves[j, r] = 1.0 if goes else 0.0
            t.step[j, r] = 0.0
            some += goes
        if some > 0:
            t.rows[size] = j
            size += 1
    return size


@njit(error_model="numpy")
def _subtract_outer(size: int, coefficient: Array, t: Tile) -> None:
    """Take coefficient c c^T off the lower triangle."""
    width = t.width[0]
    for i in range(size):
        p = t.rows[i]
        for j in range(i + 1):
            q = t.rows[j]
            for r in range(width):
                t.hessian[i, j, r] -= coefficient[r] * t.column[p, r] * t.column[q, r]


@njit(error_model="numpy")
def _fill_hessian(  # noqa: C901
    size: int, m: int, topology: MarketTopology, v_max: float, t: Tile, lines: Lines
) -> None:
    """Fill the lower triangle of (1)."""
    width = t.width[0]
    first_s, first_b = topology.supplier_ptr[m], topology.buyer_ptr[m]
    first_lane, first_k = topology.lane_ptr[first_b], topology.licence_ptr[first_b]
    for i in range(size):
        for j in range(i):
            t.hessian[i, j, :] = 0.0
        for r in range(width):
            t.hessian[i, i, r] = t.shipped[t.rows[i], r] * lines.per_theta[r]
    for b in range(topology.buyer_ptr[m + 1] - first_b):
        start, stop = topology.lane_ptr[first_b + b] - first_lane, topology.lane_ptr[first_b + b + 1] - first_lane
        k0, k1 = topology.licence_ptr[first_b + b] - first_k, topology.licence_ptr[first_b + b + 1] - first_k
        for which in range(k0 - 1, k1):  # lanes outside binding licences, then those in each
            coefficient, total = lines.uncapped, lines.capped
            total[:] = 0.0
            for i in range(size):
                t.column[t.rows[i], :] = 0.0
            for i in range(start, stop):
                j, k = topology.lane_supplier[first_lane + i] - first_s, topology.lane_licence[first_lane + i]
                k = k - first_k if k >= 0 else -1
                if which >= k0 and k != which:
                    continue
                binds = which >= k0
                if k < 0:
                    for r in range(width):
                        t.column[j, r] += t.flow[i, r] * t.moves[j, r]
                        total[r] += t.flow[i, r]
                else:
                    for r in range(width):
                        part = t.flow[i, r] if (t.cut[k, r] < 1.0) == binds else 0.0
                        t.column[j, r] += part * t.moves[j, r]
                        total[r] += part
            if which < k0:
                for r in range(width):
                    inside = (t.price[b, r] < v_max) & (total[r] > 0.0)
                    below = t.theta[r] * (total[r] + t.theta[r] * t.response[b, r])
                    coefficient[r] = 1.0 / (below if inside else np.inf)
            else:
                for r in range(width):
                    below = t.theta[r] * t.licence_cap[which, r]
                    coefficient[r] = 1.0 / (below if t.cut[which, r] < 1.0 else np.inf)
            _subtract_outer(size, coefficient, t)


@njit(error_model="numpy")
def _fill_right(size: int, t: Tile, lines: Lines) -> None:
    """Fill S ln(S / A), the log by its series, and the tilt towards the floors."""
    width = t.width[0]
    for i in range(size):
        j = t.rows[i]
        for r in range(width):
            moves, shipped = t.moves[j, r] != 0.0, t.shipped[j, r]
            capacity = t.capacity[j, r] if moves else 1.0
            z = (shipped - capacity) / (shipped + capacity)
            z2 = z * z
            log = 2.0 * z * (1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 * (1.0 / 7.0 + z2 * (1.0 / 9.0)))))
            tilt = TILT * max(shipped, CLOSED * capacity) * lines.per_theta[r]
            right = shipped * log if shipped > 0.0 else -capacity
            t.right[j, r] = right - tilt * (t.lam[j, r] - t.floor[j, r])
            t.hessian[i, i, r] += tilt
            t.bound[j, r] = 0.0 if moves else 1.0


@njit(error_model="numpy")
def _solve(size: int, t: Tile, pivot: Array) -> None:  # noqa: C901
    """Solve by Cholesky for the rows not bound, given the steps of those that are; the diagonal holds inverses."""
    width = t.width[0]
    for i in range(size):
        p = t.rows[i]
        for r in range(width):
            t.column[p, r] = t.right[p, r]
            pivot[r] = t.hessian[i, i, r]
        for j in range(size):
            q, big, small = t.rows[j], max(i, j), min(i, j)
            if j == i:
                continue
            for r in range(width):
                t.column[p, r] -= t.hessian[big, small, r] * (t.step[q, r] * t.bound[q, r])
            if j < i:
                for r in range(width):
                    t.low[i, j, r] = t.hessian[i, j, r]
                for k in range(j):
                    for r in range(width):
                        t.low[i, j, r] -= t.low[i, k, r] * t.low[j, k, r]
                for r in range(width):
                    both = (t.bound[p, r] == 0.0) & (t.bound[q, r] == 0.0)
                    low = t.low[i, j, r] * t.low[j, j, r]
                    low = low if both else 0.0
                    t.low[i, j, r] = low
                    t.column[p, r] -= low * t.column[q, r]
                    pivot[r] -= low * low
        for r in range(width):
            # A pivot lost to rounding belongs to a row that doubles others: leave it where it is.
            left = pivot[r]
            sound = (left > 1e-14 * t.hessian[i, i, r]) & (t.bound[p, r] == 0.0)
            inverse = 1.0 / np.sqrt(left if sound else 1.0)
            t.low[i, i, r] = inverse if sound else 0.0
            t.column[p, r] *= t.low[i, i, r]
    for i in range(size - 1, -1, -1):
        p = t.rows[i]
        for k in range(i + 1, size):
            q = t.rows[k]
            for r in range(width):
                t.column[p, r] -= t.low[k, i, r] * t.step[q, r]
        for r in range(width):
            held, step = t.step[p, r], t.column[p, r] * t.low[i, i, r]
            t.step[p, r] = held if t.bound[p, r] != 0.0 else step


@njit(error_model="numpy")
def _bind_first(size: int, t: Tile, nearest: Array) -> bool:
    """Put on its floor, in each replication, the row that its step brings there first; return whether any was."""
    width = t.width[0]
    nearest[:] = np.inf
    some = 0
    for i in range(size):
        p = t.rows[i]
        for r in range(width):
            room, step = t.floor[p, r] - t.lam[p, r], t.step[p, r]
            hits = (step <= room) & (t.bound[p, r] == 0.0)
            t.column[p, r] = (room / step if room < 0.0 else 0.0) if hits else np.inf
            nearest[r] = min(nearest[r], t.column[p, r])
            some += hits
    if some == 0:
        return False
    for i in range(size):
        p = t.rows[i]
        for r in range(width):
            first = (t.column[p, r] == nearest[r]) & (nearest[r] < np.inf)
            t.bound[p, r] = 1.0 if first else t.bound[p, r]
            t.step[p, r] = t.floor[p, r] - t.lam[p, r] if first else t.step[p, r]
            nearest[r] = -1.0 if first else nearest[r]
    return True


@njit(error_model="numpy")
def _advance(size: int, t: Tile) -> None:
    """Take the step, no longer than the longest; note the slope of the dual along it."""
    width = t.width[0]
    for r in range(width):
        t.length[r] = LONGEST_STEP
        t.start[r] = 0.0
    for i in range(size):
        for r in range(width):
            t.length[r] = max(t.length[r], t.step[t.rows[i], r])
    for i in range(size):
        p = t.rows[i]
        for r in range(width):
            step, floor = t.step[p, r] * (LONGEST_STEP / t.length[r]), t.floor[p, r]
            t.start[r] += (t.capacity[p, r] - t.shipped[p, r]) * step if t.moves[p, r] != 0.0 else 0.0
            new = t.lam[p, r] + step
            t.lam[p, r] = (new if new > floor + 1e-14 else floor) if t.moves[p, r] != 0.0 else t.lam[p, r]
            t.step[p, r] = step


@njit(error_model="numpy")
def _judge(size: int, t: Tile) -> None:
    """Give up where the step did not descend or has clearly overshot: the scalar kernel searches along it."""
    width = t.width[0]
    slope = t.length
    slope[:] = 0.0
    for i in range(size):
        p = t.rows[i]
        for r in range(width):
            gain = (t.capacity[p, r] - t.shipped[p, r]) * t.step[p, r]
            slope[r] += gain if t.moves[p, r] != 0.0 else 0.0
    for r in range(width):
        bad = (t.start[r] >= 0.0) | (slope[r] > -SLOPE_ACCEPTED * t.start[r])
        t.fails[r] = 1.0 if bad & (t.live[r] != 0.0) else t.fails[r]


@njit(error_model="numpy")
def minimise(m: int, topology: MarketTopology, v_max: float, t: Tile, lines: Lines, steps: Array) -> None:  # noqa: C901
    """Minimise the dual of a market where ``live``; fill Newton steps, and ``fails`` where it did not."""
    width = t.width[0]
    n = topology.supplier_ptr[m + 1] - topology.supplier_ptr[m]
    steps[:] = 0.0
    solved = lines.plain
    _evaluate(m, topology, v_max, t, lines)
    if _arrived(n, t, solved):
        return
    moved = 0
    for r in range(width):
        t.start[r] = 0.0
    for j in range(n):
        for r in range(width):
            rests = (t.lam[j, r] > t.floor[j, r]) & (t.shipped[j, r] < SLACK * t.capacity[j, r])
            rests = rests & (t.live[r] != 0.0) & (t.free[j, r] != 0.0)
            t.lam[j, r] = t.floor[j, r] if rests else t.lam[j, r]
            t.start[r] = 1.0 if rests else t.start[r]
            moved += rests
    if moved > 0:
        for r in range(width):  # only those that moved, that the others keep every bit
            steps[r] = t.live[r]
            t.live[r] *= t.start[r]
        _evaluate(m, topology, v_max, t, lines)
        for r in range(width):
            t.live[r], steps[r] = steps[r], 0.0
        if _arrived(n, t, solved):
            return
    for _ in range(STEPS):
        size = _choose_rows(n, t)
        _fill_hessian(size, m, topology, v_max, t, lines)
        _fill_right(size, t, lines)
        _solve(size, t, lines.plain)
        while _bind_first(size, t, lines.plain):
            _solve(size, t, lines.plain)
        _advance(size, t)
        for r in range(width):
            steps[r] += t.live[r]
        _evaluate(m, topology, v_max, t, lines)
        if _arrived(n, t, solved):
            return
        _judge(size, t)
    for r in range(width):
        t.fails[r] = 1.0 if t.live[r] != 0.0 else t.fails[r]
