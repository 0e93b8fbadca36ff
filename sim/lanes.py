"""Compiled sums and shipments over lanes; replication is the last, contiguous axis throughout."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@njit(cache=True)
def sum_by_buyer(values: Array, lane_ptr: Index, out: Array) -> Array:
    """Sum lane values over each buyer's lanes, in lane order.

    Parameters
    ----------
    values : (lane, replication) float
    lane_ptr : (buyer + 1,) int
    out : (buyer, replication) float
        Overwritten and returned.
    """
    for b in range(lane_ptr.size - 1):
        row = out[b]
        row[:] = 0.0
        for lane in range(lane_ptr[b], lane_ptr[b + 1]):
            row += values[lane]
    return out


@njit(cache=True)
def sum_by_supplier(values: Array, lane_supplier: Index, out: Array) -> Array:
    """Sum lane values over each supplier's lanes, in lane order.

    Parameters
    ----------
    values : (lane, replication) float
    lane_supplier : (lane,) int
    out : (supplier, replication) float
        Overwritten and returned.
    """
    out[:] = 0.0
    for lane in range(lane_supplier.size):
        out[lane_supplier[lane]] += values[lane]
    return out


@njit(cache=True)
def sum_by_group(values: Array, lanes: Index, ptr: Index, out: Array) -> Array:
    """Sum lane values over groups of lanes that need not lie together.

    Parameters
    ----------
    values : (lane, replication) float
    lanes : (member,) int
        Lanes of all groups, one group after the other.
    ptr : (group + 1,) int
        Group g holds ``lanes[ptr[g]:ptr[g + 1]]``.
    out : (group, replication) float
        Overwritten and returned.
    """
    for g in range(ptr.size - 1):
        out[g, :] = 0.0
        for i in range(ptr[g], ptr[g + 1]):
            out[g] += values[lanes[i]]
    return out


@njit(cache=True)
def ship(
    pipeline: Array,
    returning: Array,
    head: int,
    flow: Array,
    lead_time: Array,
    review: float,
    border_days: Array,
    border_share: Array,
    refused: Array,
    lane_supplier: Index,
    lane_buyer: Index,
    shipped: Array,
    received: Array,
    back: Array,
) -> float:
    """Put shipments on their way, split over the two reviews around each arrival so that its mean is exact.

    Parameters
    ----------
    pipeline : (slot, lane, replication) float, t
        Ring buffer; slot ``head`` arrives next.
    returning : (slot, supplier, replication) float, t
        Refused goods on their way back to the seller's stock.
    flow : (lane, replication) float, t
    lead_time, border_days : (lane, replication) float, d
    border_share : (lane, replication) float
        Share of the shipment that waits at the border.
    refused : (lane, replication) float
        Share of the waiting goods that is refused and returns.
    shipped, back : (supplier, replication) float, t
        Overwritten: what leaves each seller, and what of it will return.
    received : (buyer, replication) float, t
        Overwritten: what will reach each buyer.

    Returns
    -------
    float
        Longest wait in reviews, to check that the ring is long enough.
    """
    lanes, reps = pipeline.shape[1], pipeline.shape[2]
    longest = 0.0
    shipped[:] = 0.0
    received[:] = 0.0
    back[:] = 0.0
    for lane in range(lanes):
        seller, buyer = lane_supplier[lane], lane_buyer[lane]
        for r in range(reps):
            amount = flow[lane, r]
            if amount == 0.0:
                continue
            shipped[seller, r] += amount
            received[buyer, r] += amount
            waiting = amount * border_share[lane, r]
            steps = lead_time[lane, r] / review
            _land(pipeline, head, lane, r, amount - waiting, steps)
            if waiting > 0.0:
                late = steps + border_days[lane, r] / review
                returns = waiting * refused[lane, r]
                _land(pipeline, head, lane, r, waiting - returns, late)
                if returns > 0.0:
                    _land(returning, head, seller, r, returns, max(1.0, border_days[lane, r] / review))
                    received[buyer, r] -= returns
                    back[seller, r] += returns
                steps = late
            longest = max(longest, steps)
    return longest


@njit(cache=True)
def _land(ring: Array, head: int, row: int, r: int, amount: float, steps: float) -> None:
    """Add an amount that lands ``steps`` reviews from now (the slot at ``head`` is one review away)."""
    slots = ring.shape[0]
    whole = int(steps)
    late = steps - whole
    first = (head + whole - 1) % slots
    if late > 0.0:
        ring[first, row, r] += amount * (1.0 - late)
        ring[(first + 1) % slots, row, r] += amount * late
    else:
        ring[first, row, r] += amount


@njit(cache=True)
def landing_within(
    pipeline: Array, head: int, days: Array, review: float, lane_ptr: Index, slots_ahead: int, out: Array
) -> Array:
    """Return goods that land within some days, taking the arrivals of a review as spread over it.

    Parameters
    ----------
    days : (buyer, replication) float, d
    slots_ahead : int
        Reviews that can matter: at least the largest ``days`` over the review.
    out : (buyer, replication) float, t
        Overwritten and returned.
    """
    slots = pipeline.shape[0]
    reps = out.shape[1]
    for b in range(lane_ptr.size - 1):
        out[b, :] = 0.0
        for k in range(slots_ahead):
            slot = (head + k) % slots
            for lane in range(lane_ptr[b], lane_ptr[b + 1]):
                for r in range(reps):
                    share = (days[b, r] - k * review) / review
                    if share > 0.0:
                        out[b, r] += min(share, 1.0) * pipeline[slot, lane, r]
    return out


@njit(cache=True)
def relations_now(
    relation: Array, growth: Array, scale: Array, opened: Array, release: Array, lane_buyer: Index, out: Array
) -> Array:
    """Return K of every lane today: relationship times growth and rescaling, as far as the lane is open.

    Parameters
    ----------
    relation, opened, release : (lane, replication) float
        `release` is the prior flow of stockpiles on offer, t/d.
    growth, scale : (buyer, replication) float
    out : (lane, replication) float, t/d
        Overwritten and returned.
    """
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        out[lane] = relation[lane] * growth[b] * scale[b] * opened[lane] + release[lane]
    return out


@njit(cache=True)
def adapt_relations(
    relation: Array,
    flow: Array,
    release: Array,
    baseline: Array,
    growth: Array,
    scale: Array,
    lane_buyer: Index,
    review: float,
    tau_k: Array,
    tau_0: Array,
    floor: float,
) -> None:
    """Let relationships follow trade and return to their origin (docs/model.md, equation 12).

    ``dK/dt = (f - K) / tau_K + (K0 - K) / tau_0`` on lanes that have a baseline, never below a share of it.

    Parameters
    ----------
    relation : (lane, replication) float, t/d
        Changed in place; without growth and rescaling.
    flow : (lane, replication) float, t per review
    release : (lane, replication) float, t/d
        Prior flow of stockpiles, which leaves no relationship.
    baseline : (lane, replication) float, t/d
        K0 with growth and rescaling.
    growth, scale : (buyer, replication) float
    tau_k, tau_0 : (replication,) float, d
    """
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        for r in range(relation.shape[1]):
            factor = growth[b, r] * scale[b, r]
            origin = baseline[lane, r] / factor if factor > 0.0 else 0.0
            if origin > 0.0:
                old = relation[lane, r]
                traded = (flow[lane, r] / review - release[lane, r]) / factor
                new = old + review * ((traded - old) / tau_k[r] + (origin - old) / tau_0[r])
                relation[lane, r] = max(new, floor * origin)


@njit(cache=True)
def mean_lead(
    weight: Array, lead_time: Array, border_days: Array, border_share: Array, lane_ptr: Index, out: Array
) -> Array:
    """Return each buyer's mean lead time with the border delay in force, weighted by baseline flow.

    Parameters
    ----------
    weight : (lane, replication) float, t/d
    lead_time, border_days : (lane, replication) float, d
    border_share : (lane, replication) float
    out : (buyer, replication) float, d
        Overwritten and returned; the plain mean where a buyer has no baseline flow.
    """
    for b in range(lane_ptr.size - 1):
        start, end = lane_ptr[b], lane_ptr[b + 1]
        for r in range(out.shape[1]):
            total, days, plain = 0.0, 0.0, 0.0
            for lane in range(start, end):
                wait = lead_time[lane, r] + border_days[lane, r] * border_share[lane, r]
                total += weight[lane, r]
                days += weight[lane, r] * wait
                plain += wait
            out[b, r] = days / total if total > 0.0 else plain / max(end - start, 1)
    return out
