"""country_shock in the tiny world, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import run_block
from sim.errors import ConfigError
from sim.policies.country_shock import recovering
from tests.probe import Array, tiny_case, watch

SHOCK: dict[str, Any] = {
    "type": "country_shock", "country": "MYS", "start": "2025-03-12", "duration": "35 d", "source": "assumption",
}  # fmt: skip


def left(**keys: Any) -> Array:
    """(review, facility) share of capacity left: the mine in China, the smelter in Malaysia."""
    case = tiny_case(policies={"shock": {**SHOCK, **keys}}, overrides=["horizon.end=2025-12-31"])
    return np.array(watch(case, lambda w, _: w.levers.available[:, 0].copy(), replications=1))


def test_everything_there_stops_and_nothing_elsewhere() -> None:
    found = left()
    assert np.all(found[10:15, 1] == 0.0)
    assert np.all(found[:10] == 1.0)
    assert np.all(found[15:] == 1.0)
    assert np.all(found[:, 0] == 1.0)


def test_capacity_comes_back_along_a_line() -> None:
    """All lost for five weeks, back over four: in the middle of each of them 7/8, 5/8, 3/8 and 1/8 are missing."""
    found = left(recovery="28 d")
    assert found[15:19, 1] == pytest.approx([1 / 8, 3 / 8, 5 / 8, 7 / 8])
    assert np.all(found[19:, 1] == 1.0)


def test_what_is_lost_does_not_depend_on_how_reviews_fall() -> None:
    """40 % for 35 days and half of that for the 50 days after: 24 days of output, wherever they begin."""
    for start in ("2025-03-12", "2025-03-14", "2025-03-17"):
        lost = 7.0 * (1.0 - left(severity=0.4, recovery="50 d", start=start)[:, 1]).sum()
        assert lost == pytest.approx(0.4 * (35 + 25))


def test_only_the_processes_named_are_struck() -> None:
    found = left(country=["CHN", "MYS"], process="mining")
    assert np.all(found[10:15, 0] == 0.0)
    assert np.all(found[:, 1] == 1.0)


def test_a_shock_of_no_severity_does_nothing() -> None:
    assert np.all(left(severity=0, recovery="60 d") == 1.0)


def test_its_recovery_is_on_the_timeline() -> None:
    case = tiny_case(policies={"shock": {**SHOCK, "recovery": "28 d"}}, overrides=["horizon.end=2025-12-31"])
    assert run_block(case, 1, 0, 2).timeline["shock", "recovered"] == pytest.approx(70.0 + 35.0 + 28.0)


def test_the_line_is_integrated_exactly() -> None:
    """Against the mean over a fine grid."""
    end, length = np.array([3.0, 9.5, 20.0, np.inf]), np.array([5.0, 2.0, 100.0, 10.0])
    for day in (0.0, 7.0, 14.0, 105.0):
        t = day + (np.arange(70_000)[:, None] + 0.5) / 10_000
        line = np.where(t > end, np.clip(1.0 - (t - np.where(np.isinf(end), 0.0, end)) / length, 0.0, 1.0), 0.0)
        assert recovering(day, 7.0, end, length) == pytest.approx(line.mean(axis=0), abs=1e-6)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"country": "JPN"}, "no facility of this world stands in JPN"),
        ({"country": "MYZ"}, "MYS"),
        ({"process": "mining"}, "no plant for mining"),
        ({"process": "mixing"}, "mining"),
        ({"severity": 2}, "largest allowed"),
        ({"recovery": "-5 d"}, "smallest allowed"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        left(**keys)
