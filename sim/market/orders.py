"""What buyers ask for and sellers ask: the price-dependent base-stock policy and the reserve price.

Compiled over arrays ``(row, replication)``; docs/model.md, equations 6 to 9. The demand of a buyer over a
review is ``D(v) = clip(flow * exp(-elasticity * v) + stock * exp(-v / phi_b) + offset, 0, cap)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, logarithm, njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

SCARCITY_LOW, SCARCITY_HIGH = -1.2, 1.5
"""Bounds of the log reserve price that stocks alone can move."""

URGENCY_WINDOW = 20.0
"""Days of use below which a shelf begins to feel empty, unless half the buyer's cover is less."""

START_UP_DAYS = 180.0
"""A new plant fills its first shelf over at least this time."""


class Demand(NamedTuple):
    """Coefficients of buyers' demand curves over one review, each (buyer, replication).

    Attributes
    ----------
    flow, stock, offset, cap : t
    elasticity, stock_rate : 1
    """

    flow: Array
    elasticity: Array
    stock: Array
    stock_rate: Array
    offset: Array
    cap: Array


def urgency_window(cover: Array) -> Array:
    """Return m = min(20 d, cover / 2), in days."""
    return np.asarray(np.minimum(URGENCY_WINDOW, 0.5 * cover))


@njit(cache=True, error_model="numpy")
def order_demand(
    requirement: Array,
    on_hand: Array,
    in_transit: Array,
    landing: Array,
    cover: Array,
    window: Array,
    settled: Mask,
    hoarding: Array,
    lead: Array,
    passed_on: Array,
    smoothing: Array,
    precaution_days: Array,
    phi_b: Array,
    close: Array,
    kappa: Array,
    v_max: float,
    review: float,
    urgency: Array,
    flow: Array,
    stock: Array,
    stock_rate: Array,
    offset: Array,
    cap: Array,
) -> None:
    """Fill demand over a review under the price-dependent base-stock policy (docs/model.md, equations 6 and 7).

    Parameters
    ----------
    requirement : (buyer, replication) float, t/d
    on_hand, in_transit, landing : (buyer, replication) float, t
        Stock after consumption and before this order, goods under way, and those that land within half the window.
    cover, window, lead : (buyer, replication) float, d
        The window is that of `urgency_window`; the lead time is the one buyers expect.
    settled : (buyer, replication) bool
        Whether a plant has filled its shelf once: until then an empty one is not urgent.
    hoarding : (buyer, replication) float
        h.
    passed_on : (buyer or 0, replication) float
        Log price that buyers add to their bid.
    smoothing, precaution_days, phi_b, close, kappa : (replication,) float
        The EWMA weight of urgency, then behaviour; `close` is T_b.
    v_max : float
    urgency : (buyer, replication) float
        EWMA of the gap g in [0, 1] on the shelf, changed in place.
    flow, stock, stock_rate, offset, cap : (buyer, replication) float
        Overwritten: as in `Demand`.
    """
    reps = urgency.shape[1]
    lift, ready, slow = np.empty(reps), np.empty(reps), np.empty(reps)
    for b in range(requirement.shape[0]):
        for r in range(reps):
            ready[r] = 1.0 if settled[b, r] else 0.0
            slow[r] = close[r] if settled[b, r] else max(close[r], START_UP_DAYS)
        for r in range(reps):
            need = window[b, r] * requirement[b, r]
            some = need > 0.0
            full = (on_hand[b, r] + landing[b, r]) / (need if some else 1.0)
            gap = max(0.0, 1.0 - (full if some else 1.0))
            gap = (gap if cover[b, r] > 0.0 else 0.0) * ready[r]
            urgency[b, r] += smoothing[r] * (gap - urgency[b, r])
            lift[r] = v_max * min(gap, urgency[b, r])
        if passed_on.shape[0] > 0:
            for r in range(reps):
                lift[r] += passed_on[b, r]
        for r in range(reps):
            needed, rate, per_day = requirement[b, r], 1.0 / phi_b[r], review / slow[r]
            days = cover[b, r] + precaution_days[r] * hoarding[b, r] + lead[b, r]
            stock_rate[b, r] = rate
            stock[b, r] = per_day * needed * days * exponential(lift[r] * rate)
            offset[b, r] = -per_day * (on_hand[b, r] + in_transit[b, r] + needed * review)
            flow[b, r] = review * needed
            cap[b, r] = review * kappa[r] * needed


@njit(cache=True, error_model="numpy")
def make_offers(  # noqa: C901
    sales_start: Array,
    growth: Array,
    material: Index,
    made: Array,
    made_at: Index,
    opened: Array,
    utilisation: Array,
    cover: Array,
    sales: Array,
    on_hand: Array,
    world_caution: Array,
    controlled: Mask,
    input_cost: Array,
    release: Array,
    release_reserve: Array,
    phi_s: Array,
    gamma: Array,
    review: float,
    scarcity: Array,
    caution: Array,
    available: Array,
    reserve: Array,
    scale: Array,
) -> None:
    """Fill what suppliers offer, t, and at which log price (docs/model.md, equations 8 and 9).

    What stock alone adds to the reserve price is ``clip(-phi_s ln(stock / target), low, high)``, the theory of storage.

    Parameters
    ----------
    sales_start, sales : (supplier, replication) float, t/d
        At the start, and smoothed.
    growth, world_caution : (material, replication) float
    material : (supplier,) int
    made : (supplier, replication) float
        Output per unit of throughput.
    made_at : (supplier,) int
        Facility; -1 for stockpiles, which offer what is released at the reserve of the release.
    opened, utilisation : (facility, replication) float
        Capacity of plants that opened since the start, units per day, and the usual share of it.
    cover : (supplier, replication) float, d
    on_hand : (supplier, replication) float, t
    controlled : (supplier or 0, replication) bool
        Suppliers under an export control, who feel no caution.
    input_cost : (supplier, replication) float
    release, release_reserve : (supplier, replication) float, t and log
    phi_s, gamma : (replication,) float
    scarcity, caution : (supplier, replication) float
        Overwritten, as are the rest:
    available, reserve, scale : (supplier, replication) float, t, log and t
        The scale is what is usually sold in a review.
    """
    reps = scale.shape[1]
    usual = np.empty(reps)
    for s in range(material.size):
        m, f, grown = material[s], made_at[s], 0
        for r in range(reps):
            usual[r] = sales_start[s, r] * growth[m, r]
        if f >= 0:
            for r in range(reps):
                grown += opened[f, r] != 0.0
        if grown > 0:
            for r in range(reps):
                usual[r] += made[s, r] * opened[f, r] * utilisation[f, r]
        for r in range(reps):
            scale[s, r] = max(max(usual[r], sales[s, r]) * review, 1e-12)
        if f < 0:
            for r in range(reps):
                available[s, r] = max(release[s, r], 0.0)
                scarcity[s, r], caution[s, r] = release_reserve[s, r], 0.0
                reserve[s, r] = release_reserve[s, r]
            continue
        for r in range(reps):
            held, target = on_hand[s, r], cover[s, r] * max(usual[r], sales[s, r])
            some = target > 0.0
            ratio = held / (target if some else 1.0)
            ratio = ratio if some else 1.0
            lack = min(max(-phi_s[r] * logarithm(min(max(ratio, 1e-30), 1e30)), SCARCITY_LOW), SCARCITY_HIGH)
            fear = gamma[r] * world_caution[m, r]
            scarcity[s, r], caution[s, r], available[s, r] = lack, fear, max(held, 0.0)
            reserve[s, r] = lack + input_cost[s, r] + fear
        if controlled.shape[0] > 0:
            for r in range(reps):
                if controlled[s, r]:
                    caution[s, r] = 0.0
                    reserve[s, r] = scarcity[s, r] + input_cost[s, r] + caution[s, r]
