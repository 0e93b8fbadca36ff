"""Goods under way on lanes that a measure may stop: kept lane by lane, so that they can be held, diverted or sent back.

The pipeline of `state` knows only who will receive goods. Where a measure says what becomes of goods that have left but
not arrived, the lanes that it covers are followed here beside it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit
from sim.pipeline import fill_pipeline

Array = NDArray[np.float64]
Index = NDArray[np.int64]


class UnderWay:
    """What is under way on some lanes.

    Parameters
    ----------
    lanes : (tracked,) int
    slots : int
        Length of the ring of the pipeline.
    flow : (lane, replication) float, t/d
        At the start.
    lead_time : (lane, replication) float, d
    review : float, d

    Attributes
    ----------
    row : (lane,) int
        Place of each lane among those tracked, -1 for the others.
    ring : (slot, tracked, replication) float, t
        What arrives at each of the next reviews.
    held : (slot, tracked, replication) float, t
        What was stopped and how many reviews, less one, it still has to go.
    """

    def __init__(self, lanes: Index, slots: int, flow: Array, lead_time: Array, review: float) -> None:
        self.lanes = lanes
        self.row = np.full(flow.shape[0], -1, dtype=np.int64)
        self.row[lanes] = np.arange(lanes.size)
        self.ring = np.zeros((slots, lanes.size, flow.shape[1]))
        self.held = np.zeros_like(self.ring)
        fill_pipeline(self.ring, flow[lanes], lead_time[lanes], review, np.arange(lanes.size))

    def ship(self, head: int, flow: Array, steps: Array, border_share: Array) -> None:
        """Follow what is shipped now; what waits at the border has not left and is not followed."""
        follow_shipments(self.ring, head, self.lanes, flow, steps, border_share)


@njit(cache=True, error_model="numpy")
def follow_shipments(ring: Array, head: int, lanes: Index, flow: Array, steps: Array, border_share: Array) -> None:
    """Put shipments of some lanes into a ring, split over the two reviews around each arrival as in `pipeline.ship`.

    Parameters
    ----------
    ring : (slot, tracked, replication) float, t
        Slot ``head`` arrives next.
    lanes : (tracked,) int
    flow : (lane, replication) float, t
    steps : (lane, replication) float, reviews
    border_share : (lane, replication) float
    """
    slots = ring.shape[0]
    for i in range(lanes.size):
        lane = lanes[i]
        for r in range(flow.shape[1]):
            amount = flow[lane, r] * (1.0 - border_share[lane, r])
            if amount > 0.0:
                whole = min(int(steps[lane, r]), slots)
                late = steps[lane, r] - int(steps[lane, r])
                ring[(head + whole - 1) % slots, i, r] += amount * (1.0 - late)
                if late > 0.0:
                    ring[(head + whole) % slots, i, r] += amount * late


@njit(cache=True, error_model="numpy")
def stop(
    ring: Array, held: Array, pipeline: Array, returning: Array, head: int, rows: Index, lanes: Index, share: Array,
    steps: Array, lane_supplier: Index, lane_buyer: Index, onward_ptr: Index, onward: Index, weight: Array, rule: int,
    row_of: Index, in_transit: Array, in_hold: Array, in_return: Array,
) -> float:  # fmt: skip
    """Take goods of some lanes off their way to their buyers, and hold them, send them on or send them back.

    Parameters
    ----------
    ring, held : (slot, tracked, replication) float, t
    pipeline : (slot, buyer, replication) float, t
    returning : (slot, supplier, replication) float, t
    rows, lanes : (stopped,) int
        Place among those tracked, and lane.
    share : (stopped, replication) float
        Part of what is under way.
    steps : (lane, replication) float, reviews
    onward_ptr, onward : int
        Other lanes of each lane's seller, ``onward[onward_ptr[i]:onward_ptr[i + 1]]``.
    weight : (lane, replication) float
        In whose proportions goods are diverted to them; where all are zero goods go back.
    rule : int
        0 hold, 1 divert, 2 return.
    row_of : (lane,) int
        Place among those tracked, -1 for none.
    in_transit, in_hold : (buyer, replication) float, t
    in_return : (supplier, replication) float, t

    Returns
    -------
    float
        Tonnes stopped, over all replications.
    """
    slots, stopped = ring.shape[0], 0.0
    for i in range(rows.size):
        row, lane = rows[i], lanes[i]
        seller, buyer = lane_supplier[lane], lane_buyer[lane]
        for r in range(share.shape[1]):
            if share[i, r] <= 0.0:
                continue
            total = 0.0
            for j in range(onward_ptr[i], onward_ptr[i + 1]):
                total += weight[onward[j], r]
            for k in range(slots):
                slot = (head + k) % slots
                amount = min(ring[slot, row, r] * share[i, r], pipeline[slot, buyer, r])
                if amount <= 0.0:
                    continue
                stopped += amount
                ring[slot, row, r] -= amount
                pipeline[slot, buyer, r] -= amount
                in_transit[buyer, r] -= amount
                if rule == 0:
                    held[k, row, r] += amount
                    in_hold[buyer, r] += amount
                elif rule == 1 and total > 0.0:
                    for j in range(onward_ptr[i], onward_ptr[i + 1]):
                        other = onward[j]
                        part = amount * weight[other, r] / total
                        pipeline[slot, lane_buyer[other], r] += part
                        in_transit[lane_buyer[other], r] += part
                        if row_of[other] >= 0:
                            ring[slot, row_of[other], r] += part
                else:
                    # What has been under way for three reviews takes three back.
                    back = min(max(int(steps[lane, r]) - (k + 1), 1), slots)
                    returning[(head + back - 1) % slots, seller, r] += amount
                    in_return[seller, r] += amount
    return stopped


@njit(cache=True, error_model="numpy")
def go_on(
    ring: Array, held: Array, pipeline: Array, head: int, rows: Index, lanes: Index, free: NDArray[np.bool_],
    lane_buyer: Index, in_transit: Array, in_hold: Array,
) -> None:  # fmt: skip
    """Let held goods of some lanes go on, in the replications in which they are free."""
    slots = ring.shape[0]
    for i in range(rows.size):
        row, buyer = rows[i], lane_buyer[lanes[i]]
        for r in range(free.size):
            if free[r]:
                for k in range(slots):
                    amount = held[k, row, r]
                    if amount > 0.0:
                        slot = (head + k) % slots
                        held[k, row, r] = 0.0
                        ring[slot, row, r] += amount
                        pipeline[slot, buyer, r] += amount
                        in_transit[buyer, r] += amount
                        in_hold[buyer, r] -= amount
