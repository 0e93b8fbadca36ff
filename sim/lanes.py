"""Compiled shipments and relationships over lanes; replication is the last, contiguous axis throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
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
    pipeline : (slot, buyer, replication) float, t
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
    lanes, reps, slots = flow.shape[0], flow.shape[1], pipeline.shape[0]
    longest = 0.0
    shipped[:] = 0.0
    received[:] = 0.0
    back[:] = 0.0
    for lane in range(lanes):
        seller, buyer = lane_supplier[lane], lane_buyer[lane]
        held, used = False, False
        for r in range(reps):
            held = held or border_share[lane, r] > 0.0
            used = used or flow[lane, r] > 0.0
        if not used:
            continue
        for r in range(reps):
            shipped[seller, r] += flow[lane, r]
            received[buyer, r] += flow[lane, r]
        for r in range(reps):
            amount = flow[lane, r]
            if amount == 0.0:
                continue
            steps = lead_time[lane, r] / review
            if held and border_share[lane, r] > 0.0:
                waiting = amount * border_share[lane, r]
                amount -= waiting
                late = steps + border_days[lane, r] / review
                returns = waiting * refused[lane, r]
                _land(pipeline, head, slots, buyer, r, waiting - returns, late)
                if returns > 0.0:
                    _land(returning, head, slots, seller, r, returns, max(1.0, border_days[lane, r] / review))
                    received[buyer, r] -= returns
                    back[seller, r] += returns
                longest = max(longest, late)
            _land(pipeline, head, slots, buyer, r, amount, steps)
            longest = max(longest, steps)
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


@njit(cache=True, error_model="numpy")
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
        for r in range(out.shape[1]):
            factor = growth[b, r] * scale[b, r]
            out[lane, r] = relation[lane, r] * factor * opened[lane, r] + release[lane, r]
    return out


@njit(cache=True, error_model="numpy")
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
    reps = relation.shape[1]
    follow, recall = review / tau_k, review / tau_0
    inverse = np.empty(reps)
    last = -1
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        if b != last:
            last = b
            for r in range(reps):
                factor = growth[b, r] * scale[b, r]
                inverse[r] = 1.0 / factor if factor > 0.0 else 0.0
        for r in range(reps):
            old = relation[lane, r]
            origin = baseline[lane, r] * inverse[r]
            traded = (flow[lane, r] / review - release[lane, r]) * inverse[r]
            new = max(old + follow[r] * (traded - old) + recall[r] * (origin - old), floor * origin)
            relation[lane, r] = new if origin > 0.0 else old


@njit(cache=True, error_model="numpy")
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
    reps = out.shape[1]
    total, plain = np.empty(reps), np.empty(reps)
    for b in range(lane_ptr.size - 1):
        start, end = lane_ptr[b], lane_ptr[b + 1]
        out[b, :] = 0.0
        total[:] = 0.0
        plain[:] = 0.0
        for lane in range(start, end):
            for r in range(reps):
                wait = lead_time[lane, r] + border_days[lane, r] * border_share[lane, r]
                total[r] += weight[lane, r]
                out[b, r] += weight[lane, r] * wait
                plain[r] += wait
        for r in range(reps):
            out[b, r] = out[b, r] / total[r] if total[r] > 0.0 else plain[r] / max(end - start, 1)
    return out


@njit(cache=True, error_model="numpy")
def enter_offtakes(
    relation: Array, lanes: Index, offtake: Index, volume: Array, change: Array, growth: Array, lane_buyer: Index
) -> None:
    """Let new lanes join relationships with what their ramp added since the last review; never below zero.

    Parameters
    ----------
    relation : (lane, replication) float, t/d
        Changed in place; without growth.
    lanes, offtake : (entry,) int
        Lane of each entry and the offtake whose ramp it follows.
    volume : (entry, replication) float, t/d
    change : (offtake, replication) float
    growth : (buyer, replication) float
    """
    for i in range(lanes.size):
        lane = lanes[i]
        b = lane_buyer[lane]
        for r in range(relation.shape[1]):
            relation[lane, r] += volume[i, r] * change[offtake[i], r] / growth[b, r]
    for i in range(lanes.size):
        lane = lanes[i]
        for r in range(relation.shape[1]):
            relation[lane, r] = max(relation[lane, r], 0.0)


@njit(cache=True, error_model="numpy")
def lanes_today(
    baseline: Array,
    growth: Array,
    lane_buyer: Index,
    lanes: Index,
    offtake: Index,
    volume: Array,
    ramp: Array,
    normal: Array,
    scaled: Array,
    scale: Array,
) -> None:
    """Fill lane volumes with growth and offtakes, then rescaled so that no buyer's contracts sum to more than before.

    Parameters
    ----------
    baseline : (lane, replication) float, t/d
    growth : (buyer, replication) float
    lanes, offtake, volume, ramp
        As of `enter_offtakes`.
    normal, scaled : (lane, replication) float, t/d
        Overwritten: before and after rescaling.
    scale : (buyer, replication) float
        Overwritten: 1 to the last bit where nothing was added.
    """
    reps = baseline.shape[1]
    before, after = np.zeros(scale.shape), np.zeros(scale.shape)
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        for r in range(reps):
            normal[lane, r] = baseline[lane, r] * growth[b, r]
            before[b, r] += normal[lane, r]
    for i in range(lanes.size):
        for r in range(reps):
            normal[lanes[i], r] += volume[i, r] * ramp[offtake[i], r]
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        for r in range(reps):
            after[b, r] += normal[lane, r]
    for b in range(scale.shape[0]):
        for r in range(reps):
            less = before[b, r] > 0.0 and after[b, r] > before[b, r]
            scale[b, r] = before[b, r] / after[b, r] if less else 1.0
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        for r in range(reps):
            scaled[lane, r] = normal[lane, r] * scale[b, r]


@njit(cache=True, error_model="numpy")
def structural_risk(
    risk: Array,
    weight: Array,
    structure: Array,
    lane_ptr: Index,
    lane_supplier: Index,
    pair_ptr: Index,
    pair_supplier: Index,
    pair_buyer: Index,
    out: Array,
) -> Array:
    """Return each buyer's mean risk over its lanes: of the lane itself or of its seller's inputs, if that is more.

    Parameters
    ----------
    risk : (lane, replication) float
    weight : (lane, replication) float, t/d
    structure : (buyer, replication) float
        Structural risk of the last review.
    pair_ptr, pair_supplier, pair_buyer : int
        Inputs of supplier ``pair_supplier[i]`` are the buyer rows ``pair_buyer[pair_ptr[i]:pair_ptr[i + 1]]``.
    out : (buyer, replication) float
        Overwritten and returned; 0 where a buyer has no trade.
    """
    reps = out.shape[1]
    suppliers = 0
    for lane in range(lane_supplier.size):
        suppliers = max(suppliers, lane_supplier[lane] + 1)
    for i in range(pair_supplier.size):
        suppliers = max(suppliers, pair_supplier[i] + 1)
    seller, total = np.zeros((suppliers, reps)), np.empty(reps)
    for i in range(pair_supplier.size):
        for k in range(pair_ptr[i], pair_ptr[i + 1]):
            for r in range(reps):
                seller[pair_supplier[i], r] = max(seller[pair_supplier[i], r], structure[pair_buyer[k], r])
    for b in range(lane_ptr.size - 1):
        out[b, :] = 0.0
        total[:] = 0.0
        for lane in range(lane_ptr[b], lane_ptr[b + 1]):
            s = lane_supplier[lane]
            for r in range(reps):
                total[r] += weight[lane, r]
                out[b, r] += weight[lane, r] * max(risk[lane, r], seller[s, r])
        for r in range(reps):
            out[b, r] = out[b, r] / total[r] if total[r] > 0.0 else 0.0
    return out
