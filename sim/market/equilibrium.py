"""The market-clearing kernel: flows, delivered prices and shadow prices of one review.

This file decides how a dispersed spatial price equilibrium is solved; what capacities, reserve
prices and demand curves mean is decided by the processes that fill its arguments, and how a price is
attributed to constraints by ``sim.market.prices``.

Lane ``l`` from supplier ``s`` to buyer ``b`` carries, per review (docs/model.md, clearing)

    f_l = w_l exp((v_b - sum_{j on l} lam_j - z_l) / theta)                                       (1)

with ``w_l`` the relationship's volume, ``v_b`` the buyer's log price, ``lam_j >= floor_j`` the shadow
price of every capacity ``A_j`` that the lane draws on (its supplier, shared gates, a licence) and
``z_l`` a wedge. Buyers receive what they ask for, ``sum_l f_l = D_b(v_b)``, or sit at ``v_max``.
The solution minimises the convex dual

    Phi(lam, v) = theta sum_l f_l + sum_j A_j lam_j + sum_b int_{v_b}^{v_max} D_b                 (2)

over ``lam >= floor`` and ``v <= v_max``. Prices of buyers and of licences (whose lanes all end at one
buyer) are eliminated, which leaves one row per supplier and per shared gate for a bounded semismooth
Newton method:

1. *Price of a buyer*: safeguarded Newton on ``ln F(v) - ln D(v)``, ``F`` being its inflow (3).
2. *Step*: rows at their floor with spare capacity stay there, the others solve

       H d = S ln(S / A)                                                                            (4)

   which is Newton's method on ``ln S_j = ln A_j``: shipments are nearly log-linear in ``lam``. The row
   that the step would first drive through its floor is put there and the rest solved again. Merely
   projecting the step makes one market in ten cycle.
3. *Length*: the whole step, unless the directional derivative of Phi says that it overshoots.
4. *Safeguards*: where (4) overshoots by much or does not descend, the next step is Newton's on Phi
   itself, ``H d = S - A``; where that fails, a round of iterative proportional fitting, which always
   descends.

One file, because the compiled entry is cached and numba looks for changes in its own file only.
Sums run in the order of lanes and rows and nothing depends on other replications, so results are
bit-identical however replications are grouped. A lane of weight zero or a gate of infinite capacity
is dropped when a market is loaded: results are bit-identical to its absence.

References: Samuelson (1952); Takayama & Judge (1971); Wilson (1967); Harker (1988); for bounded Newton
steps Bertsekas (1982), "Projected Newton methods for optimization problems with simple constraints".
"""

from math import exp, inf, isfinite, log, sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from sim.market.topology import MarketTopology

Array = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

CLOSED = 1e-6  # a capacity below this share of its baseline closes its lanes
V_LOW = -50.0  # a buyer who wants nothing even at exp(-50) of its price wants nothing
MAX_STEPS = 200  # Newton steps before a market counts as not converged
LOG_STEPS = 30  # of these, the first may solve for the logs of shipments
FIT_EVERY = 20  # Newton steps without an end before a round of proportional fitting
LONGEST_STEP = 4.0  # in log price: about the choke price; where the dual is flat, Newton knows no limit
SHORT_STEP = 0.3  # a line search that keeps less of a step than this distrusts the logs
SLOPE_ACCEPTED = 0.5  # of the initial slope: an overshoot below this is not worth a line search
LINE_SEARCH = 30
SLACK = 0.8  # a row shipping less than this share of its capacity was not binding
PRICE_TOLERANCE = 1e-12  # of a buyer's balance; far below any tolerance of the rows
PRICE_ITERATIONS = 200
# Tilts the dual towards the floors: rows that coincide then share their rent equally. Its bias, of
# this order relative to a row's shipments, stays far below any sensible tolerance.
TILT = 1e-10
# Leaves room for rounding in whatever order a caller adds up the flows of one constraint.
ROUNDING = 1e-14


# Small helpers join their caller before compilation: passing arrays between functions costs as much as
# the arithmetic.
_inline = njit(inline="always")


Records = npt.NDArray[np.void]
Record = Any  # one of them

_ROW = np.dtype(
    [
        ("capacity", "f8"),
        ("tolerance", "f8"),  # t per review, by which the row may miss its capacity
        ("floor", "f8"),
        ("lam", "f8"),  # the accepted point
        ("trial", "f8"),  # the point at which the dual was last evaluated
        ("step", "f8"),
        ("factor", "f8"),  # exp(-trial / theta)
        ("shipped", "f8"),  # S_j
        ("gradient", "f8"),  # A_j - S_j, the gradient of the dual
        ("rent", "f8"),  # imputed to a closed capacity
        ("equation", "i8"),  # its place in the linear system, or -1
        ("free", "?"),  # may leave its floor: open, finite, with an open lane
        ("closed", "?"),
    ],
    align=True,
)
_EQUATION = np.dtype([("row", "i8"), ("right", "f8"), ("column", "f8"), ("step", "f8"), ("bound", "?")], align=True)
_GATE = np.dtype([("row", "i8"), ("rent", "f8"), ("closed", "?")], align=True)
_LANE = np.dtype(
    [
        ("lane", "i8"),  # its global number
        ("row", "i8"),  # its supplier's
        ("licence", "i8"),  # only if in force, else -1
        ("gate_start", "i8"),
        ("gate_stop", "i8"),
        ("wedge", "f8"),
        ("weight", "f8"),  # w_l exp(-z_l / theta)
        ("share", "f8"),  # flow / exp(v_b / theta), before licences
        ("flow", "f8"),
    ],
    align=True,
)
_BUYER = np.dtype(
    [
        ("start", "i8"),  # of its open lanes
        ("stop", "i8"),
        ("licence_start", "i8"),
        ("licence_stop", "i8"),
        ("flow", "f8"),
        ("elasticity", "f8"),
        ("stock", "f8"),
        ("stock_rate", "f8"),
        ("offset", "f8"),
        ("cap", "f8"),
        ("price", "f8"),
        ("inflow", "f8"),  # of lanes outside binding licences
        ("slope", "f8"),  # D'(v)
        ("interior", "?"),  # neither at v_max nor without demand
    ],
    align=True,
)
_LICENCE = np.dtype(
    [
        ("capacity", "f8"),
        ("share", "f8"),  # C_k
        ("cut", "f8"),  # min(1, A_k / F_k)
        ("rent", "f8"),
        ("closed", "?"),
    ],
    align=True,
)


class _Market(NamedTuple):
    """Scratch for one market of one replication; its things are numbered from 0."""

    rows: Records  # suppliers, then the gates in force
    gates: Records
    lanes: Records  # open lanes, by buyer
    passed: Index  # rows of the gates in force on each open lane
    buyers: Records
    licences: Records
    equations: Records  # rows that move in this step
    hessian: Array  # lower triangle
    cholesky: Array


@njit
def _widest(ptr: Index) -> int:
    """Return the largest number of things in one range."""
    widest = 0
    for i in range(ptr.size - 1):
        widest = max(widest, ptr[i + 1] - ptr[i])
    return widest


@njit
def _make_scratch(topology: MarketTopology) -> _Market:
    """Return scratch space that any one market fits into."""
    gates = _widest(topology.gate_ptr)
    n = _widest(topology.supplier_ptr) + gates
    return _Market(
        rows=np.zeros(n, _ROW),
        gates=np.zeros(gates, _GATE),
        lanes=np.zeros(topology.lane_supplier.size, _LANE),
        passed=np.zeros(topology.lane_gate.size, np.int64),
        buyers=np.zeros(_widest(topology.buyer_ptr), _BUYER),
        licences=np.zeros(topology.licence_ptr[-1], _LICENCE),
        equations=np.zeros(n, _EQUATION),
        hessian=np.zeros((n, n)),
        cholesky=np.zeros((n, n)),
    )


# ---- Demand and the price of one buyer


@_inline
def _demand(buyer: Record, v: float) -> tuple[float, float]:
    """Return demand at a log price and its derivative.

    D(v) = clip(q exp(-eps v) + Y exp(-k v) + o, 0, cap).
    """
    steady, stock = buyer.flow, buyer.stock
    if buyer.elasticity != 0.0:
        steady *= exp(-buyer.elasticity * v)
    if stock != 0.0:
        stock *= exp(-buyer.stock_rate * v)
    wanted = steady + stock + buyer.offset
    if wanted <= 0.0:
        return 0.0, 0.0
    if wanted >= buyer.cap:
        return max(buyer.cap, 0.0), 0.0
    return wanted, -buyer.elasticity * steady - buyer.stock_rate * stock


@njit
def _reservation_price(buyer: Record, v_max: float) -> float:
    """Return the smallest log price at which a buyer without lanes wants nothing, at most v_max.

    Zero where it wants nothing even at exp(-v_max): no price then means anything.
    """
    if _demand(buyer, v_max)[0] > 0.0:
        return v_max
    low, high = -v_max, v_max
    if _demand(buyer, low)[0] <= 0.0:
        return 0.0
    v = low
    for _ in range(PRICE_ITERATIONS):
        # Newton on the log of the convex part, which is nearly linear: ln(q.. + Y..) = ln(-o).
        steady = buyer.flow * exp(-buyer.elasticity * v)
        stock = buyer.stock * exp(-buyer.stock_rate * v)
        gap = log((steady + stock) / -buyer.offset)
        slope = (buyer.elasticity * steady + buyer.stock_rate * stock) / (steady + stock)
        if gap > 0.0:
            low = v
        else:
            high = v
        new = v + gap / slope if slope > 0.0 else inf
        if not low < new < high:
            new = 0.5 * (low + high)
        if abs(new - v) <= 1e-14:
            break
        v = new
    return v


@_inline
def _inflow(buyer: Record, licences: Records, plain: float, scale: float) -> tuple[float, float]:
    """Return the inflow of a buyer and its part outside binding licences, at e = exp(v / theta).

    F(v) = C_0 e + sum_k min(C_k e, A_k), nondecreasing in v.                                     (3)
    """
    uncapped = plain * scale
    capped = 0.0
    for k in range(buyer.licence_start, buyer.licence_stop):
        asked = licences[k].share * scale
        if asked > licences[k].capacity:
            capped += licences[k].capacity
        else:
            uncapped += asked
    return uncapped + capped, uncapped


@njit
def _solve_price(buyer: Record, licences: Records, plain: float, theta: float, v_max: float) -> float:
    """Find the log price at which a buyer's inflow meets its demand; return exp(v / theta).

    Bracketed Newton on ln F - ln D from the last price. Zero stands for a buyer without demand.
    """
    v = min(max(buyer.price, V_LOW), v_max)
    low, high = V_LOW, v_max
    low_known, high_known = False, False  # whether the bracket's ends have been evaluated
    reach = 0.5
    scale = 0.0
    for iteration in range(PRICE_ITERATIONS):
        scale = exp(v / theta)
        wanted, slope = _demand(buyer, v)
        inflow, uncapped = _inflow(buyer, licences, plain, scale)
        buyer.price, buyer.inflow, buyer.slope = v, uncapped, slope
        too_high = wanted <= 0.0 or inflow > wanted
        buyer.interior = not (v >= v_max and not too_high) and not (v <= V_LOW and too_high)
        if not buyer.interior:
            return 0.0 if too_high else scale
        target = -inf if too_high else inf
        if wanted > 0.0 and inflow > 0.0:
            gap = log(inflow / wanted)
            if abs(gap) <= PRICE_TOLERANCE:
                break
            growth = uncapped / (inflow * theta) - slope / wanted
            if growth > 0.0:
                target = v - gap / growth
        if too_high:
            high, high_known = v, True
        else:
            low, low_known = v, True
        new = target
        if iteration >= 40 and iteration % 2 == 0 and low_known and high_known:
            new = 0.5 * (low + high)  # Newton creeps: halve
        elif target >= high:
            new = 0.5 * (low + high) if high_known else v_max
        elif target <= low:
            new = 0.5 * (low + high) if low_known else max(V_LOW, v - reach)
            reach *= 4.0
        if low_known and high_known and abs(new - v) <= 1e-14:
            break
        v = new
    return scale


# ---- Loading one market of one replication


@_inline
def _load_row(row: Record, capacity: float, scale: float, floor: float, warm: float, tolerance: float) -> None:
    """Set one row of the dual; it is freed by its first open lane."""
    row.capacity, row.floor = capacity, floor
    row.tolerance = tolerance * max(capacity, 1e-3 * scale)
    row.lam = max(floor, warm) if isfinite(warm) else floor
    row.closed = capacity <= CLOSED * scale
    row.free = False


@njit
def _load_rows(
    m: int,
    r: int,
    topology: MarketTopology,
    available: Array,
    floor: Array,
    supplier_scale: Array,
    gate_cap: Array,
    gate_scale: Array,
    shadow: Array,
    gate_shadow: Array,
    tolerance: float,
    market: _Market,
) -> int:
    """Load suppliers and the gates in force; return the number of rows."""
    first = topology.supplier_ptr[m]
    n = topology.supplier_ptr[m + 1] - first
    for j in range(n):
        s = first + j
        _load_row(market.rows[j], available[s, r], supplier_scale[s, r], floor[s, r], shadow[s, r], tolerance)
    first = topology.gate_ptr[m]
    for i in range(topology.gate_ptr[m + 1] - first):
        g = first + i
        gate = market.gates[i]
        gate.closed = gate_cap[g, r] <= CLOSED * gate_scale[g, r]
        gate.row = -1
        if not gate.closed and gate_cap[g, r] < inf:
            gate.row = n
            _load_row(market.rows[n], gate_cap[g, r], gate_scale[g, r], 0.0, gate_shadow[g, r], tolerance)
            n += 1
    return n


@njit
def _load_buyers(
    m: int,
    r: int,
    topology: MarketTopology,
    flow: Array,
    elasticity: Array,
    stock: Array,
    stock_rate: Array,
    offset: Array,
    cap: Array,
    licence_cap: Array,
    licence_scale: Array,
    log_price: Array,
    market: _Market,
) -> int:
    """Load demand curves, last prices and licences; return the number of buyers."""
    first, last = topology.buyer_ptr[m], topology.buyer_ptr[m + 1]
    base = topology.licence_ptr[first]
    for b in range(first, last):
        buyer = market.buyers[b - first]
        buyer.flow, buyer.elasticity = flow[b, r], elasticity[b, r]
        buyer.stock, buyer.stock_rate = stock[b, r], stock_rate[b, r]
        buyer.offset, buyer.cap = offset[b, r], cap[b, r]
        buyer.price = log_price[b, r] if isfinite(log_price[b, r]) else 0.0
        buyer.licence_start = topology.licence_ptr[b] - base
        buyer.licence_stop = topology.licence_ptr[b + 1] - base
    for k in range(topology.licence_ptr[last] - base):
        licence = market.licences[k]
        licence.capacity = licence_cap[base + k, r]
        licence.share, licence.cut = 0.0, 1.0
        licence.closed = licence_cap[base + k, r] <= CLOSED * licence_scale[base + k, r]
    return last - first


@njit
def _load_lanes(
    m: int, r: int, topology: MarketTopology, weight: Array, wedge: Array, theta: float, market: _Market
) -> bool:
    """Load the open lanes, buyer by buyer; return whether a closed capacity shuts any other."""
    rows, gates, lanes, licences = market.rows, market.gates, market.lanes, market.licences
    size, passed, shut = 0, 0, False
    buyer_first, supplier_first = topology.buyer_ptr[m], topology.supplier_ptr[m]
    gate_first, licence_first = topology.gate_ptr[m], topology.licence_ptr[buyer_first]
    for b in range(topology.buyer_ptr[m + 1] - buyer_first):
        market.buyers[b].start = size
        for i in range(topology.lane_ptr[buyer_first + b], topology.lane_ptr[buyer_first + b + 1]):
            if not weight[i, r] > 0.0:
                continue
            row = topology.lane_supplier[i] - supplier_first
            licence = topology.lane_licence[i]
            licence = licence - licence_first if licence >= 0 else -1
            closed = rows[row].closed or (licence >= 0 and licences[licence].closed)
            for k in range(topology.lane_gate_ptr[i], topology.lane_gate_ptr[i + 1]):
                closed = closed or gates[topology.lane_gate[k] - gate_first].closed
            if closed:
                shut = True
                continue
            lane = lanes[size]
            lane.lane, lane.row, lane.weight = i, row, weight[i, r]
            lane.wedge = wedge[i, r] if wedge.shape[0] > 0 else 0.0
            if lane.wedge != 0.0:
                lane.weight *= exp(-lane.wedge / theta)
            lane.licence = licence if licence >= 0 and licences[licence].capacity < inf else -1
            rows[row].free = rows[row].capacity < inf
            lane.gate_start = passed
            for k in range(topology.lane_gate_ptr[i], topology.lane_gate_ptr[i + 1]):
                row = gates[topology.lane_gate[k] - gate_first].row
                if row >= 0:
                    market.passed[passed] = row
                    rows[row].free = True
                    passed += 1
            lane.gate_stop = passed
            size += 1
        market.buyers[b].stop = size
    return shut


# ---- The dual: gradient, Hessian, step


@_inline
def _serve(
    buyer: Record, rows: Records, lanes: Records, passed: Index, licences: Records, theta: float, v_max: float
) -> None:
    """Solve one buyer at the trial shadow prices; add its flows to the shipments of the rows.

    C_k = sum_l w_l exp(-(sum_j lam_j + z_l) / theta) does not depend on v: no exp per lane.
    """
    for k in range(buyer.licence_start, buyer.licence_stop):
        licences[k].share = 0.0
    plain = 0.0
    for i in range(buyer.start, buyer.stop):
        lane = lanes[i]
        share = lane.weight * rows[lane.row].factor
        for k in range(lane.gate_start, lane.gate_stop):
            share *= rows[passed[k]].factor
        lane.share = share
        if lane.licence < 0:
            plain += share
        else:
            licences[lane.licence].share += share
    scale = _solve_price(buyer, licences, plain, theta, v_max)
    for k in range(buyer.licence_start, buyer.licence_stop):
        asked = licences[k].share * scale
        licences[k].cut = licences[k].capacity / asked if asked > licences[k].capacity else 1.0
    for i in range(buyer.start, buyer.stop):
        lane = lanes[i]
        flow = lane.share * scale
        if lane.licence >= 0:
            flow *= licences[lane.licence].cut
        lane.flow = flow
        rows[lane.row].shipped += flow
        for k in range(lane.gate_start, lane.gate_stop):
            rows[passed[k]].shipped += flow


@njit
def _evaluate(n: int, count: int, market: _Market, theta: float, v_max: float) -> bool:
    """Solve every buyer at the trial point and fill the gradient; return whether it is the solution.

    It is if every row ships its capacity, or no more than that at its floor, within the tolerance.
    """
    rows, lanes, passed, licences = market.rows, market.lanes, market.passed, market.licences
    for j in range(n):
        row = rows[j]
        row.shipped = 0.0
        row.factor = exp(-row.trial / theta)
    for b in range(count):
        buyer = market.buyers[b]
        if buyer.start < buyer.stop:
            _serve(buyer, rows, lanes, passed, licences, theta, v_max)
    solved = True
    for j in range(n):
        row = rows[j]
        row.gradient = row.capacity - row.shipped if row.free else 0.0
        if -row.gradient > row.tolerance or (row.trial > row.floor and row.gradient > row.tolerance):
            solved = False
    return solved


@njit
def _choose_equations(n: int, market: _Market) -> int:
    """Enter the rows that may move: all but those resting on their floor; return their number."""
    size = 0
    for j in range(n):
        row = market.rows[j]
        row.equation = -1
        row.step = 0.0
        if row.free and (row.lam > row.floor or row.gradient < 0.0):
            row.equation = size
            market.equations[size].row = j
            market.equations[size].bound = False
            size += 1
    return size


@_inline
def _add_lanes(
    size: int,
    buyer: Record,
    licence: int,
    rows: Records,
    lanes: Records,
    passed: Index,
    licences: Records,
    equations: Records,
    hessian: Array,
    theta: float,
) -> None:
    """Add f / theta for every pair of rows on a lane, and fill the buyer's column c.

    Only for the lanes of one binding licence, or, if that is -1, for those outside binding ones.
    """
    for i in range(size):
        equations[i].column = 0.0
    for i in range(buyer.start, buyer.stop):
        lane = lanes[i]
        binding = lane.licence if lane.licence >= 0 and licences[lane.licence].cut < 1.0 else -1
        if binding != licence:
            continue
        flow = lane.flow
        amount = flow / theta
        own = rows[lane.row].equation
        if own >= 0:
            hessian[own, own] += amount
            equations[own].column += flow
        for k in range(lane.gate_start, lane.gate_stop):
            p = rows[passed[k]].equation
            if p < 0:
                continue
            hessian[p, p] += amount
            equations[p].column += flow
            if own >= 0:
                hessian[p, own] += amount  # gates stand after suppliers: lower triangle
            for h in range(lane.gate_start, k):
                q = rows[passed[h]].equation
                if q >= 0:
                    hessian[max(p, q), min(p, q)] += amount


@_inline
def _subtract_outer(size: int, coefficient: float, equations: Records, hessian: Array) -> None:
    """Take coefficient c c^T off the lower triangle."""
    for i in range(size):
        value = coefficient * equations[i].column
        if value != 0.0:
            for j in range(i + 1):
                hessian[i, j] -= value * equations[j].column


@njit
def _fill_hessian(size: int, count: int, market: _Market, theta: float) -> None:
    """Fill the lower triangle of the dual's Hessian for the rows that may move.

    H = sum_b [diag(f)/theta - c c^T / theta^2 / (F_u/theta - D'(v))]  over lanes outside binding
    licences (no rank-one term at v_max), plus diag(f)/theta - c_k c_k^T/(theta A_k) per binding
    licence, where c_j sums the lanes through row j.
    """
    rows, lanes, passed, licences = market.rows, market.lanes, market.passed, market.licences
    hessian, equations = market.hessian, market.equations
    for i in range(size):
        for j in range(i + 1):
            hessian[i, j] = 0.0
    for b in range(count):
        buyer = market.buyers[b]
        if buyer.start == buyer.stop:
            continue
        _add_lanes(size, buyer, -1, rows, lanes, passed, licences, equations, hessian, theta)
        if buyer.interior and buyer.inflow > 0.0:
            response = theta * (buyer.inflow - theta * buyer.slope)
            _subtract_outer(size, 1.0 / response, equations, hessian)
        for k in range(buyer.licence_start, buyer.licence_stop):
            if licences[k].cut < 1.0:
                _add_lanes(size, buyer, k, rows, lanes, passed, licences, equations, hessian, theta)
                _subtract_outer(size, 1.0 / (theta * licences[k].capacity), equations, hessian)


@njit
def _solve_system(size: int, equations: Records, hessian: Array, low: Array) -> None:
    """Solve H d = right by Cholesky for the rows not bound, given the steps of those that are."""
    for i in range(size):
        if equations[i].bound:
            continue
        value = equations[i].right
        pivot = hessian[i, i]
        for j in range(size):
            if equations[j].bound:
                value -= (hessian[i, j] if j < i else hessian[j, i]) * equations[j].step
            elif j < i:
                total = hessian[i, j]
                for k in range(j):
                    if not equations[k].bound:
                        total -= low[i, k] * low[j, k]
                low[i, j] = total / low[j, j]
                value -= low[i, j] * equations[j].column
                pivot -= low[i, j] * low[i, j]
        # A pivot lost to rounding belongs to a row that doubles others: leave it where it is.
        low[i, i] = sqrt(pivot) if pivot > 1e-14 * hessian[i, i] else inf
        equations[i].column = value / low[i, i]
    for i in range(size - 1, -1, -1):
        if equations[i].bound:
            continue
        value = equations[i].column
        for k in range(i + 1, size):
            if not equations[k].bound:
                value -= low[k, i] * equations[k].step
        equations[i].step = value / low[i, i]


@njit
def _fill_right(size: int, rows: Records, equations: Records, hessian: Array, theta: float, logs: bool) -> None:
    """Fill the right-hand side: S - A, or S ln(S / A) (4), and the tilt towards the floors."""
    for i in range(size):
        row = rows[equations[i].row]
        right = row.shipped - row.capacity
        if logs and row.shipped > 0.0:
            right = row.shipped * log(row.shipped / row.capacity)
        tilt = TILT * max(row.shipped, CLOSED * row.capacity) / theta
        hessian[i, i] += tilt
        equations[i].right = right - tilt * (row.lam - row.floor)


@njit
def _bounded_step(size: int, rows: Records, equations: Records, hessian: Array, low: Array) -> None:
    """Fill the step: H d = right, except for rows that it would drive through their floor.

    The row that gets there first is put on its floor and the others solved again, until none is
    left. To put all there at once would do as well, but for directions in which the dual is nearly
    flat: there the step is long, and what matters is the row that ends it.
    """
    for _ in range(size + 1):
        _solve_system(size, equations, hessian, low)
        first, nearest = -1, inf
        for i in range(size):
            if equations[i].bound:
                continue
            room = rows[equations[i].row].floor - rows[equations[i].row].lam
            if equations[i].step <= room:
                share = room / equations[i].step if room < 0.0 else 0.0
                if share < nearest:
                    first, nearest = i, share
        if first < 0:
            break
        equations[first].bound = True
        equations[first].step = rows[equations[first].row].floor - rows[equations[first].row].lam
    longest = LONGEST_STEP
    for i in range(size):
        longest = max(longest, equations[i].step)
    for i in range(size):
        rows[equations[i].row].step = equations[i].step * (LONGEST_STEP / longest)


@njit
def _slope(n: int, rows: Records) -> float:
    """Return the derivative of the dual along the step, at the point last evaluated."""
    total = 0.0
    for j in range(n):
        total += rows[j].gradient * rows[j].step
    return total


@njit
def _try_length(length: float, n: int, count: int, market: _Market, theta: float, v_max: float) -> tuple[bool, float]:
    """Evaluate the dual at a share of the step; return whether that solves it, and the slope there."""
    for j in range(n):
        row = market.rows[j]
        row.trial = max(row.floor, row.lam + length * row.step)
        if length == 1.0 and row.lam + row.step <= row.floor + 1e-14:
            row.trial = row.floor
    solved = _evaluate(n, count, market, theta, v_max)
    return solved, _slope(n, market.rows)


@njit
def _search(start: float, n: int, count: int, market: _Market, theta: float, v_max: float) -> tuple[bool, float]:
    """Move along a step whose slope at its start is negative; return whether that solves the dual, and how far.

    Phi is convex: while its slope is still negative at the new point, the whole step descends. Where
    it has turned clearly positive, a bracketed secant finds where it is nearly zero.
    """
    length = 1.0
    solved, slope = _try_length(length, n, count, market, theta, v_max)
    near, far, slope_near, slope_far = 0.0, 1.0, start, slope
    for iteration in range(LINE_SEARCH):
        if solved or (slope <= -SLOPE_ACCEPTED * start and (near == 0.0 or slope >= SLOPE_ACCEPTED * start)):
            break
        length = near + (far - near) * slope_near / (slope_near - slope_far)
        margin = 0.1 * (far - near)
        length = min(max(length, near + margin), far - margin)
        if iteration % 3 == 2:
            length = 0.5 * (near + far)
        solved, slope = _try_length(length, n, count, market, theta, v_max)
        if slope > 0.0:
            far, slope_far = length, slope
        else:
            near, slope_near = length, slope
    for j in range(n):
        market.rows[j].lam = market.rows[j].trial
    return solved, length


@njit
def _fit(n: int, suppliers: int, count: int, market: _Market, theta: float, v_max: float) -> bool:
    """Do one round of iterative proportional fitting; return whether that solves the dual.

    An exact descent in one block at a time: at given v, row j is solved by
    lam_j <- max(floor_j, lam_j + theta ln(S_j / A_j)); suppliers share no lanes, so all move at
    once, gates one after the other. Slow but sure.
    """
    solved = False
    for j in range(n):
        row = market.rows[j]
        if row.free:
            change = theta * log(row.shipped / row.capacity) if row.shipped > 0.0 else -inf
            row.lam = max(row.floor, row.lam + change)
        row.trial = row.lam
        if j >= suppliers - 1:
            solved = _evaluate(n, count, market, theta, v_max)
    return solved


@njit
def _start(n: int, count: int, market: _Market, theta: float, v_max: float) -> bool:
    """Evaluate the warm start; return whether that solves the dual.

    Floors move at every review: a row above its floor with much to spare rested on its old one, so
    it starts at the new one.
    """
    for j in range(n):
        row = market.rows[j]
        if not row.free:
            row.lam = row.floor
        row.trial = row.lam
    solved = _evaluate(n, count, market, theta, v_max)
    moved = False
    for j in range(n):
        row = market.rows[j]
        if not solved and row.free and row.lam > row.floor and row.shipped < SLACK * row.capacity:
            row.lam = row.floor
            row.trial = row.floor
            moved = True
    return _evaluate(n, count, market, theta, v_max) if moved else solved


@njit
def _minimise(n: int, suppliers: int, count: int, market: _Market, theta: float, v_max: float) -> int:
    """Minimise the dual; return the number of steps, negative where it did not converge."""
    if _start(n, count, market, theta, v_max):
        return 0
    logs = True
    for steps in range(1, MAX_STEPS + 1):
        size = _choose_equations(n, market)
        _fill_hessian(size, count, market, theta)
        _fill_right(size, market.rows, market.equations, market.hessian, theta, logs)
        _bounded_step(size, market.rows, market.equations, market.hessian, market.cholesky)
        slope = _slope(n, market.rows)
        solved, length = False, 0.0
        if slope < 0.0:
            solved, length = _search(slope, n, count, market, theta, v_max)
        if not solved and ((slope >= 0.0 and not logs) or steps % FIT_EVERY == 0):
            solved = _fit(n, suppliers, count, market, theta, v_max)
        if solved:
            return steps
        logs = length >= SHORT_STEP and steps < LOG_STEPS
    return -MAX_STEPS


# ---- Results of one market and replication


@njit
def _store_flows(r: int, n: int, count: int, market: _Market, flow: Array) -> None:
    """Write the flows of open lanes, cut so that nobody ships more than there is."""
    for j in range(n):
        row = market.rows[j]
        limit = row.capacity * (1.0 - ROUNDING)
        row.factor = limit / row.shipped if row.shipped > limit else 1.0
    for i in range(market.buyers[count - 1].stop if count > 0 else 0):
        lane = market.lanes[i]
        cut = market.rows[lane.row].factor
        for k in range(lane.gate_start, lane.gate_stop):
            cut = min(cut, market.rows[market.passed[k]].factor)
        if lane.licence >= 0 and market.licences[lane.licence].cut < 1.0:
            cut = min(cut, 1.0 - ROUNDING)
        flow[lane.lane, r] = lane.flow * cut


@njit
def _store_shadows(
    m: int,
    r: int,
    topology: MarketTopology,
    market: _Market,
    theta: float,
    shadow: Array,
    gate_shadow: Array,
    licence_shadow: Array,
) -> None:
    """Write shadow prices; capacities not in the dual stay at their floor.

    A licence's is nu_k = max(0, theta ln(F_k / A_k)).
    """
    first = topology.supplier_ptr[m]
    for j in range(topology.supplier_ptr[m + 1] - first):
        shadow[first + j, r] = market.rows[j].lam if market.rows[j].free else market.rows[j].floor
    first = topology.gate_ptr[m]
    for i in range(topology.gate_ptr[m + 1] - first):
        row = market.gates[i].row
        gate_shadow[first + i, r] = market.rows[row].lam if row >= 0 and market.rows[row].free else 0.0
    first = topology.licence_ptr[topology.buyer_ptr[m]]
    for k in range(topology.licence_ptr[topology.buyer_ptr[m + 1]] - first):
        cut = market.licences[k].cut
        licence_shadow[first + k, r] = -theta * log(cut) if cut < 1.0 else 0.0


@njit
def _store_prices(
    first: int,
    r: int,
    count: int,
    market: _Market,
    theta: float,
    v_max: float,
    log_price: Array,
    delivered: Array,
) -> None:
    """Write log prices and delivered prices of the buyers from number ``first``.

    p_b = min(v_max, max(v_b, min over open lanes (sum lam + z) - theta ln 2)).
    """
    rows, lanes = market.rows, market.lanes
    for b in range(count):
        buyer = market.buyers[b]
        if buyer.start == buyer.stop:
            v = _reservation_price(buyer, v_max)
            log_price[first + b, r], delivered[first + b, r] = v, v
            continue
        offer = inf
        for i in range(buyer.start, buyer.stop):
            lane = lanes[i]
            cost = lane.wedge + rows[lane.row].lam
            for k in range(lane.gate_start, lane.gate_stop):
                cost += rows[market.passed[k]].lam
            if lane.licence >= 0 and market.licences[lane.licence].cut < 1.0:
                cost -= theta * log(market.licences[lane.licence].cut)
            offer = min(offer, cost)
        log_price[first + b, r] = buyer.price
        delivered[first + b, r] = min(v_max, max(buyer.price, offer - theta * log(2.0)))


@njit
def _forget_rents(rows: Records, gates: Records, licences: Records) -> None:
    """Zero all imputed rents."""
    for j in range(rows.size):
        rows[j].rent = 0.0
    for j in range(gates.size):
        gates[j].rent = 0.0
    for j in range(licences.size):
        licences[j].rent = 0.0


@njit
def _rent_share(
    i: int,
    m: int,
    r: int,
    topology: MarketTopology,
    wedge: Array,
    market: _Market,
    shadow: Array,
    gate_shadow: Array,
    licence_shadow: Array,
    price: float,
) -> float:
    """Return v_b - (sum of lam) - z of a lane per closed capacity on it; 0 if there is none."""
    s, q = topology.lane_supplier[i], topology.lane_licence[i]
    closed = 1 if market.rows[s - topology.supplier_ptr[m]].closed else 0
    rent = price - (wedge[i, r] if wedge.shape[0] > 0 else 0.0) - shadow[s, r]
    for k in range(topology.lane_gate_ptr[i], topology.lane_gate_ptr[i + 1]):
        g = topology.lane_gate[k]
        rent -= gate_shadow[g, r]
        closed += 1 if market.gates[g - topology.gate_ptr[m]].closed else 0
    if q >= 0:
        rent -= licence_shadow[q, r]
        closed += 1 if market.licences[q - topology.licence_ptr[topology.buyer_ptr[m]]].closed else 0
    return rent / closed if closed > 0 else 0.0


@njit
def _raise_rents(i: int, m: int, topology: MarketTopology, market: _Market, rent: float) -> None:
    """Raise the rents of all capacities on a lane to at least the given one."""
    row = market.rows[topology.lane_supplier[i] - topology.supplier_ptr[m]]
    row.rent = max(row.rent, rent)
    for k in range(topology.lane_gate_ptr[i], topology.lane_gate_ptr[i + 1]):
        gate = market.gates[topology.lane_gate[k] - topology.gate_ptr[m]]
        gate.rent = max(gate.rent, rent)
    if topology.lane_licence[i] >= 0:
        licence = market.licences[topology.lane_licence[i] - topology.licence_ptr[topology.buyer_ptr[m]]]
        licence.rent = max(licence.rent, rent)


@njit
def _impute(
    m: int,
    r: int,
    topology: MarketTopology,
    weight: Array,
    wedge: Array,
    market: _Market,
    log_price: Array,
    shadow: Array,
    gate_shadow: Array,
    licence_shadow: Array,
) -> None:
    """Write the rents of closed capacities: the largest v_b - (other lam) - z of their lanes.

    Several closed capacities on one lane share its rent equally. Rents are written only after all
    are known, so that none counts as another's cost.
    """
    rows, gates, licences = market.rows, market.gates, market.licences
    _forget_rents(rows, gates, licences)
    for b in range(topology.buyer_ptr[m], topology.buyer_ptr[m + 1]):
        for i in range(topology.lane_ptr[b], topology.lane_ptr[b + 1]):
            if weight[i, r] > 0.0:
                rent = _rent_share(
                    i, m, r, topology, wedge, market, shadow, gate_shadow, licence_shadow, log_price[b, r]
                )
                if rent > 0.0:
                    _raise_rents(i, m, topology, market, rent)
    first = topology.supplier_ptr[m]
    for j in range(topology.supplier_ptr[m + 1] - first):
        if rows[j].closed:
            shadow[first + j, r] += rows[j].rent
    first = topology.gate_ptr[m]
    for j in range(topology.gate_ptr[m + 1] - first):
        if gates[j].closed:
            gate_shadow[first + j, r] = gates[j].rent
    first = topology.licence_ptr[topology.buyer_ptr[m]]
    for j in range(topology.licence_ptr[topology.buyer_ptr[m + 1]] - first):
        if licences[j].closed:
            licence_shadow[first + j, r] = licences[j].rent


# Only the entry is cached: it contains the helpers, and a stale cache never names a private type.
@njit(cache=True)
def clear_busy_markets(
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
    gate_scale: Array,
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
    """Clear the markets that are not ``done`` (market, replication).

    Arguments are those of `sim.market.clearing.clear_markets`.
    """
    market = _make_scratch(topology)
    for m in range(theta.shape[0]):
        suppliers = topology.supplier_ptr[m + 1] - topology.supplier_ptr[m]
        first = topology.buyer_ptr[m]
        first_lane, last_lane = topology.lane_ptr[first], topology.lane_ptr[topology.buyer_ptr[m + 1]]
        for r in range(theta.shape[1]):
            if done[m, r]:
                continue
            for lane in range(first_lane, last_lane):
                flow[lane, r] = 0.0
            th = theta[m, r]
            n = _load_rows(
                m, r, topology, available, floor, supplier_scale, gate_cap, gate_scale, shadow, gate_shadow,
                tolerance, market,
            )  # fmt: skip
            count = _load_buyers(
                m, r, topology, demand_flow, demand_elasticity, demand_stock, demand_stock_rate, demand_offset,
                demand_cap, licence_cap, licence_scale, log_price, market,
            )  # fmt: skip
            shut = _load_lanes(m, r, topology, weight, wedge, th, market)
            iterations[m, r] = _minimise(n, suppliers, count, market, th, v_max)
            _store_flows(r, n, count, market, flow)
            _store_shadows(m, r, topology, market, th, shadow, gate_shadow, licence_shadow)
            _store_prices(first, r, count, market, th, v_max, log_price, delivered)
            if shut:
                _impute(m, r, topology, weight, wedge, market, log_price, shadow, gate_shadow, licence_shadow)
