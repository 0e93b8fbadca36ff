"""More support, recycling or substitution never makes shortages worse, within the paired interval."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.examples import FULL_WORLD
from tests.probe import Array, run_block, tiny_case

NOTED = {"source": "assumption"}
ON = ["switches.noise=true", "switches.hazards=true", "switches.uncertainty=true", "horizon.end=2026-06-30"]
REPLICATIONS = 32

FLOOD = {
    "type": "demand_shift", "material": "metal", "shift": -0.3, "start": "2025-01-01", "duration": "270 d", **NOTED,
}  # fmt: skip
BAN = {
    "type": "export_ban", "from": ["MYS", "CHN"], "material": "metal", "start": "2025-06-04", "duration": "180 d",
    **NOTED,
}  # fmt: skip
AFTER_THE_FLOOD = {"flood": FLOOD, "ban": {**BAN, "start": "2025-10-01"}}
PROGRAMME = {
    "country": "JPN", "material": "metal", "start": "2025-01-02", "lead_time": "60 d", "ramp": "60 d", "success": 1,
    "cost": "1 million_USD", "public_share": 1, "sponsors": {"JPN": 1}, **NOTED,
}  # fmt: skip
SUPPORT = {"facility": "smelter_2", "material": "metal", "sponsors": {"USA": 1}, "start": "2025-01-01", **NOTED}


def results(policies: dict[str, Any], country: str = "JPN") -> tuple[Array, Array]:
    """(replication,) shortage days of metal in a country, and what public hands spent on the measure, USD."""
    block = run_block(tiny_case(files=FULL_WORLD, policies=policies, overrides=ON), 1, 0, REPLICATIONS)
    recorder = block.recorder
    rows = recorder.group == recorder.network.groups.index(("metal", country))
    spent = sum((public for (name, _, _), (public, _) in block.spending.items() if name == "measure"), np.zeros(1))
    return np.asarray((recorder.short_days * recorder.weight)[rows].sum(axis=0)), np.broadcast_to(spent, REPLICATIONS)


def assert_not_more(less: Array, more: Array) -> None:
    """Hold the paired mean difference to at most four standard errors above zero."""
    difference = less - more
    error = difference.std(ddof=1) / np.sqrt(difference.size)
    assert difference.mean() <= 4 * error + 1e-9


def assert_never_more(days: list[Array]) -> None:
    """Hold each step to no more shortage than the one before it."""
    for before, after in itertools.pairwise(days):
        assert_not_more(after, before)


@pytest.mark.parametrize("country", ["JPN", "USA"])
def test_more_recycling_never_raises_shortage_days(country: str) -> None:
    days = []
    for share in (0, 0.15, 0.4):
        measure = {"type": "recycling_programme", "recovered": share, **PROGRAMME}
        days.append(results({"ban": BAN, "measure": measure}, country)[0])
    assert_never_more(days)
    assert days[0].mean() > 5.0 or country == "USA"
    assert days[-1].mean() < days[0].mean() or country == "USA"


@pytest.mark.parametrize("country", ["JPN", "USA"])
def test_more_substitution_never_raises_shortage_days(country: str) -> None:
    days = []
    for share in (0, 0.15, 0.4):
        measure = {"type": "substitution_programme", "share": share, **PROGRAMME}
        days.append(results({"ban": BAN, "measure": measure}, country)[0])
    assert_never_more(days)
    assert days[-1].mean() < days[0].mean() or country == "USA"


def test_a_higher_floor_never_raises_shortage_days_and_never_costs_less() -> None:
    found = [
        results({**AFTER_THE_FLOOD, "measure": {"type": "price_floor", "floor": floor, **SUPPORT}})
        for floor in (0.01, 0.9, 1.2)
    ]
    assert_never_more([days for days, _ in found])
    assert not found[0][1].any()
    for (_, low), (_, high) in itertools.pairwise(found):
        assert (high >= low).all()
        assert high.mean() > low.mean()


def test_a_bigger_guarantee_never_raises_shortage_days_where_its_metal_is_released() -> None:
    release = {"type": "stockpile_release", "stockpile": "reserve", "rate": "12 t/d", "start": "2025-11-05", **NOTED}
    days, spent = [], []
    for volume in ("0 t/d", "1 t/d", "3 t/d"):
        measure = {"type": "offtake_guarantee", "volume": volume, "stockpile": "reserve", **SUPPORT}
        found = results({**AFTER_THE_FLOOD, "release": release, "measure": measure})
        days.append(found[0])
        spent.append(found[1])
    assert_never_more(days)
    assert days[-1].mean() < days[0].mean()
    for less, more in itertools.pairwise(spent):
        assert_not_more(less, more)
    assert not spent[0].any()
