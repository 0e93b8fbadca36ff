"""Compiled relationships over lanes; replication is the last, contiguous axis throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def relations_now(
    relation: Array, growth: Array, scale: Array, opened: Array, release: Array, lane_buyer: Index, review: float,
    out: Array,
) -> Array:  # fmt: skip
    """Return K D of every lane today: relationship times growth and rescaling, as far as the lane is open.

    Parameters
    ----------
    relation, opened, release : (lane, replication) float
        `release` is the prior flow of stockpiles on offer, t/d.
    growth, scale : (buyer, replication) float
    out : (lane, replication) float, t
        Overwritten and returned.
    """
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        for r in range(out.shape[1]):
            factor = growth[b, r] * scale[b, r]
            out[lane, r] = (relation[lane, r] * factor * opened[lane, r] + release[lane, r]) * review
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
    weight: Array, lead_time: Array, waits: bool, border_days: Array, border_share: Array, lane_ptr: Index, out: Array
) -> Array:
    """Return each buyer's mean lead time with the border delay in force, weighted by baseline flow.

    Parameters
    ----------
    weight : (lane, replication) float, t/d
    lead_time, border_days : (lane, replication) float, d
    waits : bool
        Whether anything waits at a border.
    border_share : (lane, replication) float
    out : (buyer, replication) float, d
        Overwritten and returned; the plain mean where a buyer has no baseline flow.
    """
    reps = out.shape[1]
    total, plain, wait = np.empty(reps), np.empty(reps), np.empty(reps)
    for b in range(lane_ptr.size - 1):
        start, end = lane_ptr[b], lane_ptr[b + 1]
        out[b, :] = 0.0
        total[:] = 0.0
        plain[:] = 0.0
        for lane in range(start, end):
            for r in range(reps):
                wait[r] = lead_time[lane, r]
            if waits:
                for r in range(reps):
                    wait[r] += border_days[lane, r] * border_share[lane, r]
            for r in range(reps):
                total[r] += weight[lane, r]
                out[b, r] += weight[lane, r] * wait[r]
                plain[r] += wait[r]
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
    joined, before, after = np.zeros(scale.shape[0], np.bool_), np.zeros(scale.shape), np.zeros(scale.shape)
    for i in range(lanes.size):
        joined[lane_buyer[lanes[i]]] = True
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        for r in range(reps):
            normal[lane, r] = baseline[lane, r] * growth[b, r]
            scaled[lane, r] = normal[lane, r]
        if joined[b]:
            for r in range(reps):
                before[b, r] += normal[lane, r]
    for i in range(lanes.size):
        for r in range(reps):
            normal[lanes[i], r] += volume[i, r] * ramp[offtake[i], r]
    _rescale(lane_buyer, joined, normal, before, after, scaled, scale)


@njit(error_model="numpy")
def _rescale(
    lane_buyer: Index,
    joined: NDArray[np.bool_],
    normal: Array,
    before: Array,
    after: Array,
    scaled: Array,
    scale: Array,
) -> None:
    """Let the lanes of buyers that new lanes have joined sum to what they did before, t/d."""
    reps = scale.shape[1]
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        if joined[b]:
            for r in range(reps):
                after[b, r] += normal[lane, r]
    for b in range(scale.shape[0]):
        for r in range(reps):
            less = before[b, r] > 0.0 and after[b, r] > before[b, r]
            scale[b, r] = before[b, r] / after[b, r] if less else 1.0
    for lane in range(lane_buyer.size):
        b = lane_buyer[lane]
        if joined[b]:
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
