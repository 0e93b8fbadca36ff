"""The trade matrix of the start, balanced to its margins, and the lead times of its lanes.

Iterative proportional fitting (Deming and Stephan 1940) keeps the pattern of a prior and meets every supplier's
sales and every buyer's requirement, in each replication (docs/model.md, section 5).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.blueprint import BuyerRow, SupplierRow
from sim.closure import add_up, fail
from sim.compiled import njit
from sim.config import schema
from sim.draws import Draws
from sim.network import Index, Network

Array = NDArray[np.float64]

FIT_TOLERANCE = 1e-12
"""Relative error of a supplier's sales at which balancing stops."""

ACCEPTED = 1e-10
"""Largest relative error that still counts as balanced."""

FIT_ROUNDS = 20_000


def trade_matrix(
    network: Network, draws: Draws, sales: Array, requirement: Array, *, compiled: bool = True
) -> tuple[Array, dict[str, float]]:
    """Return baseline flows K0 (lane, replication) in t/d, balanced to sales and requirements.

    The prior of a lane is the stated share of its supplier in the buyer's purchases (a country's share
    is split over its facilities by sales), or, where nothing is stated, the supplier's sales weighted by
    home preference. The second value says how far balancing moved each stated share. Without compiled code it is
    found to `ACCEPTED` only.
    """
    made = _sales_by_country(network, sales)
    prior = np.array(
        [
            _prior(network, draws, s, b, sales, made) * requirement[b]
            for s, b in zip(network.lane_supplier, network.lane_buyer, strict=True)
        ]
    ).reshape(-1, draws.replications)
    flow = np.zeros_like(prior)
    lane_material = network.buyer_material[network.lane_buyer]
    for m, material in enumerate(network.materials):
        lanes = np.flatnonzero(lane_material == m)
        if lanes.size and requirement[network.lane_buyer[lanes]].any():
            flow[lanes] = _fit(material, network, lanes, prior[lanes], sales, requirement, compiled)
    return flow, _moved_shares(network, prior, flow)


def _sales_by_country(network: Network, sales: Array) -> dict[tuple[str, str], Array]:
    """(material, country) -> (replication,) sales, t/d."""
    peers: dict[tuple[str, str], list[int]] = {}
    for s, row in enumerate(network.suppliers):
        peers.setdefault((row.material, row.country), []).append(s)
    return {key: add_up(sales[rows]) for key, rows in peers.items()}


def _prior(network: Network, draws: Draws, s: int, b: int, sales: Array, made: dict[tuple[str, str], Array]) -> Array:
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
    total = made[supplier.material, supplier.country]
    return share * np.divide(sales[s], total, out=np.zeros_like(total), where=total > 0)


def _fit(
    material: str, network: Network, lanes: Index, prior: Array, sales: Array, requirement: Array, compiled: bool
) -> Array:
    """Scale a prior to its margins, rows and columns in turn, until both hold."""
    suppliers, row = np.unique(network.lane_supplier[lanes], return_inverse=True)
    buyers, column = np.unique(network.lane_buyer[lanes], return_inverse=True)
    flow = prior.copy()
    fit, tolerance = (fit_margins, FIT_TOLERANCE) if compiled else (fit_plainly, ACCEPTED)
    worst, error = fit(flow, row, column, sales[suppliers], requirement[buyers], FIT_ROUNDS, tolerance)
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
    rows, columns, amount = np.empty(supply.shape[0]), np.empty(demand.shape[0]), np.empty(row.size)
    made, need = np.empty(rows.size), np.empty(columns.size)
    for r in range(flow.shape[1]):
        # One replication at a time, copied so that its numbers lie together.
        amount[:], made[:], need[:] = flow[:, r], supply[:, r], demand[:, r]
        small = made.max() * 1e-9
        error, at = np.inf, 0
        for _ in range(rounds):
            rows[:] = 0.0
            for lane in range(row.size):
                rows[row[lane]] += amount[lane]
            error = 0.0
            for i in range(rows.size):
                off = abs(rows[i] - made[i]) / max(made[i], small)
                if off > error:
                    error, at = off, i
                rows[i] = made[i] / rows[i] if rows[i] > 0.0 else 0.0
            columns[:] = 0.0
            for lane in range(row.size):
                amount[lane] *= rows[row[lane]]
                columns[column[lane]] += amount[lane]
            for i in range(columns.size):
                columns[i] = need[i] / columns[i] if columns[i] > 0.0 else 0.0
            for lane in range(row.size):
                amount[lane] *= columns[column[lane]]
            if error < tolerance:
                break
        flow[:, r] = amount
        if error > worst:
            worst_row, worst = at, error
    return worst_row, worst


def fit_plainly(
    flow: Array, row: Index, column: Index, supply: Array, demand: Array, rounds: int, tolerance: float
) -> tuple[int, float]:
    """Do as `fit_margins` without compiled code, which takes longer to load than a check of a world should.

    Parameters and what is returned are those of `fit_margins`; columns are sorted. Replications that are balanced
    leave the loop, because the last of them takes many times the rounds of most.
    """
    by_row = np.argsort(row, kind="stable")
    row_start = np.searchsorted(row[by_row], np.arange(supply.shape[0]))
    column_start = np.searchsorted(column, np.arange(demand.shape[0]))
    size = np.maximum(supply, supply.max(axis=0) * 1e-9)
    waiting, left, worst_row, worst = np.arange(flow.shape[1]), flow.copy(), 0, 0.0
    for count in range(rounds):
        made, need = supply[:, waiting], demand[:, waiting]
        rows = np.add.reduceat(left[by_row], row_start, axis=0)
        off = np.abs(rows - made) / size[:, waiting]
        left *= np.divide(made, rows, out=np.zeros_like(rows), where=rows > 0)[row]
        columns = np.add.reduceat(left, column_start, axis=0)
        left *= np.divide(need, columns, out=np.zeros_like(columns), where=columns > 0)[column]
        done = off.max(axis=0) < tolerance if count < rounds - 1 else np.ones(waiting.size, dtype=bool)
        if not done.any():
            continue
        flow[:, waiting[done]] = left[:, done]
        furthest = off[:, done].max(axis=1)
        if furthest.max() > worst:
            worst_row, worst = int(furthest.argmax()), float(furthest.max())
        waiting, left = waiting[~done], left[:, ~done]
        if not waiting.size:
            break
    return worst_row, worst


def _moved_shares(network: Network, prior: Array, flow: Array) -> dict[str, float]:
    moved: dict[str, float] = {}
    given, found = prior.mean(axis=1), flow.mean(axis=1)
    for lane, (s, b) in enumerate(zip(network.lane_supplier, network.lane_buyer, strict=True)):
        weight = network.prior_weight(network.suppliers[s], network.buyers[b])
        if isinstance(weight, schema.Number) and given[lane] > 0:
            moved[weight.address] = float(found[lane] / given[lane])
    return moved


def lead_times(network: Network, draws: Draws, review: float) -> Array:
    """Return days from order to receipt per lane: transit plus the buyer's time in process.

    Time in process stands before the transformation, so that goods in process at home are not counted as
    exported; no lead time is shorter than one review.

    Returns
    -------
    (lane, replication) float, d
    """
    days = np.empty((network.lane_buyer.size, draws.replications))
    if "transit" not in network.remembered:
        network.remembered["transit"] = _transit_of_lanes(network)
    for lane, (transit, inside) in enumerate(network.remembered["transit"]):
        days[lane] = draws.number(transit)
        if inside is not None:
            days[lane] += draws.number(inside)
    return np.maximum(days, review)


def _transit_of_lanes(network: Network) -> list[tuple[schema.Number, schema.Number | None]]:
    """Return days on the way and days in process of each lane."""
    found = []
    last_first = _rules_by_material(network)
    for s, b in zip(network.lane_supplier, network.lane_buyer, strict=True):
        supplier, buyer = network.suppliers[s], network.buyers[b]
        rules = last_first[buyer.material]
        rule = next((rule for rule in rules if _rule_matches(network, rule, supplier, buyer)), None)
        if rule is None:
            raise fail(
                "transit",
                f"no rule gives the days from '{supplier.owner}' to '{buyer.owner}' for '{buyer.material}'.",
            )
        inside = None
        if buyer.kind == "processor":
            inside = network.world.processes[network.blueprint.facilities[buyer.owner].process].processing_time
        found.append((rule.days, inside))
    return found


def _rules_by_material(network: Network) -> dict[str, list[schema.TransitRule]]:
    """Transit rules that speak of each material, last first: the last that matches counts."""
    rules = list(reversed(network.world.transit.values()))
    return {m: [rule for rule in rules if rule.material is None or m in rule.material] for m in network.materials}


def _rule_matches(network: Network, rule: schema.TransitRule, supplier: SupplierRow, buyer: BuyerRow) -> bool:
    def named(names: tuple[str, ...] | None, row: SupplierRow | BuyerRow) -> bool:
        return names is None or any(network.matches(name, row.owner, row.country) for name in names)

    return named(rule.origin, supplier) and named(rule.destination, buyer)
