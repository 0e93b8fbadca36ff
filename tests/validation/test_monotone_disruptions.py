"""More of a disruption never helps, more of a way round never hurts, within the paired interval."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from tests.examples import FULL_WORLD
from tests.probe import Array, run_block, tiny_case

NOTED = {"source": "assumption"}
ON = ["switches.noise=true", "switches.hazards=true", "switches.uncertainty=true", "horizon.end=2026-06-30"]
CLOSURE: dict[str, Any] = {
    "type": "route_closure", "from": ["MYS", "CHN"], "to": ["JPN"], "start": "2025-06-04", "duration": "180 d", **NOTED,
}  # fmt: skip
SHOCK: dict[str, Any] = {
    "type": "country_shock", "country": ["MYS", "CHN"], "process": "smelting", "start": "2025-06-04",
    "duration": "90 d", **NOTED,
}  # fmt: skip
WAY: dict[str, Any] = {
    "type": "logistics_project", "from": ["MYS", "CHN"], "to": ["JPN"], "start": "2025-01-08", "lead_time": "60 d",
    "ramp": "30 d", "success": 0.8, "cost": "0 USD", "public_share": 0, "sponsors": {"JPN": 1}, **NOTED,
}  # fmt: skip
REPLICATIONS = 32


def shortage(policies: dict[str, Any], country: str = "JPN") -> Array:
    """(replication,) shortage days of metal in a country."""
    recorder = run_block(tiny_case(files=FULL_WORLD, policies=policies, overrides=ON), 1, 0, REPLICATIONS).recorder
    rows = recorder.group == recorder.network.groups.index(("metal", country))
    return np.asarray((recorder.short_days * recorder.weight)[rows].sum(axis=0))


def assert_never_falls(days: list[Array], by: float) -> None:
    """Hold each paired mean difference to at least minus four standard errors, and the whole to a clear rise."""
    for less, more in itertools.pairwise(days):
        difference = more - less
        error = difference.std(ddof=1) / np.sqrt(difference.size)
        assert difference.mean() >= -4 * error - 1e-9
    assert days[-1].mean() > days[0].mean() + by


def test_a_larger_closure_never_lowers_shortage_days() -> None:
    assert_never_falls([shortage({"closure": {**CLOSURE, "share": share}}) for share in (0, 0.4, 0.8, 1)], 20.0)


def test_a_longer_closure_never_lowers_shortage_days() -> None:
    days = [shortage({"closure": {**CLOSURE, "duration": f"{length} d"}}) for length in (60, 120, 240)]
    assert_never_falls(days, 20.0)


def test_a_longer_detour_never_lowers_shortage_days() -> None:
    detours = [{"days": f"{days} d", "cost": "5 %"} for days in (0, 45, 90)]
    assert_never_falls([shortage({"closure": {**CLOSURE, "share": 0, "detour": each}}) for each in detours], 0.0)


def test_a_harder_shock_never_lowers_shortage_days() -> None:
    for country in ("JPN", "USA"):
        shocks = ({**SHOCK, "duration": "180 d", "severity": share} for share in (0, 0.5, 1))
        assert_never_falls([shortage({"shock": shock}, country) for shock in shocks], 5.0)


def test_a_slower_recovery_never_lowers_shortage_days() -> None:
    days = [shortage({"shock": {**SHOCK, "recovery": f"{length} d"}}) for length in (0, 90, 270)]
    assert_never_falls(days, 5.0)


def test_a_wider_way_round_never_raises_shortage_days() -> None:
    days = [shortage({"closure": CLOSURE, "way": {**WAY, "capacity_share": share}}) for share in (1, 0.6, 0.3, 0)]
    assert_never_falls(days, 20.0)


def test_a_way_round_never_raises_shortage_days_where_chance_closes_the_route() -> None:
    # The example world's strait, and nothing else.
    way = {key: value for key, value in WAY.items() if key not in ("from", "to")} | {"route": "strait"}
    days = [shortage({"way": {**way, "capacity_share": share}}) for share in (1, 0.5, 0)]
    assert_never_falls(days, -1e-9)
