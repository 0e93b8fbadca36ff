"""export_ban in the tiny world, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.probe import Array, tiny_case, watch

NOTED = {"type": "export_ban", "from": "CHN", "material": "ore", "source": "assumption"}
WEEK_10 = "2025-03-12"


def flows(**keys: object) -> Array:
    """(review,) ore shipped over its start, under a ban that starts with the eleventh review unless told otherwise."""
    case = tiny_case(policies={"ban": {"start": WEEK_10, **NOTED, **keys}}, overrides=["horizon.end=2025-12-31"])
    return np.array(watch(case, lambda w, book: book.flow[0, 0] / (w.step * w.baseline.flow[0, 0]), replications=1))


def hoarding(**keys: object) -> Array:
    """(review,) precautionary motive h of the smelter."""
    case = tiny_case(policies={"ban": {"start": WEEK_10, **NOTED, **keys}}, overrides=["horizon.end=2025-12-31"])
    return np.array(watch(case, lambda w, _: w.beliefs.hoarding[0, 0], replications=1))


def test_nothing_leaves_while_it_is_in_force() -> None:
    found = flows(duration="70 d")
    assert found[:10] == pytest.approx(1.0)
    assert np.all(found[10:20] == 0.0)
    assert found[20] > 0.0


def test_a_review_that_it_cuts_ships_its_part() -> None:
    """Three days into a review: ``A = D ((1 - level) normal)``, three sevenths."""
    found = flows(start="2025-03-15")
    assert found[10] == pytest.approx(3 / 7, rel=1e-6)
    assert np.all(found[11:] == 0.0)


def test_the_share_that_is_not_covered_goes_on() -> None:
    assert flows(coverage=0.4)[10] == pytest.approx(0.6, rel=1e-5)


def test_the_shelf_is_as_the_pipeline_left_it() -> None:
    """45 days of cover and 21 days at sea: after nine weeks nothing is left of them but three days."""
    case = tiny_case(
        policies={"ban": {"start": WEEK_10, **NOTED}}, overrides=["behaviour.precaution=0", "horizon.end=2025-12-31"]
    )
    seen = watch(case, lambda w, _: w.stocks.buyer[0, 0] / w.baseline.requirement[0, 0], replications=1)
    assert seen[10] == pytest.approx(45.0)
    assert seen[12] == pytest.approx(45.0, abs=0.5)
    assert seen[13] < seen[12] - 5.0
    assert min(seen) < 1.0


def test_news_raises_the_motive_by_the_share_at_risk_and_fades() -> None:
    """``h <- h 2^(-D / H) + change of S``: one at the news, since all ore comes from there; half after 100 days."""
    found = hoarding()
    assert found[9] == 0.0
    assert found[10] == pytest.approx(1.0)
    assert found[11:20] == pytest.approx(2.0 ** (-7.0 * np.arange(1, 10) / 100.0))


def test_news_comes_with_the_announcement_and_counts_once() -> None:
    found = hoarding(announced="2025-02-12")
    assert found[6] == pytest.approx(1.0)
    assert found[10] == pytest.approx(2.0 ** (-28.0 / 100.0))


def test_announced_and_withdrawn_it_stops_nothing_but_moves_orders() -> None:
    """Front-loading, then less than normal; the news ends with the withdrawal."""
    found = flows(announced="2025-02-12", start="2025-06-01", end="2025-03-12")
    assert found[6] > 1.0
    assert found.min() > 0.0
    assert abs(found[-1] - 1.0) < 0.1


def test_a_ban_that_covers_nothing_changes_nothing() -> None:
    assert np.all(flows(coverage=0)[10:] == flows(start="2035-01-01")[10:])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"material": "zinc"}, "zinc"),
        ({"from": "CHM"}, "CHN"),
        ({"from": "JPN"}, "no trade in ore leaves JPN"),
        ({"coverage": 1.2}, "largest allowed"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        flows(**keys)
