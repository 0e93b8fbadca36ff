"""facility_outage in the tiny world, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.probe import Array, tiny_case, watch

OUTAGE = {
    "type": "facility_outage", "facility": "mine", "start": "2025-03-12", "duration": "42 d", "source": "assumption",
}  # fmt: skip


def made(more: dict[str, dict[str, object]] | None = None, **keys: object) -> Array:
    """(review,) ore mined over normal."""
    policies = {"outage": {**OUTAGE, **keys}, **(more or {})}
    case = tiny_case(policies=policies, overrides=["horizon.end=2025-12-31"])
    total = np.array(watch(case, lambda w, _: w.stocks.made[0, 0] / (w.step * w.baseline.sales[0, 0]), replications=1))
    return np.diff(total, prepend=0.0)


def test_nothing_is_made_while_it_lasts_and_capacity_bounds_the_catch_up() -> None:
    """Capacity is normal output over a utilisation of 85 %."""
    found = made()
    assert found[:10] == pytest.approx(1.0)
    assert np.all(found[10:16] == 0.0)
    assert found[16:].max() == pytest.approx(1.0 / 0.85)


def test_a_partial_stop_takes_its_share_of_capacity() -> None:
    assert made(severity=0.5)[11] == pytest.approx(0.5 / 0.85)


def test_spare_capacity_hides_a_small_stop() -> None:
    assert made(severity=0.1)[10] == pytest.approx(1.0)


def test_a_review_that_it_cuts_loses_its_part() -> None:
    """Off for the last four days of a week: three sevenths of capacity."""
    assert made(start="2025-03-15")[10] == pytest.approx(3 / 7 / 0.85)


def test_two_stops_multiply() -> None:
    other: dict[str, object] = {**OUTAGE, "severity": 0.5}
    assert made({"other": other}, severity=0.5)[11] == pytest.approx(0.25 / 0.85)


@pytest.mark.parametrize(("keys", "message"), [({"facility": "mime"}, "mine"), ({"severity": 1.5}, "largest allowed")])
def test_what_does_not_fit_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(**keys)
