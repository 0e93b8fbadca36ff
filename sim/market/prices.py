"""Takes each delivered price apart into its causes; the parts add up to the log price (docs/model.md, section 7).

A buyer's price is the flow-weighted mean over its lanes of: the seller's scarcity, its input cost, its caution,
the shadow prices of caps by the policy that holds them, the wedge, and rerouting with the remainder. Input cost is
traced upstream: an input's smoothed price is itself a sum of causes, and is passed on in those proportions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]

CAUSES = (
    "scarcity at this stage",
    "scarcity upstream",
    "sellers' caution",
    "rerouting",
    "added trade cost",
    "input cost, untraced",
)
"""Causes that every world has; policies that hold a cap follow, in order."""

OWN, UPSTREAM, CAUTION, REROUTING, WEDGE, UNTRACED, FIRST_POLICY = range(7)


@njit(cache=True, error_model="numpy")
def attribute(  # noqa: C901
    lane_ptr: Index,
    lane_supplier: Index,
    lane_licence: Index,
    lane_gate_ptr: Index,
    lane_gate: Index,
    flow: Array,
    prior: Array,
    price: Array,
    shadow: Array,
    input_cost: Array,
    caution: Array,
    has_inputs: NDArray[np.bool_],
    input_parts: Array,
    wedge: Array,
    licence_shadow: Array,
    licence_holder: Index,
    gate_shadow: Array,
    gate_holder: Index,
    smoothing: Array,
    mean_weight: Array,
    active: NDArray[np.bool_],
    traced: NDArray[np.bool_],
    parts: Array,
    parts_smooth: Array,
    parts_mean: Array,
    bought: Array,
) -> None:
    """Fill the causes of each buyer's price, and what it bought.

    Parameters
    ----------
    flow, prior : (lane, replication) float
        Weights; the prior serves a buyer that received nothing.
    price : (buyer, replication) float
        Delivered log price.
    has_inputs : (supplier,) bool
    input_parts : (supplier, cause, replication) float
        Input cost of each supplier by cause; zero without inputs.
    licence_holder, gate_holder : (constraint, replication) int
        Number of the policy that holds the cap, -1 for none.
    smoothing : (replication,) float
        EWMA weight of this review.
    mean_weight : (buyer, replication) float
        Weight of a buyer in its group.
    active : (cause,) bool
        Causes that have ever had a part, in and out; the others' parts are zero and stay so.
    wedge : (lane or 0, replication) float
        Added trade cost, log; no rows where there is none.
    traced : (buyer,) bool
        Buyers of inputs, whose causes are passed on.
    parts : (buyer, cause, replication) float
        Overwritten; sums over causes to the price.
    parts_smooth : (buyer, cause, replication) float
        EWMA of the parts of traced buyers, changed in place; the others' stays zero.
    parts_mean : (buyer, cause) float
        Overwritten: sum over replications of weight times part.
    bought : (buyer, replication) float
        Overwritten: flow by buyer.
    """
    causes, reps, tariffs = parts.shape[1], parts.shape[2], wedge.shape[0] > 0
    _activate(active, licence_shadow, licence_holder)
    _activate(active, gate_shadow, gate_holder)
    amount, scale, explained, own = np.empty(reps), np.empty(reps), np.empty(reps), np.empty(shadow.shape)
    passed_on = np.zeros((shadow.shape[0], causes), np.bool_)
    for s in range(shadow.shape[0]):
        for r in range(reps):
            own[s, r] = shadow[s, r] - input_cost[s, r] - caution[s, r]
        for c in range(causes):
            passed_on[s, c] = has_inputs[s] and active[c] and _not_zero(input_parts[s, c])
    for b in range(lane_ptr.size - 1):
        start, end = lane_ptr[b], lane_ptr[b + 1]
        plain = _weights(flow, prior, start, end, bought[b], scale)
        for c in range(causes):
            if active[c]:
                parts[b, c, :] = 0.0
        for lane in range(start, end):
            s, k, costly = lane_supplier[lane], lane_licence[lane], 0
            if plain:
                for r in range(reps):
                    amount[r] = flow[lane, r]
            else:
                for r in range(reps):
                    sold, known = flow[lane, r], prior[lane, r]
                    amount[r] = sold if bought[b, r] > 0.0 else known
            for r in range(reps):
                parts[b, OWN, r] += amount[r] * own[s, r]
                parts[b, CAUTION, r] += amount[r] * caution[s, r]
            if tariffs:
                for r in range(reps):
                    costly += wedge[lane, r] != 0.0
            if costly > 0:
                active[WEDGE] = True
                for r in range(reps):
                    parts[b, WEDGE, r] += amount[r] * wedge[lane, r]
            for c in range(causes):
                if passed_on[s, c]:
                    for r in range(reps):
                        parts[b, c, r] += amount[r] * input_parts[s, c, r]
            if k >= 0:
                _add_rent(parts[b], amount, licence_shadow[k], licence_holder[k])
            for i in range(lane_gate_ptr[lane], lane_gate_ptr[lane + 1]):
                _add_rent(parts[b], amount, gate_shadow[lane_gate[i]], gate_holder[lane_gate[i]])
        explained[:] = price[b]
        for c in range(causes):
            if active[c]:
                for r in range(reps):
                    parts[b, c, r] *= scale[r]
                    explained[r] -= parts[b, c, r]
        for r in range(reps):
            parts[b, REROUTING, r] += explained[r]
        for c in range(causes):
            parts_mean[b, c] = 0.0
            if active[c]:
                if traced[b]:
                    for r in range(reps):
                        parts_smooth[b, c, r] += smoothing[r] * (parts[b, c, r] - parts_smooth[b, c, r])
                parts_mean[b, c] = _weighted_sum(mean_weight[b], parts[b, c])


@njit(error_model="numpy")
def _not_zero(row: Array) -> bool:
    """Return whether any is not zero; look at the first one first."""
    if row[0] != 0.0:
        return True
    count = 0
    for r in range(row.size):
        count += row[r] != 0.0
    return count > 0


@njit(error_model="numpy")
def _weighted_sum(weight: Array, values: Array) -> float:
    """Return the sum of weight times value in four strands, so that one addition need not wait for the last."""
    first, second, third, fourth = 0.0, 0.0, 0.0, 0.0
    whole = values.size - values.size % 4
    for r in range(0, whole, 4):
        first += weight[r] * values[r]
        second += weight[r + 1] * values[r + 1]
        third += weight[r + 2] * values[r + 2]
        fourth += weight[r + 3] * values[r + 3]
    for r in range(whole, values.size):
        first += weight[r] * values[r]
    return (first + second) + (third + fourth)


@njit(error_model="numpy")
def _weights(flow: Array, prior: Array, start: int, end: int, total: Array, per_total: Array) -> bool:
    """Sum a buyer's purchases and fill what makes shares of them, or of its relationships where it bought nothing.

    Returns
    -------
    bool
        Whether it bought in every replication.
    """
    total[:] = 0.0
    for lane in range(start, end):
        for r in range(total.size):
            total[r] += flow[lane, r]
    short = 0
    for r in range(total.size):
        short += not total[r] > 0.0
        per_total[r] = 1.0 / total[r]
    if short == 0:
        return True
    for r in range(total.size):
        if not total[r] > 0.0:
            known = 0.0
            for lane in range(start, end):
                known += prior[lane, r]
            per_total[r] = 1.0 / known if known > 0.0 else 0.0
    return False


@njit(error_model="numpy")
def _activate(active: NDArray[np.bool_], shadow: Array, holder: Index) -> None:
    """Note the policies whose caps have a price."""
    for k in range(shadow.shape[0]):
        for r in range(shadow.shape[1]):
            if shadow[k, r] > 0.0 and holder[k, r] >= 0:
                active[FIRST_POLICY + holder[k, r]] = True


@njit(error_model="numpy")
def _add_rent(parts: Array, share: Array, shadow: Array, holder: Index) -> None:
    """Add a cap's price to the policy that holds it."""
    for r in range(share.size):
        if shadow[r] > 0.0:
            parts[FIRST_POLICY + holder[r] if holder[r] >= 0 else REROUTING, r] += share[r] * shadow[r]


@njit(cache=True, error_model="numpy")
def pass_on_costs(
    pair_ptr: Index,
    pair_supplier: Index,
    pair_buyer: Index,
    value_share: Array,
    price_smooth: Array,
    parts_smooth: Array,
    active: NDArray[np.bool_],
    input_cost: Array,
    input_parts: Array,
) -> None:
    """Fill the replacement cost of suppliers' inputs and its causes (docs/model.md, equation 8).

    ``input cost = ln(1 + sum_i chi_i (exp(p_i) - 1))``; an input's part of it is shared by the causes of the
    input's own smoothed price, its scarcity becoming scarcity upstream.

    Parameters
    ----------
    pair_ptr : (pair supplier + 1,) int
        Inputs of supplier ``pair_supplier[i]`` are the buyer rows ``pair_buyer[pair_ptr[i]:pair_ptr[i + 1]]``.
    value_share : (buyer, replication) float
        chi times the class share.
    price_smooth : (buyer, replication) float
    parts_smooth : (buyer, cause, replication) float
        Sums over causes to the smoothed price.
    active : (cause,) bool
        Causes to share costs among.
    input_cost : (supplier, replication) float
        Overwritten where a supplier has inputs.
    input_parts : (supplier, cause, replication) float
        Overwritten; sums over causes to the input cost.
    """
    causes, reps = input_parts.shape[1], input_parts.shape[2]
    total, left, scale, worth = np.empty(reps), np.empty(reps), np.empty(reps), np.empty(price_smooth.shape)
    for i in range(pair_supplier.size):
        s = pair_supplier[i]
        total[:] = 0.0
        for k in range(pair_ptr[i], pair_ptr[i + 1]):
            b = pair_buyer[k]
            for r in range(reps):
                worth[b, r] = value_share[b, r] * (exponential(price_smooth[b, r]) - 1.0)
                total[r] += worth[b, r]
        for r in range(reps):
            left[r] = np.log1p(total[r])
            input_cost[s, r] = left[r]
        for c in range(causes):
            input_parts[s, c, :] = 0.0
        for k in range(pair_ptr[i], pair_ptr[i + 1]):
            b = pair_buyer[k]
            for r in range(reps):
                known = (abs(total[r]) >= 1e-12) & (abs(price_smooth[b, r]) >= 1e-9)
                shared = worth[b, r] * input_cost[s, r] / (total[r] * price_smooth[b, r])
                scale[r] = shared if known else 0.0
            _add_causes(active, scale, parts_smooth[b], input_parts[s], left)
        for r in range(reps):
            input_parts[s, UNTRACED, r] += left[r]


@njit(error_model="numpy")
def _add_causes(active: NDArray[np.bool_], scale: Array, parts: Array, into: Array, left: Array) -> None:
    """Pass on an input's causes (cause, replication) at a scale, its scarcity as scarcity upstream; note the rest."""
    for c in range(active.size):
        if active[c]:
            place = UPSTREAM if c == OWN else c
            for r in range(left.size):
                part = scale[r] * parts[c, r]
                into[place, r] += part
                left[r] -= part
