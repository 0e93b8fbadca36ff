"""demand_shift in the tiny world, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.probe import Array, tiny_case, watch

SHIFT = {"type": "demand_shift", "material": "metal", "shift": 0.1, "start": "2025-03-12", "source": "assumption"}
STIFF = ["behaviour.eps=0", "behaviour.eps_L=0", "horizon.end=2025-08-31"]


def requirement(**keys: object) -> Array:
    """(review, buyer) requirement over its start, without any response to prices."""
    case = tiny_case(policies={"shift": {**SHIFT, **keys}}, overrides=STIFF)
    return np.array(
        watch(case, lambda w, _: w.beliefs.requirement[:, 0] / w.baseline.requirement[:, 0], replications=1)
    )


def test_consumers_need_more_from_its_first_day() -> None:
    found = requirement()
    assert found[:10] == pytest.approx(1.0)
    assert found[10:, 1:] == pytest.approx(1.1)


def test_a_ramp_rises_in_a_straight_line() -> None:
    """Over ten weeks, the middle of each review counting."""
    found = requirement(ramp="70 d")[10:20, 1]
    assert found == pytest.approx(1.0 + 0.1 * (np.arange(10) + 0.5) / 10)


def test_it_ends() -> None:
    found = requirement(duration="28 d")[:, 1]
    assert found[10:14] == pytest.approx(1.1)
    assert found[14:] == pytest.approx(1.0)


def test_it_stays_where_it_is_meant() -> None:
    found = requirement(country="USA", shift=-0.25)[12]
    assert found[1] == pytest.approx(1.0)
    assert found[2] == pytest.approx(0.75)


def test_a_bloc_stands_for_its_members() -> None:
    assert requirement(country="allies")[12, 1:] == pytest.approx(1.1)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"country": "CHN"}, "no consumer of metal in CHN"),
        ({"material": "ore"}, "no consumer of ore"),
        ({"shift": "much"}, "shift"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        requirement(**keys)


def test_demand_cannot_fall_below_nothing() -> None:
    """A fall by more than all of it would be a negative requirement."""
    with pytest.raises(ConfigError):
        requirement(shift=-1.5)
