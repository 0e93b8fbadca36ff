"""Compiled shipments: what is under way, in a ring of reviews; replication is the last, contiguous axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


@njit(cache=True, error_model="numpy")
def reviews_under_way(lead_time: Array, review: float, steps: Array, reach: Index) -> None:
    """Fill lead times in reviews, (lane, replication), and the fewest and most whole ones of each lane, (lane, 2)."""
    for lane in range(steps.shape[0]):
        fewest, most = 1 << 30, 0
        for r in range(steps.shape[1]):
            steps[lane, r] = lead_time[lane, r] / review
            fewest, most = min(fewest, int(steps[lane, r])), max(most, int(steps[lane, r]))
        reach[lane, 0], reach[lane, 1] = fewest, most


class Courses:
    """Lanes to one buyer that take as long as each other, in all replications: what they carry is one shipment.

    Attributes
    ----------
    lane : (lane,) int
        Sorted by course, courses by buyer.
    ptr : (course + 1,) int
        Lanes of course c are ``lane[ptr[c]:ptr[c + 1]]``.
    steps, reach : (course, replication) float and (course, 2) int
        As `reviews_under_way` fills them.
    """

    def __init__(self, lead_time: Array, lane_buyer: Index, review: float) -> None:
        found: dict[tuple[int, bytes], list[int]] = {}
        for lane, buyer in enumerate(lane_buyer):
            found.setdefault((int(buyer), lead_time[lane].tobytes()), []).append(lane)
        courses = sorted(found.values(), key=lambda lanes: (lane_buyer[lanes[0]], lanes[0]))
        self.lane = np.array([lane for lanes in courses for lane in lanes], dtype=np.int64)
        self.ptr = np.cumsum([0, *(len(lanes) for lanes in courses)]).astype(np.int64)
        self.steps = np.empty((len(courses), lead_time.shape[1]))
        self.reach = np.empty((len(courses), 2), dtype=np.int64)
        reviews_under_way(lead_time[[lanes[0] for lanes in courses]], review, self.steps, self.reach)


@njit(cache=True, error_model="numpy")
def ship(
    pipeline: Array, returning: Array, head: int, flow: Array, course_lane: Index, course_ptr: Index, steps: Array,
    reach: Index, review: float, waiting: Mask, border_days: Array, border_share: Array, refused: Array,
    lane_supplier: Index, lane_buyer: Index, shipped: Array, received: Array, back: Array,
) -> float:  # fmt: skip
    """Put shipments on their way, split over the two reviews around each arrival so that its mean is exact.

    Parameters
    ----------
    pipeline : (slot, buyer, replication) float, t
        Ring buffer; slot ``head`` arrives next.
    returning : (slot, supplier, replication) float, t
        Refused goods on their way back to the seller's stock.
    flow : (lane, replication) float, t
    course_lane, course_ptr, steps, reach
        As of `Courses`.
    waiting : (lane,) bool
        Lanes on which goods may wait at the border; the others are not looked at.
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
    load, amount = np.empty(reps), np.empty(reps)
    shipped[:] = 0.0
    received[:] = 0.0
    back[:] = 0.0
    for c in range(course_ptr.size - 1):
        buyer, used = lane_buyer[course_lane[course_ptr[c]]], 0
        load[:] = 0.0
        for i in range(course_ptr[c], course_ptr[c + 1]):
            lane = course_lane[i]
            seller = lane_supplier[lane]
            for r in range(reps):
                shipped[seller, r] += flow[lane, r]
                received[buyer, r] += flow[lane, r]
            if waiting[lane]:
                for r in range(reps):
                    used += flow[lane, r] > 0.0
                    amount[r] = flow[lane, r]
                late = _hold(pipeline, returning, head, review, lane, seller, buyer, steps[c], border_days,
                             border_share, refused, amount, received, back)  # fmt: skip
                longest = max(longest, late)
                for r in range(reps):
                    load[r] += amount[r]
            else:
                for r in range(reps):
                    load[r] += flow[lane, r]
        for r in range(reps):
            used += load[r] > 0.0
        if used == 0:
            continue
        longest = max(longest, float(reach[c, 1]))
        for k in range(reach[c, 0], reach[c, 1] + 2):
            slot = (head + min(k, slots) - 1) % slots
            for r in range(reps):
                # Of what is under way for 3.4 reviews, 0.6 land with the third and 0.4 with the fourth.
                share = min(1.0 - (steps[c, r] - k), steps[c, r] - (k - 1))
                pipeline[slot, buyer, r] += load[r] * max(share, 0.0)
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
