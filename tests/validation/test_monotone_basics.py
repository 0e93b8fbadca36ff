"""More of a control never helps those it is aimed at, more of a contract or reserve never hurts its owner."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.examples import FILE, FULL_WORLD, split
from tests.probe import run_block, tiny_case
from tests.validation.test_policies_monotone import BAN, NOTED, ON, REPLICATIONS, assert_not_more, shortage


def assert_rising(policies: list[dict[str, Any]], country: str = "JPN") -> None:
    """Days of shortage never fall along a list of scenarios, and do rise from the first to the last."""
    days = [shortage(each, country=country) for each in policies]
    for less, more in itertools.pairwise(days):
        assert_not_more(less, more)
    assert days[-1].mean() > days[0].mean()


@pytest.mark.parametrize("extra", [{}, {"under_way": "hold"}, {"under_way": "return"}])
def test_a_wider_ban_never_lowers_shortage_days(extra: dict[str, Any]) -> None:
    assert_rising([{"ban": {**BAN, **extra, "coverage": share}} for share in (0.3, 0.7, 1)])


def test_stopping_goods_under_way_never_lowers_shortage_days() -> None:
    delivered, held = (shortage({"ban": {**BAN, "under_way": rule}}) for rule in ("deliver", "hold"))
    assert_not_more(delivered, held)
    assert held.mean() > delivered.mean()


def test_more_leaks_never_raise_shortage_days() -> None:
    assert_rising([{"ban": {**BAN, "smuggled": share}} for share in (0.6, 0.3, 0)])
    way = {"cost": 0.3, "lag": "30 d"}
    assert_rising([{"ban": {**BAN, "transshipment": {**way, "cap": cap}}} for cap in (0.6, 0.3, 0)])


def test_a_longer_stop_never_lowers_shortage_days() -> None:
    stop = {"type": "facility_outage", "facility": "smelter", "start": "2025-06-04", "duration": "200 d", **NOTED}
    assert_rising([{"stop": {**stop, "severity": part}} for part in (0.3, 0.6, 1)])


def test_a_stricter_content_rule_never_lowers_shortage_days() -> None:
    rule = {
        "type": "extraterritorial_rule",
        "from": "CHN",
        "material": "metal",
        "content": "ore",
        "start": "2025-06-04",
        "duration": "200 d",
        "applications": 0.1,
        **NOTED,
    }
    assert_rising([{"rule": {**rule, "de_minimis": share}} for share in (0.99, 0.3, 0.001)])


def test_a_conflict_that_breaks_out_sooner_never_lowers_shortage_days() -> None:
    """Unit exponentials are keyed by jump: at a higher rate the same ban comes sooner in every replication."""
    ban = {key: value for key, value in BAN.items() if key not in ("start", "duration")}
    scenarios = []
    for rate in (0.2, 1, 5):
        chain = {
            "type": "escalation",
            "start": "2025-01-15",
            "states": ["calm", "ban"],
            "rates": {"calm": {"ban": rate}},
        }
        scenarios.append({"conflict": {**chain, **NOTED}, "ban": {**ban, "during": {"conflict": "ban"}}})
    assert_rising(scenarios)


def test_a_larger_contract_with_an_ally_never_raises_what_its_buyer_lacks() -> None:
    """In tonnes: days are set by how far normal trade has come back, and a contract took some of that away before."""
    deal = {
        "type": "alternative_sourcing",
        "from": "smelter_2",
        "to": {"JPN": 1},
        "material": "metal",
        "start": "2025-01-02",
        "qualification": "30 d",
        "ramp": "60 d",
        **NOTED,
    }
    lacking = []
    for volume in ("0 t/d", "2 t/d", "5 t/d"):
        policies = {"ban": BAN, "deal": {**deal, "volume": volume}}
        case = tiny_case(files=FULL_WORLD, policies=policies, overrides=ON)
        recorder = run_block(case, 1, 0, REPLICATIONS).recorder
        lacking.append(recorder.unmet[recorder.group == recorder.network.groups.index(("metal", "JPN"))].sum(axis=0))
    for smaller, larger in itertools.pairwise(lacking):
        assert_not_more(larger, smaller)
    assert lacking[2].mean() < lacking[0].mean()


def test_a_reserve_that_filled_further_never_raises_shortage_days() -> None:
    files = {FILE: split().replace("holding: 30 d", "holding: 0 d")}
    build = {"type": "stockpile_build", "stockpile": "reserve", "rate": "4 t/d", "start": "2025-01-02", **NOTED}
    release = {"type": "stockpile_release", "stockpile": "reserve", "rate": "12 t/d", "start": "2025-07-02", **NOTED}
    days = [
        shortage({"build": {**build, "target": f"{target} d", "end": "2025-06-01"}, "ban": BAN, "sale": release}, files)
        for target in (0, 15, 40)
    ]
    for smaller, larger in itertools.pairwise(days):
        assert_not_more(larger, smaller)
    assert days[2].mean() < days[0].mean()
