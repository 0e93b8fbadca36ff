"""The reference model as one compiled loop: what a machine can do when nothing is cleared, priced or recorded.

The same equations as `reference_simpy`, for plain arrays of nodes and lanes, without events or objects. It is the
other yardstick: the distance to it is what markets, prices, policies and recording cost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference_simpy import BURN_IN, IDLE_SHARE, Plan, Renewal
from sim.compiled import njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """A plan as arrays. Nodes are the sites first, then the users; lanes are sorted by buyer."""

    order: Index
    sites: Array
    users: Array
    lane_supplier: Index
    lane_lead: Index
    lane_route: Index
    lane_flow: Array
    in_ptr: Index
    out_ptr: Index
    out_lane: Index
    routes: Array


def lay_out(plan: Plan) -> Layout:
    """Return a plan as arrays.

    Returns
    -------
    Layout
        `sites` (site, 10): throughput, capacity, cover, recipe, input cover, severity, and the renewal in three;
        `users` (user, 2): use and cover; `routes` (route, 3). Only one route counts per lane.
    """
    links = sorted(plan.links, key=lambda link: link.buyer)
    supplier = np.array([link.supplier for link in links], dtype=np.int64)
    buyer = np.array([link.buyer for link in links], dtype=np.int64)
    nodes = len(plan.sites) + len(plan.users)
    downstream = sorted(range(len(plan.sites)), key=lambda f: -plan.sites[f].stage)
    return Layout(
        np.array([*range(len(plan.sites), nodes), *downstream], dtype=np.int64),
        np.array(
            [
                (s.throughput, s.capacity, s.cover, s.recipe, s.input_cover, s.severity, *_numbers(s.outage))
                for s in plan.sites
            ]
        ),
        np.array([(user.use, user.cover) for user in plan.users]),
        supplier,
        np.array([link.lead for link in links], dtype=np.int64),
        np.array([link.routes[0] if link.routes else -1 for link in links], dtype=np.int64),
        np.array([link.flow for link in links]),
        np.searchsorted(buyer, np.arange(nodes + 1)).astype(np.int64),
        np.searchsorted(np.sort(supplier), np.arange(nodes + 1)).astype(np.int64),
        np.argsort(supplier, kind="stable").astype(np.int64),
        np.array([_numbers(renewal) for renewal in plan.routes]).reshape(-1, 3),
    )


def _numbers(renewal: Renewal | None) -> tuple[float, float, float]:
    return (renewal.failure, renewal.repair, renewal.shape) if renewal else (0.0, 0.0, 0.0)


def run_bare(plan: Plan, layout: Layout, seed: int, replications: int) -> tuple[Array, Array]:
    """Return the fill rate of all users together and the mean availability, each (replication,)."""
    return run_kernel(
        plan.step, np.array(plan.growth), plan.order_time, plan.stock_time, plan.most_orders, plan.smoothing,
        plan.noise, plan.noise_days, layout.order, layout.sites, layout.users, layout.lane_supplier, layout.lane_lead,
        layout.lane_route, layout.lane_flow, layout.in_ptr, layout.out_ptr, layout.out_lane, layout.routes,
        np.random.Generator(np.random.PCG64(seed)), replications,
    )  # fmt: skip


@njit(error_model="numpy")
def down_at(luck: np.random.Generator, failure: float, repair: float, shape: float, step: int, down: Array) -> None:
    """Fill whether one renewal process is down at the start of each review."""
    down[:] = 0.0
    clock = -BURN_IN * (failure + repair)
    while clock < down.size * step:
        start = clock + luck.exponential(failure)
        clock = start + luck.lognormal(np.log(repair) - 0.5 * shape**2, shape)
        for k in range(max(0, int(np.ceil(start / step))), min(down.size, int(np.ceil(clock / step)))):
            down[k] = 1.0


@njit(cache=True, error_model="numpy")
def run_kernel(  # noqa: C901  (one loop, as a kernel is)
    step: int, growth: Array, order_time: float, stock_time: float, most_orders: float, smoothing: float,
    noise: float, noise_days: float, order: Index, sites: Array, users: Array, supplier: Index, lead: Index,
    route: Index, flow: Array, in_ptr: Index, out_ptr: Index, out_lane: Index, routes: Array,
    luck: np.random.Generator, replications: int,
) -> tuple[Array, Array]:  # fmt: skip
    """Run replications one after the other; see `Layout` for the arrays and `reference_simpy` for the equations."""
    reviews, plants, nodes, lanes = growth.size, sites.shape[0], order.size, supplier.size
    fill, availability = np.zeros(replications), np.zeros(replications)
    down, closed = np.zeros((plants, reviews)), np.zeros((routes.shape[0], reviews))
    shelf, under_way, stock, sales = np.empty(nodes), np.empty(nodes), np.empty(plants), np.empty(plants)
    mood, cover_and_lead, base = np.empty(nodes), np.empty(nodes), np.empty(nodes)
    pipeline, ordered, share = np.empty((lanes, lead.max())), np.zeros(lanes), np.zeros(lanes)
    head = np.empty(lanes, dtype=np.int64)  # where the queue of a lane starts: lands next, then is filled again
    keep = np.exp(-step / noise_days)
    spread = np.sqrt(1.0 - keep**2)
    for r in range(replications):
        for i in range(plants):
            if sites[i, 6] > 0.0:
                down_at(luck, sites[i, 6], sites[i, 7], sites[i, 8], step, down[i])
        for j in range(routes.shape[0]):
            down_at(luck, routes[j, 0], routes[j, 1], routes[j, 2], step, closed[j])
        for n in range(nodes):
            base[n] = sites[n, 0] * sites[n, 3] if n < plants else users[n - plants, 0]
            cover = sites[n, 4] if n < plants else users[n - plants, 1]
            shelf[n], under_way[n], mood[n], cover_and_lead[n] = base[n] * cover, 0.0, luck.normal(), cover
            for lane in range(in_ptr[n], in_ptr[n + 1]):
                pipeline[lane] = flow[lane] * step
                under_way[n] += flow[lane] * step * lead[lane]
                share[lane], head[lane] = flow[lane] / base[n], 0
                cover_and_lead[n] += share[lane] * lead[lane] * step
            if n < plants:
                sales[n], stock[n] = sites[n, 0], sites[n, 0] * (sites[n, 2] - step)
        used = wanted = 0.0
        for k in range(reviews):
            for n in order:
                for lane in range(in_ptr[n], in_ptr[n + 1]):
                    landed = pipeline[lane, head[lane]]
                    shelf[n] += landed
                    under_way[n] -= landed
                if n >= plants:
                    need = base[n] * growth[k] * np.exp(noise * mood[n] - 0.5 * noise**2)
                    mood[n] = keep * mood[n] + spread * luck.normal()
                    taken = min(need * step, shelf[n])
                    used += taken
                    wanted += need * step
                    shelf[n] -= taken
                else:
                    usual, up = sites[n, 0] * growth[k], 1.0 - sites[n, 5] * down[n, k]
                    availability[r] += up
                    gap = (sites[n, 2] * max(usual, sales[n]) - stock[n] - sales[n] * step) / stock_time
                    wish = min(max(sales[n] + gap, 0.0), sites[n, 1] * growth[k] * up)
                    made = wish
                    if sites[n, 3] > 0.0:
                        made = min(wish, shelf[n] / (sites[n, 3] * step))
                        shelf[n] -= made * sites[n, 3] * step
                    stock[n] += made * step
                    need = sites[n, 3] * max(wish, IDLE_SHARE * usual)
                gap = (need * cover_and_lead[n] - shelf[n] - under_way[n] - need * step) / order_time
                amount = step * min(max(need + gap, 0.0), most_orders * need)
                for lane in range(in_ptr[n], in_ptr[n + 1]):
                    ordered[lane] = amount * share[lane]
                if n < plants:
                    total = 0.0
                    for i in range(out_ptr[n], out_ptr[n + 1]):
                        lane = out_lane[i]
                        if route[lane] >= 0 and closed[route[lane], k] > 0.0:
                            ordered[lane] = 0.0
                        total += ordered[lane]
                    part = min(1.0, stock[n] / total) if total > 0.0 else 0.0
                    for i in range(out_ptr[n], out_ptr[n + 1]):
                        lane = out_lane[i]
                        ordered[lane] *= part
                        pipeline[lane, head[lane]] = ordered[lane]
                        head[lane] = head[lane] + 1 if head[lane] + 1 < lead[lane] else 0
                    stock[n] = max(stock[n] - total * part, 0.0)
                    sales[n] += smoothing * (total * part / step - sales[n])
            for n in range(nodes):
                for lane in range(in_ptr[n], in_ptr[n + 1]):
                    under_way[n] += ordered[lane]
        fill[r] = used / wanted
    return fill, availability / (reviews * plants)
