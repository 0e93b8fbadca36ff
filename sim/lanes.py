"""Relationships and contracts over lanes, compiled; replication is the last, contiguous axis throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Contracts:
    """What normally flows on each lane today, t/d: at the start, times growth, with the offtakes that have joined.

    Only buyers that new lanes join need a sum over their lanes at every review; the rest waits until it is asked for.

    Parameters
    ----------
    flow : (lane, replication) float, t/d
        At the start.
    lane_ptr, lane_buyer : (buyer + 1,) and (lane,) int
    lanes, offtake, volume
        As of `enter_offtakes`.

    Attributes
    ----------
    growth : (buyer, replication) float
    scale : (buyer, replication) float
        What makes a buyer's contracts sum to no more than before; 1 to the last bit where nothing was added.
    joined : (buyer,) bool
        Buyers whose lanes new ones may join.
    """

    def __init__(
        self, flow: Array, lane_ptr: Index, lane_buyer: Index, lanes: Index, offtake: Index, volume: Array
    ) -> None:
        buyers, reps = lane_ptr.size - 1, flow.shape[1]
        self.flow, self.lane_ptr, self.entries = flow, lane_ptr, (lanes, offtake, volume)
        self.joined = np.isin(np.arange(buyers), lane_buyer[lanes])
        self.growth, self.scale = np.ones((buyers, reps)), np.ones((buyers, reps))
        self._normal, self._scaled, self._complete = flow.copy(), flow.copy(), True

    def update(self, ramp: Array) -> None:
        """Bring volumes to today's `growth` and to the ramps of offtakes, (offtake, replication)."""
        join(
            self.flow, self.growth, self.lane_ptr, self.joined, *self.entries, ramp, self._normal, self._scaled,
            self.scale,
        )  # fmt: skip
        self._complete = False

    def _fill(self) -> None:
        if not self._complete:
            grow(self.flow, self.growth, self.lane_ptr, ~self.joined, self._normal, self._scaled)
            self._complete = True

    @property
    def normal(self) -> Array:
        """(lane, replication) t/d, before rescaling."""
        self._fill()
        return self._normal

    @property
    def scaled(self) -> Array:
        """(lane, replication) t/d, after rescaling."""
        self._fill()
        return self._scaled

    @property
    def of_joined(self) -> Array:
        """As `scaled`, but good on the lanes of joined buyers only."""
        return self._scaled


@njit(cache=True, error_model="numpy")
def join(
    flow: Array, growth: Array, lane_ptr: Index, joined: Mask, lanes: Index, offtake: Index, volume: Array, ramp: Array,
    normal: Array, scaled: Array, scale: Array,
) -> None:  # fmt: skip
    """Fill volumes of joined buyers, with offtakes, so that no buyer's contracts sum to more than before.

    Parameters are those of `Contracts`; `normal` and `scaled`, (lane, replication) t/d, are overwritten, as is `scale`.
    """
    reps = flow.shape[1]
    before = np.zeros(scale.shape)
    for b in np.flatnonzero(joined):
        for lane in range(lane_ptr[b], lane_ptr[b + 1]):
            for r in range(reps):
                normal[lane, r] = flow[lane, r] * growth[b, r]
                before[b, r] += normal[lane, r]
    for i in range(lanes.size):
        for r in range(reps):
            normal[lanes[i], r] += volume[i, r] * ramp[offtake[i], r]
    for b in np.flatnonzero(joined):
        first, end = lane_ptr[b], lane_ptr[b + 1]
        _rescale(normal[first:end], before[b], scaled[first:end], scale[b])


@njit(error_model="numpy")
def _rescale(normal: Array, before: Array, scaled: Array, scale: Array) -> None:
    """Let the lanes of one buyer, (lane, replication) t/d, sum to no more than before, (replication,)."""
    after = np.zeros(scale.size)
    for lane in range(normal.shape[0]):
        for r in range(scale.size):
            after[r] += normal[lane, r]
    for r in range(scale.size):
        less = before[r] > 0.0 and after[r] > before[r]
        scale[r] = before[r] / after[r] if less else 1.0
    for lane in range(normal.shape[0]):
        for r in range(scale.size):
            scaled[lane, r] = normal[lane, r] * scale[r]


@njit(cache=True, error_model="numpy")
def grow(flow: Array, growth: Array, lane_ptr: Index, wanted: Mask, normal: Array, scaled: Array) -> None:
    """Fill volumes of the wanted buyers that nothing has joined."""
    for b in range(wanted.size):
        if wanted[b]:
            for lane in range(lane_ptr[b], lane_ptr[b + 1]):
                for r in range(flow.shape[1]):
                    normal[lane, r] = flow[lane, r] * growth[b, r]
                    scaled[lane, r] = normal[lane, r]


@njit(cache=True, error_model="numpy")
def relations_now(
    relation: Array, growth: Array, scale: Array, shut: Mask, opened: Array, offered: Mask, release: Array,
    lane_ptr: Index, review: float, out: Array,
) -> Array:  # fmt: skip
    """Return K D of every lane today: relationship times growth and rescaling, as far as the lane is open.

    Parameters
    ----------
    relation, opened, release : (lane, replication) float
        `release` is the prior flow of stockpiles on offer, t/d.
    shut, offered : (lane,) bool
        Lanes that may be less than open, and on which stockpiles may sell; the others are not looked at.
    growth, scale : (buyer, replication) float
    out : (lane, replication) float, t
        Overwritten and returned.
    """
    reps = out.shape[1]
    factor = np.empty(reps)
    for b in range(lane_ptr.size - 1):
        for r in range(reps):
            factor[r] = growth[b, r] * scale[b, r]
        for lane in range(lane_ptr[b], lane_ptr[b + 1]):
            if shut[lane] or offered[lane]:
                for r in range(reps):
                    out[lane, r] = (relation[lane, r] * factor[r] * opened[lane, r] + release[lane, r]) * review
            else:
                for r in range(reps):
                    out[lane, r] = relation[lane, r] * factor[r] * review
    return out


@njit(cache=True, error_model="numpy")
def adapt_relations(
    relation: Array, flow: Array, offered: Mask, release: Array, start: Array, joined: Mask, baseline: Array,
    growth: Array, scale: Array, lane_ptr: Index, review: float, tau_k: Array, tau_0: Array, floor: float,
) -> None:  # fmt: skip
    """Let relationships follow trade and return to their origin (docs/model.md, equation 12).

    ``dK/dt = (f - K) / tau_K + (K0 - K) / tau_0`` on lanes that have a baseline, never below a share of it.

    Parameters
    ----------
    relation : (lane, replication) float, t/d
        Changed in place; without growth and rescaling.
    flow : (lane, replication) float, t per review
    offered : (lane,) bool
    release : (lane, replication) float, t/d
        Prior flow of stockpiles on offered lanes, which leaves no relationship.
    start, baseline : (lane, replication) float, t/d
        K0 at the start, and, for the lanes of `joined` buyers, with growth, offtakes and rescaling.
    growth, scale : (buyer, replication) float
    tau_k, tau_0 : (replication,) float, d
    """
    reps = relation.shape[1]
    follow, recall = review / tau_k, review / tau_0
    inverse, per_day, traded, origin = np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps)
    for b in range(lane_ptr.size - 1):
        for r in range(reps):
            factor = growth[b, r] * scale[b, r]
            inverse[r] = 1.0 / factor if factor > 0.0 else 0.0
            per_day[r] = inverse[r] / review
        for lane in range(lane_ptr[b], lane_ptr[b + 1]):
            for r in range(reps):
                traded[r] = flow[lane, r] * per_day[r]
            if offered[lane]:
                for r in range(reps):
                    traded[r] -= release[lane, r] * inverse[r]
            if joined[b]:
                for r in range(reps):
                    origin[r] = baseline[lane, r] * inverse[r]
            else:
                for r in range(reps):
                    origin[r] = start[lane, r] * growth[b, r] * inverse[r]
            for r in range(reps):
                old = relation[lane, r]
                new = max(old + follow[r] * (traded[r] - old) + recall[r] * (origin[r] - old), floor * origin[r])
                relation[lane, r] = new if origin[r] > 0.0 else old


@njit(cache=True, error_model="numpy")
def mean_lead(
    due: Mask, start: Array, growth: Array, joined: Mask, baseline: Array, lead_time: Array, waiting: Mask,
    border_days: Array, border_share: Array, lane_ptr: Index, out: Array,
) -> None:  # fmt: skip
    """Fill the mean lead time of buyers that are due, with the border delay in force, weighted by baseline flow.

    Parameters
    ----------
    due, joined : (buyer,) bool
    start, baseline : (lane, replication) float, t/d
        At the start, which weighs like today's unless new lanes have brought anything, and today's where `joined`.
    growth : (buyer, replication) float
    lead_time, border_days : (lane, replication) float, d
    waiting : (lane,) bool
        Lanes on which goods may wait at the border.
    border_share : (lane, replication) float
    out : (buyer, replication) float, d
        Overwritten where due; the plain mean where a buyer has no baseline flow.
    """
    reps = out.shape[1]
    total, plain, wait, weight = np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps)
    mixed = np.empty(reps, dtype=np.bool_)
    for b in range(lane_ptr.size - 1):
        if not due[b]:
            continue
        first, end = lane_ptr[b], lane_ptr[b + 1]
        out[b, :] = 0.0
        total[:] = 0.0
        plain[:] = 0.0
        mixed[:] = False
        if joined[b]:
            for lane in range(first, end):
                for r in range(reps):
                    mixed[r] |= baseline[lane, r] != start[lane, r] * growth[b, r]
        for lane in range(first, end):
            for r in range(reps):
                wait[r] = lead_time[lane, r]
                weight[r] = baseline[lane, r] if mixed[r] else start[lane, r]
            if waiting[lane]:
                for r in range(reps):
                    wait[r] += border_days[lane, r] * border_share[lane, r]
            for r in range(reps):
                total[r] += weight[r]
                out[b, r] += weight[r] * wait[r]
                plain[r] += wait[r]
        for r in range(reps):
            out[b, r] = out[b, r] / total[r] if total[r] > 0.0 else plain[r] / max(end - first, 1)


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
