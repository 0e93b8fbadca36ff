"""More in a reserve, or more of it for those first in line, never hurts them, within the paired interval."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from sim.metrics import Key, block_metrics
from tests.examples import FILE, FULL_WORLD, split
from tests.probe import Array, run_block, tiny_case

NOTED = {"source": "assumption"}
ON = ["switches.noise=true", "switches.hazards=true", "switches.uncertainty=true", "horizon.end=2026-06-30"]
BAN = {
    "type": "export_ban",
    "from": ["MYS", "CHN"],
    "material": "metal",
    "start": "2025-06-04",
    "duration": "180 d",
    **NOTED,
}
RELEASE = {
    "type": "stockpile_release",
    "stockpile": "reserve",
    "rate": "12 t/d",
    "when": {"metric": "days_of_cover", "material": "metal", "country": "JPN", "below": "40 d", "until": 55},
    **NOTED,
}
REPLICATIONS = 32


def found(
    policies: dict[str, Any], metric: str, sector: str = "all", files: dict[str, str] = FULL_WORLD, country: str = "JPN"
) -> Array:
    """(replication,) a metric of metal."""
    case = tiny_case(files=files, policies=policies, overrides=ON)
    keys, metrics = block_metrics(case, run_block(case, 1, 0, REPLICATIONS))
    return np.asarray(metrics[metric][keys.index(Key("tin", "metal", country, sector))])


def assert_not_more(less: Array, more: Array) -> None:
    """Hold the paired mean difference to at most four standard errors above zero."""
    difference = less - more
    error = difference.std(ddof=1) / np.sqrt(difference.size)
    assert difference.mean() <= 4 * error + 1e-9


def assert_never_more(days: list[Array]) -> None:
    """Hold each to at most what the one before it is, and the last to clearly less than the first."""
    for before, after in itertools.pairwise(days):
        assert_not_more(after, before)
    assert days[-1].mean() < days[0].mean()


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"price": "fixed", "fixed_price": 1.5},
        {"refill": {"rate": "3 t/d", "price_limit": 1.2, "wait": "14 d"}},
        {"beneficiaries": {"JPN": 0.7, "USA": 0.3}},
        {"first_call": ["tinplate"]},
    ],
    ids=["auction", "fixed", "refill", "joint", "first call"],
)
def test_a_larger_stockpile_never_raises_shortage_days(more: dict[str, Any]) -> None:
    days = []
    for holding in ("0 d", "30 d", "90 d"):
        files = {FILE: split().replace("holding: 30 d", f"holding: {holding}")}
        days.append(found({"ban": BAN, "release": {**RELEASE, **more}}, "shortage_days", files=files))
    assert days[0].mean() > 5.0
    assert_never_more(days)


def test_a_faster_release_never_raises_shortage_days() -> None:
    measures = [{"ban": BAN, "release": {**RELEASE, "rate": rate}} for rate in ("1 t/d", "4 t/d", "12 t/d")]
    assert_never_more([found(each, "shortage_days") for each in measures])


def test_a_larger_share_never_raises_shortage_days() -> None:
    shares = [{"JPN": share, "USA": 1.0 - share} for share in (0.1, 0.5, 0.9)]
    measures = [{"ban": BAN, "release": {**RELEASE, "beneficiaries": each}} for each in shares]
    assert_never_more([found(each, "shortage_days") for each in measures])


@pytest.mark.parametrize("metric", ["unmet_t", "shortage_days"])
def test_the_first_call_never_harms_those_it_serves(metric: str) -> None:
    measures = [{"ban": BAN, "release": {**RELEASE, "rate": "2 t/d"}}]
    measures.append({"ban": BAN, "release": {**RELEASE, "rate": "2 t/d", "first_call": ["tinplate"]}})
    assert_never_more([found(each, metric, "tinplate") for each in measures])


@pytest.mark.parametrize("metric", ["unmet_t", "shortage_days"])
def test_a_place_further_ahead_never_harms_a_sector(metric: str) -> None:
    first = {"type": "demand_priority", "country": "JPN", "material": "metal", "start": "2025-06-04", **NOTED}
    orders: list[list[str]] = [["solder", "other", "tinplate"], ["solder", "tinplate"], ["tinplate"]]
    days = [found({"ban": BAN, "first": {**first, "first": order}}, metric, "tinplate") for order in orders]
    assert_never_more(days)
    plain = found({"ban": BAN}, metric, "tinplate")
    assert_not_more(days[-1], plain)
    assert_not_more(plain, days[0])
