"""Compiled shipments: what is under way, in a ring of reviews; replication is the last, contiguous axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def reviews_under_way(lead_time: Array, review: float, steps: Array, reach: Index) -> None:
    """Fill lead times in reviews, (lane, replication), and the fewest and most whole ones of each lane, (lane, 2)."""
    for lane in range(steps.shape[0]):
        fewest, most = 1 << 30, 0
        for r in range(steps.shape[1]):
            steps[lane, r] = lead_time[lane, r] / review
            fewest, most = min(fewest, int(steps[lane, r])), max(most, int(steps[lane, r]))
        reach[lane, 0], reach[lane, 1] = fewest, most


@njit(cache=True, error_model="numpy")
def ship(
    pipeline: Array,
    returning: Array,
    head: int,
    flow: Array,
    steps: Array,
    reach: Index,
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
    pipeline : (slot, buyer, replication) float, t
        Ring buffer; slot ``head`` arrives next.
    returning : (slot, supplier, replication) float, t
        Refused goods on their way back to the seller's stock.
    flow : (lane, replication) float, t
    steps, reach : (lane, replication) float and (lane, 2) int, reviews
        As `reviews_under_way` fills them.
    border_days : (lane, replication) float, d
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
        Longest time under way in reviews, to check that the ring is long enough.
    """
    slots, reps, longest = pipeline.shape[0], flow.shape[1], 0.0
    amount = np.empty(reps)
    shipped[:] = 0.0
    received[:] = 0.0
    back[:] = 0.0
    for lane in range(flow.shape[0]):
        seller, buyer = lane_supplier[lane], lane_buyer[lane]
        held, used = 0, 0
        for r in range(reps):
            used += flow[lane, r] > 0.0
            held += border_share[lane, r] > 0.0
        if used == 0:
            continue
        for r in range(reps):
            amount[r] = flow[lane, r]
            shipped[seller, r] += amount[r]
            received[buyer, r] += amount[r]
        if held > 0:
            late = _hold(pipeline, returning, head, review, lane, seller, buyer, steps[lane], border_days, border_share,
                         refused, amount, received, back)  # fmt: skip
            longest = max(longest, late)
        longest = max(longest, float(reach[lane, 1]))
        for k in range(reach[lane, 0], reach[lane, 1] + 2):
            slot = (head + min(k, slots) - 1) % slots
            for r in range(reps):
                # Of what is under way for 3.4 reviews, 0.6 land with the third and 0.4 with the fourth.
                share = min(1.0 - (steps[lane, r] - k), steps[lane, r] - (k - 1))
                pipeline[slot, buyer, r] += amount[r] * max(share, 0.0)
    return longest


@njit(error_model="numpy")
def _hold(
    pipeline: Array, returning: Array, head: int, review: float, lane: int, seller: int, buyer: int, steps: Array,
    border_days: Array, border_share: Array, refused: Array, amount: Array, received: Array, back: Array,
) -> float:  # fmt: skip
    """Take off a lane's shipments what waits at the border and put that on its way; return the longest wait."""
    slots, longest = pipeline.shape[0], 0.0
    for r in range(amount.size):
        if border_share[lane, r] > 0.0 and amount[r] > 0.0:
            waiting = amount[r] * border_share[lane, r]
            amount[r] -= waiting
            late = steps[r] + border_days[lane, r] / review
            returns = waiting * refused[lane, r]
            _land(pipeline, head, slots, buyer, r, waiting - returns, late)
            if returns > 0.0:
                _land(returning, head, slots, seller, r, returns, max(1.0, border_days[lane, r] / review))
                received[buyer, r] -= returns
                back[seller, r] += returns
            longest = max(longest, late)
    return longest


@njit(error_model="numpy")
def _land(ring: Array, head: int, slots: int, row: int, r: int, amount: float, steps: float) -> None:
    """Add an amount that lands ``steps`` reviews from now (the slot at ``head`` is one review away).

    What would land beyond the ring is put into its last slots; `ship` says how long the ring must be.
    """
    whole = min(int(steps), slots)
    late = steps - int(steps)
    first = head + whole - 1
    first = first - slots if first >= slots else first
    first = first + slots if first < 0 else first
    ring[first, row, r] += amount * (1.0 - late)
    if late > 0.0:
        second = first + 1 if first + 1 < slots else 0
        ring[second, row, r] += amount * late


@njit(cache=True, error_model="numpy")
def fill_pipeline(pipeline: Array, flow: Array, lead_time: Array, review: float, lane_buyer: Index) -> None:
    """Put on their way what flows at the start: of a lead time, a full review's flow in each slot it spans.

    Parameters
    ----------
    pipeline : (slot, buyer, replication) float, t
        Added to, slot 0 being the first review.
    flow : (lane, replication) float, t/d
    lead_time : (lane, replication) float, d
    """
    for lane in range(flow.shape[0]):
        for r in range(flow.shape[1]):
            steps, amount = lead_time[lane, r] / review, flow[lane, r] * review
            whole = int(steps)
            for k in range(whole):
                pipeline[k, lane_buyer[lane], r] += amount
            pipeline[whole, lane_buyer[lane], r] += amount * (steps - whole)


@njit(cache=True, error_model="numpy")
def landing_within(pipeline: Array, head: int, days: Array, review: float, slots_ahead: int, out: Array) -> Array:
    """Return goods that land within some days, taking the arrivals of a review as spread over it.

    Parameters
    ----------
    pipeline : (slot, buyer, replication) float, t
    days : (buyer, replication) float, d
    slots_ahead : int
        Reviews that can matter: at least the largest ``days`` over the review.
    out : (buyer, replication) float, t
        Overwritten and returned.
    """
    slots, reps = pipeline.shape[0], out.shape[1]
    out[:] = 0.0
    for k in range(slots_ahead):
        slot = (head + k) % slots
        for b in range(out.shape[0]):
            for r in range(reps):
                share = min(max((days[b, r] - k * review) / review, 0.0), 1.0)
                out[b, r] += share * pipeline[slot, b, r]
    return out
