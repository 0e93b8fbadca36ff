"""The trade matrix of the start, balanced to its margins, and the lead times of its lanes.

Iterative proportional fitting (Deming and Stephan 1940) keeps the pattern of a prior and meets every supplier's
sales and every buyer's requirement, in each replication (docs/model.md, section 5).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.blueprint import BuyerRow, SupplierRow
from sim.closure import fail
from sim.config import schema
from sim.draws import Draws
from sim.network import Index, Network
from sim.sums import sum_rows

Array = NDArray[np.float64]

FIT_TOLERANCE = 1e-12
"""Relative error of a supplier's sales at which balancing stops."""

ACCEPTED = 1e-10
"""Largest relative error that still counts as balanced."""

FIT_ROUNDS = 20_000


def trade_matrix(network: Network, draws: Draws, sales: Array, requirement: Array) -> tuple[Array, dict[str, float]]:
    """Return baseline flows K0 (lane, replication) in t/d, balanced to sales and requirements.

    The prior of a lane is the stated share of its supplier in the buyer's purchases (a country's share
    is split over its facilities by sales), or, where nothing is stated, the supplier's sales weighted by
    home preference. The second value says how far balancing moved each stated share.
    """
    prior = np.array(
        [
            _prior(network, draws, s, b, sales) * requirement[b]
            for s, b in zip(network.lane_supplier, network.lane_buyer, strict=True)
        ]
    ).reshape(-1, draws.replications)
    flow = np.zeros_like(prior)
    lane_material = network.buyer_material[network.lane_buyer]
    for m, material in enumerate(network.materials):
        lanes = np.flatnonzero(lane_material == m)
        if lanes.size and requirement[network.lane_buyer[lanes]].any():
            flow[lanes] = _fit(material, network, lanes, prior[lanes], sales, requirement)
    return flow, _moved_shares(network, prior, flow)


def _prior(network: Network, draws: Draws, s: int, b: int, sales: Array) -> Array:
    supplier, buyer = network.suppliers[s], network.buyers[b]
    opens = network.blueprint.opens_later
    if (
        supplier.stockpile
        or opens(supplier.owner)
        or buyer.kind == "stockpile"
        or (buyer.kind == "processor" and opens(buyer.owner))
    ):
        return np.zeros(draws.replications)
    weight = network.prior_weight(supplier, buyer)
    if weight is None:
        return np.zeros(draws.replications)
    if isinstance(weight, float):
        return weight * sales[s]
    share = draws.number(weight)
    if weight.address.endswith(f".{supplier.owner}"):
        return share
    peers = [
        i
        for i, other in enumerate(network.suppliers)
        if other.material == supplier.material and other.country == supplier.country
    ]
    total = sum_rows(sales[peers])
    return share * np.divide(sales[s], total, out=np.zeros_like(total), where=total > 0)


def _fit(material: str, network: Network, lanes: Index, prior: Array, sales: Array, requirement: Array) -> Array:
    """Scale a prior to its margins, rows and columns in turn, until both hold."""
    suppliers, row = np.unique(network.lane_supplier[lanes], return_inverse=True)
    buyers, column = np.unique(network.lane_buyer[lanes], return_inverse=True)
    flow = prior.copy()
    worst, error = fit_margins(flow, row, column, sales[suppliers], requirement[buyers], FIT_ROUNDS, FIT_TOLERANCE)
    if error > ACCEPTED:
        raise fail(
            f"trade.{material}",
            f"no trade on the given lanes lets '{network.suppliers[suppliers[worst]].owner}' sell what it makes "
            f"(off by {error:.2%}); "
            "add a source to a buyer, or change its share.",
        )
    return flow


@njit(cache=True)
def fit_margins(
    flow: Array, row: Index, column: Index, supply: Array, demand: Array, rounds: int, tolerance: float
) -> tuple[int, float]:
    """Balance flows to their margins in place, by iterative proportional fitting (Deming and Stephan 1940).

    Parameters
    ----------
    flow : (lane, replication) float
        Prior; overwritten.
    row, column : (lane,) int
        Supplier and buyer of each lane.
    supply : (supplier, replication) float
    demand : (buyer, replication) float

    Returns
    -------
    int, float
        The supplier whose sales are furthest off in any replication, and by which share.
    """
    worst_row, worst = 0, 0.0
    rows, columns = np.empty(supply.shape[0]), np.empty(demand.shape[0])
    for r in range(flow.shape[1]):
        small = supply[:, r].max() * 1e-9
        error, at = np.inf, 0
        for _ in range(rounds):
            rows[:] = 0.0
            for lane in range(row.size):
                rows[row[lane]] += flow[lane, r]
            error = 0.0
            for i in range(rows.size):
                off = abs(rows[i] - supply[i, r]) / max(supply[i, r], small)
                if off > error:
                    error, at = off, i
                rows[i] = supply[i, r] / rows[i] if rows[i] > 0.0 else 0.0
            columns[:] = 0.0
            for lane in range(row.size):
                flow[lane, r] *= rows[row[lane]]
                columns[column[lane]] += flow[lane, r]
            for lane in range(row.size):
                total = columns[column[lane]]
                flow[lane, r] *= demand[column[lane], r] / total if total > 0.0 else 0.0
            if error < tolerance:
                break
        if error > worst:
            worst_row, worst = at, error
    return worst_row, worst


def _moved_shares(network: Network, prior: Array, flow: Array) -> dict[str, float]:
    moved: dict[str, float] = {}
    for lane, (s, b) in enumerate(zip(network.lane_supplier, network.lane_buyer, strict=True)):
        weight = network.prior_weight(network.suppliers[s], network.buyers[b])
        if isinstance(weight, schema.Number) and prior[lane].mean() > 0:
            moved[weight.address] = float(flow[lane].mean() / prior[lane].mean())
    return moved


def lead_times(network: Network, draws: Draws, review: float) -> Array:
    """Return days from order to receipt per lane: transit plus the buyer's time in process.

    Time in process stands before the transformation, so that goods in process at home are not counted as
    exported; no lead time is shorter than one review.

    Returns
    -------
    (lane, replication) float, d
    """
    days = np.zeros((network.lane_buyer.size, draws.replications))
    for lane, (s, b) in enumerate(zip(network.lane_supplier, network.lane_buyer, strict=True)):
        supplier, buyer = network.suppliers[s], network.buyers[b]
        rule = None
        for candidate in network.world.transit.values():
            if _rule_matches(network, candidate, supplier, buyer):
                rule = candidate
        if rule is None:
            raise fail(
                "transit",
                f"no rule gives the days from '{supplier.owner}' to '{buyer.owner}' for '{buyer.material}'.",
            )
        days[lane] = draws.number(rule.days)
        if buyer.kind == "processor":
            time = network.world.processes[network.blueprint.facilities[buyer.owner].process].processing_time
            days[lane] += 0.0 if time is None else draws.number(time)
    return np.maximum(days, review)


def _rule_matches(network: Network, rule: schema.TransitRule, supplier: SupplierRow, buyer: BuyerRow) -> bool:
    def named(names: tuple[str, ...] | None, row: SupplierRow | BuyerRow) -> bool:
        return names is None or any(network.matches(name, row.owner, row.country) for name in names)

    material = rule.material is None or supplier.material in rule.material
    return material and named(rule.origin, supplier) and named(rule.destination, buyer)
