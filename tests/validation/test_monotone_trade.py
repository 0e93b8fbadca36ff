"""More of a trade measure never helps those it is aimed at, within the paired interval of four standard errors."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from tests.examples import FULL_WORLD
from tests.probe import Array, run_block, tiny_case

ON = ["switches.noise=true", "switches.hazards=true", "switches.uncertainty=true", "horizon.end=2026-03-31"]
REPLICATIONS = 24
WHEN = {"start": "2025-06-04", "source": "assumption"}
NOTED = {"material": "metal", **WHEN}
QUOTA = {"type": "export_quota", "from": ["MYS", "CHN"], **NOTED}
LIMIT = {
    "type": "production_limit",
    "country": "MYS",
    "process": "smelting",
    "start": "2025-06-04",
    "source": "assumption",
}


def ran(raw: dict[str, Any]) -> Any:
    case = tiny_case(files=FULL_WORLD, policies={"measure": raw}, overrides=ON)
    return run_block(case, 1, 0, REPLICATIONS)


def shortage(raw: dict[str, Any], country: str = "JPN") -> Array:
    """(replication,) shortage days of metal in a country."""
    recorder = ran(raw).recorder
    rows = recorder.group == recorder.network.groups.index(("metal", country))
    return np.asarray((recorder.short_days * recorder.weight)[rows].sum(axis=0))


def price(raw: dict[str, Any], country: str = "JPN") -> Array:
    """(replication,) sum of price over normal of metal in a country, over reviews."""
    recorder = ran(raw).recorder
    return np.asarray(recorder.price_sum[recorder.network.groups.index(("metal", country))])


def assert_not_more(less: Array, more: Array) -> None:
    """Hold the paired mean difference to at most four standard errors above zero."""
    difference = less - more
    error = difference.std(ddof=1) / np.sqrt(difference.size)
    assert difference.mean() <= 4 * error + 1e-9


def assert_rising(values: list[Array]) -> None:
    for less, more in itertools.pairwise(values):
        assert_not_more(less, more)
    assert values[-1].mean() > values[0].mean()


def test_a_smaller_quota_never_lowers_shortage_days_abroad() -> None:
    assert_rising([shortage({**QUOTA, "share_of_normal": share}) for share in (1.2, 0.6, 0.2)])


def test_a_smaller_quota_never_lowers_the_price_abroad() -> None:
    assert_rising([price({**QUOTA, "share_of_normal": share}) for share in (1.2, 0.7, 0.4)])


@pytest.mark.parametrize("country", ["JPN", "USA"])
def test_a_tighter_production_limit_never_lowers_the_price(country: str) -> None:
    assert_rising([price({**LIMIT, "share": share}, country) for share in (1.0, 0.7, 0.3)])


def test_a_tighter_production_limit_never_lowers_shortage_days() -> None:
    assert_rising([shortage({**LIMIT, "share": share}) for share in (1.0, 0.6, 0.1)])


def test_a_higher_duty_never_lowers_the_price_abroad() -> None:
    duty = {"type": "export_duty", "from": ["MYS", "CHN"], **NOTED}
    assert_rising([price({**duty, "rate": rate}) for rate in (0, 0.2, 0.8)])


def test_a_higher_tariff_never_lowers_the_price_in_the_country_nor_raises_it_elsewhere() -> None:
    tariff = {"type": "import_tariff", "to": "JPN", **NOTED}
    assert_rising([price({**tariff, "rate": rate}) for rate in (0, 0.2, 0.8)])
    abroad = [price({**tariff, "rate": rate}, "USA") for rate in (0.8, 0)]
    assert_not_more(*abroad)


def test_refusing_more_never_lowers_the_own_price() -> None:
    ban = {"type": "import_ban", "by": "JPN", "from": "MYS", **NOTED}
    assert_rising([price({**ban, "coverage": share}) for share in (0, 0.6, 1)])


def test_a_higher_threshold_never_lowers_the_own_price() -> None:
    standard = {"type": "sourcing_standard", "by": "JPN", "transition": "90 d", **NOTED}
    assert_rising([price({**standard, "threshold": score}) for score in (-0.4, 0.1, 0.6)])
