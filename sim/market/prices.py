"""Takes each delivered price apart into its causes; the parts add up to the log price (docs/model.md, section 7).

A buyer's price is the flow-weighted mean over its lanes of: the seller's scarcity, its input cost, its caution,
the shadow prices of caps by the policy that holds them, the wedge, and rerouting with the remainder. Input cost is
traced upstream: an input's smoothed price is itself a sum of causes, and is passed on in those proportions.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

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

OWN, UPSTREAM, CAUTION, REROUTING, WEDGE, UNTRACED = range(6)


@njit(cache=True)
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
    input_parts: Array,
    wedge: Array,
    licence_shadow: Array,
    licence_holder: Index,
    gate_shadow: Array,
    gate_holder: Index,
    smoothing: Array,
    mean_weight: Array,
    parts: Array,
    parts_smooth: Array,
    parts_mean: Array,
) -> None:
    """Fill the causes of each buyer's price.

    Parameters
    ----------
    flow, prior : (lane, replication) float
        Weights; the prior serves a buyer that received nothing.
    price : (buyer, replication) float
        Delivered log price.
    input_parts : (supplier, cause, replication) float
        Input cost of each supplier by cause.
    licence_holder, gate_holder : (constraint, replication) int
        Number of the policy that holds the cap, -1 for none.
    smoothing : (replication,) float
        EWMA weight of this review.
    mean_weight : (buyer, replication) float
        Weight of a buyer in its group.
    parts : (buyer, cause, replication) float
        Overwritten; sums over causes to the price.
    parts_smooth : (buyer, cause, replication) float
        EWMA of the parts, changed in place.
    parts_mean : (buyer, cause) float
        Overwritten: sum over replications of weight times part.
    """
    causes = parts.shape[1]
    first_policy = 6
    for b in range(lane_ptr.size - 1):
        start, end = lane_ptr[b], lane_ptr[b + 1]
        for r in range(price.shape[1]):
            total = 0.0
            for lane in range(start, end):
                total += flow[lane, r]
            use_prior = total <= 0.0
            if use_prior:
                for lane in range(start, end):
                    total += prior[lane, r]
            for c in range(causes):
                parts[b, c, r] = 0.0
            explained = 0.0
            first = start if total > 0.0 else end
            for lane in range(first, end):
                share = (prior[lane, r] if use_prior else flow[lane, r]) / total
                if share == 0.0:
                    continue
                s = lane_supplier[lane]
                own = shadow[s, r] - input_cost[s, r] - caution[s, r]
                parts[b, OWN, r] += share * own
                parts[b, CAUTION, r] += share * caution[s, r]
                parts[b, WEDGE, r] += share * wedge[lane, r]
                explained += share * (own + caution[s, r] + wedge[lane, r])
                if input_cost[s, r] != 0.0:
                    for c in range(causes):
                        parts[b, c, r] += share * input_parts[s, c, r]
                    explained += share * input_cost[s, r]
                k = lane_licence[lane]
                if k >= 0 and licence_shadow[k, r] > 0.0:
                    rent = share * licence_shadow[k, r]
                    holder = licence_holder[k, r]
                    parts[b, first_policy + holder if holder >= 0 else REROUTING, r] += rent
                    explained += rent
                for i in range(lane_gate_ptr[lane], lane_gate_ptr[lane + 1]):
                    g = lane_gate[i]
                    if gate_shadow[g, r] > 0.0:
                        rent = share * gate_shadow[g, r]
                        holder = gate_holder[g, r]
                        parts[b, first_policy + holder if holder >= 0 else REROUTING, r] += rent
                        explained += rent
            parts[b, REROUTING, r] += price[b, r] - explained
        for c in range(causes):
            summed = 0.0
            for r in range(price.shape[1]):
                part = parts[b, c, r]
                parts_smooth[b, c, r] += smoothing[r] * (part - parts_smooth[b, c, r])
                summed += mean_weight[b, r] * part
            parts_mean[b, c] = summed


@njit(cache=True)
def pass_on_costs(
    pair_ptr: Index,
    pair_supplier: Index,
    pair_buyer: Index,
    value_share: Array,
    price_smooth: Array,
    parts_smooth: Array,
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
    input_cost : (supplier, replication) float
        Overwritten where a supplier has inputs.
    input_parts : (supplier, cause, replication) float
        Overwritten; sums over causes to the input cost.
    """
    causes, reps = input_parts.shape[1], input_parts.shape[2]
    for i in range(pair_supplier.size):
        s = pair_supplier[i]
        for r in range(reps):
            total = 0.0
            for k in range(pair_ptr[i], pair_ptr[i + 1]):
                b = pair_buyer[k]
                total += value_share[b, r] * (np.exp(price_smooth[b, r]) - 1.0)
            cost = np.log1p(total)
            input_cost[s, r] = cost
            for c in range(causes):
                input_parts[s, c, r] = 0.0
            if abs(total) < 1e-12:
                input_parts[s, UNTRACED, r] = cost
                continue
            left = cost
            for k in range(pair_ptr[i], pair_ptr[i + 1]):
                b = pair_buyer[k]
                price = price_smooth[b, r]
                if abs(price) < 1e-9:
                    continue
                scale = value_share[b, r] * (np.exp(price) - 1.0) * cost / (total * price)
                for c in range(causes):
                    part = scale * parts_smooth[b, c, r]
                    input_parts[s, UPSTREAM if c == OWN else c, r] += part
                    left -= part
            input_parts[s, UNTRACED, r] += left
