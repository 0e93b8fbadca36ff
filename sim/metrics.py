"""Turns what a block recorded into the reported metrics: one definition of each, and nothing else.

A result is reported per mineral, material, country and sector. The sector is ``all``, or, where final
consumers are the only buyers, one of their sectors: they share the stock, so that days, ratios and prices
are those of all, and tonnes and money are a share (docs/model.md, section 9). Where a policy prefers sectors,
what they use and lack is their own (`sectors`); prices, cover and money stay those of all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.engine import Block, Case
from sim.sectors import sector_shares

Array = NDArray[np.float64]


class Key(NamedTuple):
    """What a row of results is about."""

    mineral: str
    material: str
    country: str
    sector: str = "all"


UNITS = {
    "shortage_days": "d",
    "unmet_t": "t",
    "fill_rate": "1",
    "curtailed_t": "t",
    "destroyed_t": "t",
    "longest_shortage_days": "d",
    "time_to_survive_days": "d",
    "time_to_recover_days": "d",
    "min_cover_days": "d",
    "price_peak": "1",
    "price_mean": "1",
    "days_price_above_1_5x": "d",
    "days_price_above_2x": "d",
    "days_price_above_5x": "d",
    "procurement_cost_usd": "USD",
    "policy_cost_public_usd": "USD",
    "policy_cost_private_usd": "USD",
    "independent_share": "1",
    "products_planned": "products",
    "products_not_built": "products",
}
"""Every metric with its unit, in the order of reports."""

METRICS = tuple(UNITS)

SHARED = tuple(name for name, unit in UNITS.items() if unit in ("t", "USD"))
"""Metrics of which a sector has a share; it has all of the others."""

POLICY_COSTS = ("policy_cost_public_usd", "policy_cost_private_usd")


def block_metrics(case: Case, block: Block) -> tuple[tuple[Key, ...], dict[str, Array]]:
    """Return the metrics of every replication of a block.

    Parameters
    ----------
    case : Case
    block : Block
        As `engine.run_block` leaves it.

    Returns
    -------
    keys : tuple of Key
        Groups in the order of the chain, each followed by its sectors; then who pays for a policy without
        buying the material.
    metrics : dict of (key, replication) float
        By name, units as in `UNITS`; NaN where a metric has no meaning or its event never happened.
    """
    groups = list(block.recorder.network.groups)
    payers = sorted({(material, country) for _, material, country in block.spending} - set(groups))
    measured = _of_groups(block, case.independent_of is not None)
    totals = {name: _with_rows(values, len(payers)) for name, values in measured.items()}
    totals |= _policy_costs(block, [*groups, *payers])
    mineral_of = {material: name for name, chain in case.world.minerals.items() for material in chain}
    keys, rows, shares = [], [], []
    for row, (material, country) in enumerate([*groups, *payers]):
        sectors = {} if row >= len(groups) else sector_shares(block.recorder.network, material, country)
        for sector, share in {"all": 1.0, **sectors}.items():
            keys.append(Key(mineral_of[material], material, country, sector))
            rows.append(row)
            shares.append(share)
    scale = np.array(shares)[:, None]
    found = {name: totals[name][rows] * (scale if name in SHARED else 1.0) for name in METRICS}
    _preferred(block, keys, found)
    return tuple(keys), found


def _preferred(block: Block, keys: list[Key], found: dict[str, Array]) -> None:
    """Give sectors their own figures, in place, in the replications where a policy ever preferred any."""
    start, end = block.disruption
    place = {key[1:]: row for row, key in enumerate(keys)}
    for number, group in block.recorder.sectors.followed.items():
        own = {
            "shortage_days": group.mean_short_days,
            "unmet_t": group.by_sector(group.unmet),
            "fill_rate": ratio(group.by_sector(group.used), group.by_sector(group.wanted)),
            "longest_shortage_days": group.longest_of_any,
            "time_to_survive_days": time_to_survive(group.first_short, start),
            "time_to_recover_days": time_to_recover(group.last_short, end),
        }
        for name, values in own.items():
            for s, sector in enumerate(group.names):
                row = place[*block.recorder.network.groups[number], sector]
                found[name][row] = np.where(group.touched, values[s], found[name][row])


def _of_groups(block: Block, traced: bool) -> dict[str, Array]:
    """Return all but the policy costs, each (group, replication); `traced` is whether a country is avoided."""
    recorder = block.recorder
    count = len(recorder.network.groups)
    start, end = block.disruption

    def total(values: Array) -> Array:
        return by_group(values, recorder.group, count, np.add, 0.0)

    used, wanted = total(recorder.used), total(recorder.wanted)
    return {
        "shortage_days": total(recorder.short_days * recorder.weight),
        "unmet_t": total(recorder.unmet),
        "fill_rate": ratio(used, wanted),
        "curtailed_t": total(recorder.curtailed),
        "destroyed_t": total(recorder.destroyed),
        "longest_shortage_days": by_group(recorder.longest, recorder.group, count, np.maximum, 0.0),
        "time_to_survive_days": time_to_survive(recorder.first_short, start),
        "time_to_recover_days": time_to_recover(recorder.last_short, end),
        "min_cover_days": np.where(np.isfinite(recorder.min_cover), recorder.min_cover, np.nan),
        "price_peak": recorder.price_peak,
        "price_mean": recorder.price_sum / recorder.calendar.horizon,
        "days_price_above_1_5x": recorder.days_above[0],
        "days_price_above_2x": recorder.days_above[1],
        "days_price_above_5x": recorder.days_above[2],
        "procurement_cost_usd": recorder.bill,
        "independent_share": ratio(recorder.independent, used) if traced else np.full_like(used, np.nan),
        "products_planned": np.where(recorder.planned > 0, recorder.planned, np.nan),
        "products_not_built": np.where(recorder.planned > 0, recorder.not_built, np.nan),
    }


def by_group(values: Array, group: NDArray[np.int64], count: int, combine: np.ufunc, start: float) -> Array:
    """Combine buyer rows into groups; rows without a group (stockpiles) are left out.

    Parameters
    ----------
    values : (buyer, replication) float
    group : (buyer,) int
        Group of each row, -1 for none.
    count : int
        Number of groups.
    combine : ufunc
        `numpy.add`, `numpy.maximum`.
    start : float
        What an empty group has.

    Returns
    -------
    (group, replication) float
    """
    out = np.full((count, values.shape[1]), start)
    inside = group >= 0
    combine.at(out, group[inside], values[inside])
    return out


def ratio(part: Array, whole: Array) -> Array:
    """Return part / whole, NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full_like(whole, np.nan), where=whole > 0)


def time_to_survive(first_short: Array, start: Array) -> Array:
    """Return days from the start of the disruption to the first shortage after it.

    Parameters
    ----------
    first_short : (group, replication) float, d
        inf where there is none.
    start : (replication,) float, d
        inf where there is no disruption.

    Returns
    -------
    (group, replication) float, d
        NaN where it never happens; 0 where the shelf was empty already.
    """
    happened = np.isfinite(first_short) & np.isfinite(start)
    return np.subtract(first_short, start, out=np.full_like(first_short, np.nan), where=happened)


def time_to_recover(last_short: Array, end: Array) -> Array:
    """Return days from the end of the disruption to the end of the last shortage.

    Parameters
    ----------
    last_short : (group, replication) float, d
        -inf where there is none.
    end : (replication,) float, d
        inf where the disruption lasts.

    Returns
    -------
    (group, replication) float, d
        NaN where the disruption lasts, or no shortage outlasts it.
    """
    happened = np.isfinite(end) & (last_short > end)
    return np.subtract(last_short, end, out=np.full_like(last_short, np.nan), where=happened)


def _policy_costs(block: Block, groups: list[tuple[str, str]]) -> dict[str, Array]:
    """Return public and private money by who pays and for what, (group, replication), USD."""
    row_of = {group: row for row, group in enumerate(groups)}
    replications = block.recorder.price_sum.shape[1]
    costs = {name: np.zeros((len(groups), replications)) for name in POLICY_COSTS}
    for (_, material, country), money in block.spending.items():
        for name, amount in zip(POLICY_COSTS, money, strict=True):
            costs[name][row_of[material, country]] += amount
    return costs


def _with_rows(values: Array, more: int) -> Array:
    return np.concatenate([values, np.full((more, values.shape[1]), np.nan)]) if more else values
