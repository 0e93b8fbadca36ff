"""More of a remedy never hurts, more of a control never helps those it is aimed at, within the paired interval."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

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
REPLICATIONS = 32


def shortage(policies: dict[str, Any], files: dict[str, str] = FULL_WORLD, country: str = "JPN") -> Array:
    """(replication,) shortage days of metal in a country."""
    recorder = run_block(tiny_case(files=files, policies=policies, overrides=ON), 1, 0, REPLICATIONS).recorder
    rows = recorder.group == recorder.network.groups.index(("metal", country))
    return np.asarray((recorder.short_days * recorder.weight)[rows].sum(axis=0))


def assert_not_more(less: Array, more: Array) -> None:
    """Hold the paired mean difference to at most four standard errors above zero."""
    difference = less - more
    error = difference.std(ddof=1) / np.sqrt(difference.size)
    assert difference.mean() <= 4 * error + 1e-9


def test_a_bigger_reserve_never_raises_shortage_days() -> None:
    release = {"type": "stockpile_release", "stockpile": "reserve", "rate": "12 t/d", "start": "2025-07-02", **NOTED}
    days = []
    for holding in ("0 d", "30 d", "90 d"):
        files = {FILE: split().replace("holding: 30 d", f"holding: {holding}")}
        days.append(shortage({"ban": BAN, "release": release}, files))
    assert days[0].mean() > 5.0
    for smaller, bigger in itertools.pairwise(days):
        assert_not_more(bigger, smaller)
    assert days[2].mean() < days[0].mean() - 5.0


@pytest.mark.parametrize("country", ["JPN", "USA"])
def test_a_tighter_licence_never_lowers_shortage_days_abroad(country: str) -> None:
    days = []
    for share in (1.0, 0.6, 0.2):
        licence = {**BAN, "type": "export_licence", "applications": share, "delay": "30 d"}
        days.append(shortage({"licence": licence}, country=country))
    for tighter, looser in zip(days[1:], days[:-1], strict=True):
        assert_not_more(looser, tighter)
    assert days[2].mean() > days[0].mean()


def test_a_longer_ban_never_lowers_shortage_days() -> None:
    days = [shortage({"ban": {**BAN, "duration": f"{length} d"}}) for length in (60, 120, 240)]
    for longer, shorter in zip(days[1:], days[:-1], strict=True):
        assert_not_more(shorter, longer)


def test_more_cover_never_raises_shortage_days() -> None:
    days = []
    for cover in ("20 d", "60 d", "150 d"):
        files = {FILE: split().replace("use: 6 kt/yr, cover: 60 d", f"use: 6 kt/yr, cover: {cover}")}
        days.append(shortage({"ban": BAN}, files))
    for more, less in zip(days[1:], days[:-1], strict=True):
        assert_not_more(more, less)


def test_new_capacity_abroad_never_raises_shortage_days() -> None:
    plant = {
        "type": "project_of_interest",
        "country": "JPN",
        "process": "smelting",
        "capacity": "6 t/d",
        "start": "2025-01-02",
        "lead_time": "60 d",
        "ramp": "60 d",
        "success": 1,
        "cost": "0 USD",
        "public_share": 0,
        "sponsors": {"JPN": 1},
        "suppliers": {"ore": {"mine_2": 1}},
        "customers": {"metal": {"JPN": 1}},
        **NOTED,
    }
    assert_not_more(shortage({"ban": BAN, "plant": plant}), shortage({"ban": BAN}))
