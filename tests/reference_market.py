"""The market of sim.market.equilibrium written plainly, for tests: NumPy, SciPy, one replication.

Prices of buyers and rents of licences are explicit variables here, where the kernel eliminates them, so
that the two share the equations and nothing else.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize

from sim.market.clearing import clear_markets
from sim.market.equilibrium import CLOSED, ROUNDING, clear_busy_markets
from sim.market.quiet import clear_quiet_markets
from sim.market.topology import MarketTopology

Array = npt.NDArray[np.float64]
V_MAX = float(np.log(30.0))


@dataclass(frozen=True)
class Case:
    """Arguments of clear_markets but for what it returns; arrays are (n, replication)."""

    topology: MarketTopology
    weight: Array
    wedge: Array
    theta: Array
    demand_flow: Array
    demand_elasticity: Array
    demand_stock: Array
    demand_stock_rate: Array
    demand_offset: Array
    demand_cap: Array
    available: Array
    floor: Array
    supplier_scale: Array
    gate_cap: Array
    gate_scale: Array
    licence_cap: Array
    licence_scale: Array
    v_max: float = V_MAX


class Solution(NamedTuple):
    shadow: Array
    gate_shadow: Array
    log_price: Array
    flow: Array
    licence_shadow: Array
    delivered: Array
    iterations: npt.NDArray[np.int64]


def clear(case: Case, tolerance: float = 1e-5, start: Solution | None = None) -> Solution:
    """Return the solution, from a cold start or from another solution."""
    solution = _started(case, start)
    clear_markets(*_arguments(case), tolerance, *solution)
    return solution


def clear_by_newton(case: Case, tolerance: float = 1e-5) -> Solution:
    """Return the Newton kernel's solution, from a cold start."""
    solution = _started(case, None)
    clear_busy_markets(*_arguments(case), tolerance, *solution, np.zeros(case.theta.shape, dtype=np.bool_))
    return solution


def clear_if_quiet(case: Case) -> tuple[Solution, npt.NDArray[np.bool_]]:
    """Return what the pass over quiet markets found, and where it did, (market, replication)."""
    c, solution, done = case, _started(case, None), np.zeros(case.theta.shape, dtype=np.bool_)
    clear_quiet_markets(
        c.topology, c.weight, c.wedge, c.theta, c.demand_flow, c.demand_elasticity, c.demand_stock,
        c.demand_stock_rate, c.demand_offset, c.demand_cap, c.available, c.floor, c.supplier_scale,
        c.gate_cap, c.licence_cap, c.licence_scale, c.v_max, CLOSED, 4.0 * ROUNDING, *solution, done,
    )  # fmt: skip
    return solution, done


def _arguments(case: Case) -> tuple[object, ...]:
    c = case
    return (
        c.topology, c.weight, c.wedge, c.theta, c.demand_flow, c.demand_elasticity, c.demand_stock,
        c.demand_stock_rate, c.demand_offset, c.demand_cap, c.available, c.floor, c.supplier_scale,
        c.gate_cap, c.gate_scale, c.licence_cap, c.licence_scale, c.v_max,
    )  # fmt: skip


def _started(case: Case, start: Solution | None) -> Solution:
    cold = Solution(
        np.full_like(case.available, -np.inf),
        np.zeros_like(case.gate_cap),
        np.zeros_like(case.demand_flow),
        np.full_like(case.weight, np.nan),
        np.full_like(case.licence_cap, np.nan),
        np.full_like(case.demand_flow, np.nan),
        np.zeros(case.theta.shape, np.int64),
    )
    if start is None:
        return cold
    return cold._replace(
        shadow=start.shadow.copy(), gate_shadow=start.gate_shadow.copy(), log_price=start.log_price.copy()
    )


def make_topology(
    suppliers: int,
    buyers: int,
    lanes: list[tuple[int, int]],
    gates: int = 0,
    lane_gates: list[list[int]] | None = None,
    licences: list[int] | None = None,
    lane_licence: list[int] | None = None,
) -> MarketTopology:
    """Return the topology of one market; lanes are (buyer, supplier), sorted; licences count by buyer."""
    counts = np.bincount([b for b, _ in lanes], minlength=buyers)
    passed = lane_gates or [[] for _ in lanes]
    return MarketTopology(
        supplier_ptr=np.array([0, suppliers]),
        buyer_ptr=np.array([0, buyers]),
        gate_ptr=np.array([0, gates]),
        lane_ptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        lane_supplier=np.array([s for _, s in lanes], np.int64),
        lane_gate_ptr=np.concatenate([[0], np.cumsum([len(g) for g in passed])]).astype(np.int64),
        lane_gate=np.array([g for gs in passed for g in gs], np.int64),
        licence_ptr=np.concatenate([[0], np.cumsum(licences or [0] * buyers)]).astype(np.int64),
        lane_licence=np.array(lane_licence if lane_licence is not None else [-1] * len(lanes), np.int64),
    )


def make_case(topology: MarketTopology, theta: float, **columns: object) -> Case:
    """Return a one-replication case; missing arguments are neutral, numbers are broadcast."""
    t = topology
    ns, nb, ng = t.supplier_ptr[-1], t.buyer_ptr[-1], t.gate_ptr[-1]
    nl, npr = t.lane_supplier.size, t.licence_ptr[-1]
    sizes = {
        "weight": (nl, 1.0), "wedge": (nl, 0.0), "demand_flow": (nb, 0.0), "demand_elasticity": (nb, 0.0),
        "demand_stock": (nb, 0.0), "demand_stock_rate": (nb, 0.0), "demand_offset": (nb, 0.0),
        "demand_cap": (nb, np.inf), "available": (ns, np.inf), "floor": (ns, 0.0),
        "supplier_scale": (ns, 1.0), "gate_cap": (ng, np.inf), "gate_scale": (ng, 1.0),
        "licence_cap": (npr, np.inf), "licence_scale": (npr, 1.0),
    }  # fmt: skip
    v_max = columns.pop("v_max", V_MAX)
    values = {}
    for name, (size, default) in sizes.items():
        given = np.asarray(columns.pop(name, default), dtype=float)
        values[name] = np.ascontiguousarray(np.broadcast_to(given, (size,)).reshape(size, 1)).copy()
    assert not columns, columns
    return Case(topology, theta=np.full((1, 1), theta), v_max=v_max, **values)


def repeat(case: Case, replications: int) -> Case:
    """Return the same case in several replications."""
    return replace(
        case,
        **{
            k: np.ascontiguousarray(np.repeat(v, replications, axis=1))
            for k, v in vars(case).items()
            if isinstance(v, np.ndarray)
        },
    )


def stack(cases: list[Case]) -> Case:
    """Return cases of one topology as the replications of one case."""
    names = [k for k, v in vars(cases[0]).items() if isinstance(v, np.ndarray)]
    columns = {k: np.ascontiguousarray(np.hstack([getattr(c, k) for c in cases])) for k in names}
    return replace(cases[0], **columns)


def relabel(
    case: Case,
    suppliers: list[int] | None = None,
    buyers: list[int] | None = None,
    lanes: list[int] | None = None,
    extra_gates: list[set[int]] | None = None,
    licensed: bool = True,
) -> tuple[Case, npt.NDArray[np.int64]]:
    """Return a case with suppliers and buyers in another order, and the old number of each lane.

    ``lanes`` are those kept; ``extra_gates`` say which (old) lanes pass additional gates of infinite
    capacity; ``licensed=False`` leaves the licences out.
    """
    t = case.topology
    ns, nb, ng = int(t.supplier_ptr[-1]), int(t.buyer_ptr[-1]), int(t.gate_ptr[-1])
    suppliers, buyers = suppliers or list(range(ns)), buyers or list(range(nb))
    extra = extra_gates or []
    kept = set(range(t.lane_supplier.size) if lanes is None else lanes)
    old_lanes = [i for b in buyers for i in range(t.lane_ptr[b], t.lane_ptr[b + 1]) if i in kept]
    old_licences = [k for b in buyers for k in range(t.licence_ptr[b], t.licence_ptr[b + 1])] if licensed else []
    owner = np.repeat(np.arange(nb), np.diff(t.lane_ptr))
    gates = [[int(g) for g in t.lane_gate[t.lane_gate_ptr[i] : t.lane_gate_ptr[i + 1]]] for i in old_lanes]
    gates = [g + [ng + e for e, group in enumerate(extra) if i in group] for g, i in zip(gates, old_lanes, strict=True)]
    topology = make_topology(
        ns, nb, [(buyers.index(owner[i]), suppliers.index(t.lane_supplier[i])) for i in old_lanes],
        ng + len(extra), gates,
        [int(t.licence_ptr[b + 1] - t.licence_ptr[b]) if licensed else 0 for b in buyers],
        [old_licences.index(t.lane_licence[i]) if licensed and t.lane_licence[i] >= 0 else -1 for i in old_lanes],
    )  # fmt: skip
    order = {"weight": old_lanes, "wedge": old_lanes}
    order |= {name: buyers for name in vars(case) if name.startswith("demand_")}
    order |= dict.fromkeys(("available", "floor", "supplier_scale"), suppliers)
    order |= dict.fromkeys(("licence_cap", "licence_scale"), old_licences)
    columns = {k: np.ascontiguousarray(getattr(case, k)[np.array(v, np.int64)]) for k, v in order.items()}
    for name, value in (("gate_cap", np.inf), ("gate_scale", 1.0)):
        columns[name] = np.vstack([getattr(case, name), np.full((len(extra), case.theta.shape[1]), value)])
    return replace(case, topology=topology, **columns), np.array(old_lanes, np.int64)


# ---- The equations


class Plain:
    """One market, one replication: which lanes are open, and the dual (2) with all variables explicit.

    Variables are x = (suppliers, gates in force, licences in force, buyers' prices).
    """

    def __init__(self, case: Case) -> None:
        t, c = case.topology, case
        self.case, self.theta = case, float(c.theta[0, 0])
        self.ns, self.nb = int(t.supplier_ptr[-1]), int(t.buyer_ptr[-1])
        ng, npr, nl = int(t.gate_ptr[-1]), int(t.licence_ptr[-1]), t.lane_supplier.size
        self.capacity = np.concatenate([c.available[:, 0], c.gate_cap[:, 0], c.licence_cap[:, 0]])
        self.scale = np.concatenate([c.supplier_scale[:, 0], c.gate_scale[:, 0], c.licence_scale[:, 0]])
        self.floor = np.concatenate([c.floor[:, 0], np.zeros(ng + npr)])
        self.through = np.zeros((nl, self.ns + ng + npr))
        self.through[np.arange(nl), t.lane_supplier] = 1.0
        for lane in range(nl):
            for k in range(t.lane_gate_ptr[lane], t.lane_gate_ptr[lane + 1]):
                self.through[lane, self.ns + t.lane_gate[k]] = 1.0
            if t.lane_licence[lane] >= 0:
                self.through[lane, self.ns + ng + t.lane_licence[lane]] = 1.0
        self.lane_buyer = np.repeat(np.arange(self.nb), np.diff(t.lane_ptr))
        self.closed = self.capacity <= 1e-6 * self.scale
        self.wanting = self.demand(np.full(self.nb, -50.0)) > 0
        weight = c.weight[:, 0]
        self.open = (weight > 0) & ~(self.through[:, self.closed] > 0).any(axis=1)
        self.open &= self.wanting[self.lane_buyer]
        self.served = np.isin(np.arange(self.nb), self.lane_buyer[self.open])
        self.rows = np.isfinite(self.capacity) & (self.through[self.open].sum(axis=0) > 0)
        self.log_weight = np.where(self.open, np.log(np.where(self.open, weight, 1.0)), -np.inf)
        self.turn_cap = np.array([self._turn(b, c.demand_cap[b, 0]) for b in range(self.nb)])
        self.turn_zero = np.array([self._turn(b, 0.0) for b in range(self.nb)])

    def wanted(self, v: Array) -> Array:
        c = self.case
        return (
            c.demand_flow[:, 0] * np.exp(-c.demand_elasticity[:, 0] * v)
            + c.demand_stock[:, 0] * np.exp(-c.demand_stock_rate[:, 0] * v)
            + c.demand_offset[:, 0]
        )

    def demand(self, v: Array) -> Array:
        return np.clip(self.wanted(v), 0.0, self.case.demand_cap[:, 0])

    def _turn(self, b: int, level: float) -> float:
        """Return the price at which wanted demand crosses a level, within (-60, V_MAX)."""

        def gap(v: float) -> float:
            return float(self.wanted(np.full(self.nb, v))[b]) - level

        if not np.isfinite(level) or gap(-60.0) <= 0:
            return -60.0
        return self.case.v_max if gap(self.case.v_max) >= 0 else float(brentq(gap, -60.0, self.case.v_max, xtol=1e-14))

    def demand_integral(self, v: Array) -> Array:
        """Return the integral of demand from v to v_max."""
        c = self.case

        def primitive(x: Array) -> Array:
            total = c.demand_offset[:, 0] * x
            for q, k in ((c.demand_flow, c.demand_elasticity), (c.demand_stock, c.demand_stock_rate)):
                rate = np.where(k[:, 0] > 0, k[:, 0], 1.0)
                total = total + q[:, 0] * np.where(k[:, 0] > 0, -np.exp(-rate * x) / rate, x)
            return total

        high = np.maximum(self.turn_zero, v)
        low = np.clip(self.turn_cap, v, high)
        cap = np.where(low > v, c.demand_cap[:, 0], 0.0)
        return cap * (low - v) + primitive(high) - primitive(low)

    def flows(self, lam: Array, v: Array) -> Array:
        """Return f_l (1)."""
        with np.errstate(over="ignore"):
            return np.exp(
                self.log_weight + (v[self.lane_buyer] - self.through @ lam - self.case.wedge[:, 0]) / self.theta
            )

    def dual(self, lam: Array, v: Array) -> tuple[float, Array, Array]:
        """Return Phi and its gradients in lam and v; rows out of force count nothing."""
        f = self.flows(lam, v)
        capacity = np.where(self.rows, self.capacity, 0.0)
        inflow = np.bincount(self.lane_buyer, f, self.nb)
        value = self.theta * f.sum() + capacity @ (lam - self.floor) + self.demand_integral(v)[self.served].sum()
        slope = np.where(self.rows, self.capacity, 0.0) - np.where(self.rows, self.through.T @ f, 0.0)
        return float(value), slope, np.where(self.served, inflow - self.demand(v), 0.0)

    def solve(self) -> tuple[float, Array, Array, float]:
        """Minimise the dual by L-BFGS-B; return its value, lam, v and the largest projected gradient."""
        n = self.floor.size
        unit = max(float(np.max(self.scale, initial=0.0)), 1e-300)

        def objective(x: Array) -> tuple[float, Array]:
            value, by_lam, by_v = self.dual(x[:n], x[n:])
            return value / unit, np.concatenate([by_lam, by_v]) / unit

        bounds = [(f, None) if r else (f, f) for f, r in zip(self.floor, self.rows, strict=True)]
        bounds += [(-50.0, self.case.v_max) if s else (0.0, 0.0) for s in self.served]
        x, projected = np.concatenate([self.floor, np.zeros(self.nb)]), np.inf
        low, high = np.array([b[0] for b in bounds]), np.array([np.inf if b[1] is None else b[1] for b in bounds])
        for _ in range(3):  # restarts shed a stale approximation of the Hessian
            found = minimize(
                objective, x, jac=True, method="L-BFGS-B", bounds=bounds,
                options={"maxfun": 1500, "ftol": 1e-16, "gtol": 1e-9, "maxcor": 20},
            )  # fmt: skip
            x = found.x
            projected = float(np.max(np.abs(np.clip(x - objective(x)[1], low, high) - x), initial=0.0))
            if projected < 1e-7:
                break
        return found.fun * unit, x[:n], x[n:], projected


def stacked(solution: Solution) -> Array:
    """Return the shadow prices of all constraints of replication 0, in the order of Plain."""
    return np.concatenate([solution.shadow[:, 0], solution.gate_shadow[:, 0], solution.licence_shadow[:, 0]])


def kkt_residual(plain: Plain, solution: Solution) -> float:
    """Return the largest violation of the equilibrium conditions, relative to each row's capacity."""
    lam, v = stacked(solution), solution.log_price[:, 0]
    lam = np.where(plain.closed, plain.floor, lam)
    f = plain.flows(lam, v)
    size = np.maximum(plain.capacity, 1e-3 * plain.scale)
    excess = (plain.through.T @ f - plain.capacity) / np.where(np.isfinite(size), size, 1.0)
    tight = lam > plain.floor
    rows = np.where(tight, np.abs(excess), np.maximum(excess, 0.0))[plain.rows]
    below = np.maximum(plain.floor - lam, 0.0)
    inflow, wanted = np.bincount(plain.lane_buyer, f, plain.nb), plain.demand(v)
    gap = inflow - wanted
    gap = np.where(v >= plain.case.v_max, np.maximum(gap, 0.0), np.abs(gap))
    # Demand is a difference of large terms: near the price where it ends, what is left of it is rounding.
    terms = plain.case.demand_flow[:, 0] + plain.case.demand_stock[:, 0]
    gap /= np.maximum(np.maximum(wanted, 1e-4 * terms), 1e-300)
    over = np.maximum(v - plain.case.v_max, 0.0)
    parts = [rows, below, gap[plain.served], over]
    return float(max(np.max(p, initial=0.0) for p in parts))


# ---- Random markets


def random_case(rng: np.random.Generator, largest: int = 5) -> Case:
    """Return a market of any kind that a review may meet, and some that it should not."""
    ns, nb = rng.integers(1, largest + 1, 2)
    density = rng.choice([0.4, 0.8, 1.0])
    lanes = [(b, s) for b in range(nb) for s in range(ns) if rng.random() < density] or [(0, 0)]
    ng = int(rng.integers(0, 4))
    sets = []
    for g in range(ng):
        if g > 0 and rng.random() < 0.4:  # nested in, or the same as, the gate before
            sets.append({x for x in sets[-1] if rng.random() < rng.choice([0.6, 1.0])})
        else:
            sets.append({x for x in range(len(lanes)) if rng.random() < 0.5})
    licences, lane_licence, number = [0] * nb, [-1] * len(lanes), 0
    for b in range(nb):
        for _ in range(int(rng.choice([0, 0, 1, 2]))):
            mine = [i for i, lane in enumerate(lanes) if lane[0] == b and lane_licence[i] < 0 and rng.random() < 0.6]
            for i in mine:
                lane_licence[i] = number
            licences[b] += 1
            number += 1
    gates = [[g for g in range(ng) if i in sets[g]] for i in range(len(lanes))]
    topology = make_topology(ns, nb, lanes, ng, gates, licences, lane_licence)
    return _random_numbers(rng, topology)


def _random_numbers(rng: np.random.Generator, t: MarketTopology) -> Case:
    """Return the case with volumes, demand and capacities drawn."""
    ns, nb, ng = int(t.supplier_ptr[-1]), int(t.buyer_ptr[-1]), int(t.gate_ptr[-1])
    nl, npr = t.lane_supplier.size, int(t.licence_ptr[-1])
    buyer = np.repeat(np.arange(nb), np.diff(t.lane_ptr))
    weight = rng.lognormal(0.0, 1.5, nl) * 10.0 ** rng.uniform(-2, 4)
    usual = np.maximum(np.bincount(buyer, weight, nb), 1e-3 * weight.mean())
    made = np.maximum(np.bincount(t.lane_supplier, weight, ns), 1e-3 * weight.mean())
    passed = np.repeat(np.arange(nl), np.diff(t.lane_gate_ptr))
    gate_scale = np.maximum(np.bincount(t.lane_gate, weight[passed], ng), 1e-3 * weight.mean())
    licensed = t.lane_licence >= 0
    licence_scale = np.maximum(np.bincount(t.lane_licence[licensed], weight[licensed], npr), 1e-3 * weight.mean())

    def capacity(scale: Array, odds: list[float]) -> Array:
        """Draw ample, tight, scarce, near-empty and empty capacities."""
        kind = rng.choice(5, scale.size, p=odds)
        share = np.choose(
            kind,
            [rng.uniform(1.5, 8, scale.size), rng.uniform(0.3, 1.2, scale.size),
             rng.uniform(0.01, 0.3, scale.size), 10.0 ** rng.uniform(-7, -2, scale.size), np.zeros(scale.size)],
        )  # fmt: skip
        return share * scale

    available = capacity(made, [0.4, 0.35, 0.12, 0.08, 0.05])
    available[rng.random(ns) < 0.03] = np.inf
    gate_cap = capacity(gate_scale, [0.15, 0.45, 0.25, 0.1, 0.05])
    gate_cap[rng.random(ng) < 0.2] = np.inf
    licence_cap = capacity(licence_scale, [0.15, 0.45, 0.25, 0.1, 0.05])
    licence_cap[rng.random(npr) < 0.2] = np.inf
    weight[rng.random(nl) < 0.1] = 0.0
    wedge = np.where(rng.random(nl) < 0.3, np.log1p(rng.uniform(0, 1.5, nl)), 0.0)
    steady = rng.random(nb) < 0.3  # pure isoelastic demand, whose price reaches the cap
    flow = usual * rng.uniform(0.5, 1.5, nb)
    stock = np.where(steady, 0.0, flow * rng.uniform(0.5, 8, nb))
    offset = np.where(steady, 0.0, -stock * rng.uniform(0.6, 1.4, nb))
    flow[rng.random(nb) < 0.03] = 0.0
    nothing = rng.random(nb) < 0.03
    flow[nothing], stock[nothing], offset[nothing] = 0.0, 0.0, 0.0
    return make_case(
        t,
        float(rng.choice([0.09, 0.15, 0.32, 1.0])),
        weight=weight, wedge=wedge, demand_flow=flow, demand_elasticity=rng.choice([0.0, 0.06, 0.1, 0.5], nb),
        demand_stock=stock, demand_stock_rate=rng.uniform(0.8, 2.0, nb), demand_offset=offset,
        demand_cap=np.where(rng.random(nb) < 0.3, rng.uniform(0.5, 1.5, nb), 4.0) * usual,
        available=available, floor=rng.uniform(-1.2, 1.0, ns) * (rng.random(ns) < 0.8), supplier_scale=made,
        gate_cap=gate_cap, gate_scale=gate_scale, licence_cap=licence_cap, licence_scale=licence_scale,
    )  # fmt: skip
