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

CAUSES = ("scarcity at this stage", "scarcity upstream", "sellers' caution", "rerouting", "added trade cost", "input cost, untraced")
"""Causes that every world has; policies that hold a cap follow, in order."""

OWN, UPSTREAM, CAUTION, REROUTING, WEDGE, UNTRACED = range(6)


@njit(cache=True)
def attribute(
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
    parts: Array,
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
    parts : (buyer, cause, replication) float
        Overwritten; sums over causes to the price.
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
            if total <= 0.0:
                parts[b, REROUTING, r] = price[b, r]
                continue
            explained = 0.0
            for lane in range(start, end):
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


def trace_inputs(contributions: Array, input_cost: Array, price_smooth: Array, parts_smooth: Array, out: Array) -> None:
    """Split one supplier's input cost by the causes of its inputs' smoothed prices.

    Parameters
    ----------
    contributions : (input, replication) float
        ``chi * (exp(p) - 1)`` of each input.
    input_cost : (replication,) float
        ``ln(1 + sum of contributions)``.
    price_smooth : (input, replication) float
    parts_smooth : (input, cause, replication) float
        Sum over causes is `price_smooth`.
    out : (cause, replication) float
        Overwritten; sums over causes to `input_cost`.
    """
    total = contributions.sum(axis=0)
    plain = np.abs(total) > 1e-12
    scale = np.divide(input_cost, total, out=np.zeros_like(total), where=plain)
    traced = np.abs(price_smooth) > 1e-9
    per_price = np.divide(contributions * scale, price_smooth, out=np.zeros_like(price_smooth), where=traced)
    out[:] = (per_price[:, None, :] * parts_smooth).sum(axis=0)
    out[UPSTREAM] += out[OWN]
    out[OWN] = 0.0
    out[UNTRACED] += input_cost - out.sum(axis=0)
