"""export_licence in the tiny world, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigError
from sim.nodes.markets import Book
from sim.world import World
from tests.probe import Array, build, tiny_case, watch

START = "2025-03-12"
FIRST = 10
NOTED = {"type": "export_licence", "from": "CHN", "material": "ore", "start": START, "source": "assumption"}


def see(look: Any, **keys: object) -> Array:
    case = tiny_case(policies={"licence": {**NOTED, **keys}}, overrides=["horizon.end=2025-12-31"])
    return np.array(watch(case, look, replications=1))


def shipped(world: World, book: Book) -> float:
    return float(book.flow[0, 0] / (world.step * world.baseline.flow[0, 0]))


def waiting(world: World, book: Book) -> float:
    """Days of normal trade on their way to the smelter."""
    return float(world.stocks.in_transit[0, 0] / world.baseline.flow[0, 0])


def test_the_office_caps_what_is_shipped() -> None:
    found = see(shipped, applications=0.6)
    assert found[:FIRST] == pytest.approx(1.0)
    assert found[FIRST:] == pytest.approx(0.6, rel=1e-5)


def test_what_it_does_not_cover_is_not_capped_with_it() -> None:
    """A quarter of the goods at half of normal: seven eighths go through."""
    assert see(shipped, applications=0.5, coverage=0.25)[FIRST] == pytest.approx(0.875, rel=1e-5)


def test_a_path_is_linear_between_its_dates() -> None:
    """From 0.2 to 0.9 over ten weeks: the mean of each review, then the last value for good."""
    found = see(shipped, applications={START: 0.2, "2025-05-21": 0.9})
    assert found[FIRST : FIRST + 10] == pytest.approx(0.2 + 0.07 * (np.arange(10) + 0.5), rel=1e-4)
    assert found[FIRST + 10 :].max() <= 0.9 + 1e-6


def test_goods_wait_at_the_border() -> None:
    """With a delay of 63 d and normal applications, up to 63 more days of trade are under way."""
    found = see(waiting, applications=1, delay="63 d")
    assert found[FIRST - 1] == pytest.approx(21.0)
    assert found[FIRST + 4] > 21.0
    assert found[FIRST : FIRST + 9].max() <= 21.0 + 63.0 + 1e-6
    landed = see(lambda w, _: w.stocks.buyer[0, 0], applications=1, delay="63 d")
    assert landed[FIRST + 3] < landed[FIRST + 2]


def test_a_lasting_delay_does_not_stay_on_the_shelf() -> None:
    """Buyers learn the longer lead time and order ahead: cover comes back to what they want within a year."""
    case = tiny_case(
        policies={"licence": {**NOTED, "applications": 1.3, "delay": "63 d"}}, overrides=["horizon.end=2027-12-31"]
    )
    cover = np.array(watch(case, lambda w, _: w.stocks.buyer[0, 0] / w.beliefs.requirement[0, 0], replications=1))
    assert cover[FIRST + 10 :].min() < 40.0
    assert cover[-1] == pytest.approx(45.0, rel=0.1)


def test_refused_goods_go_back() -> None:
    """All of it refused: nothing shipped under it ever lands, and the seller has it again after the wait."""

    def look(world: World, _: Book) -> tuple[float, float, float]:
        stocks = world.stocks
        return float(stocks.in_transit[0, 0]), float(stocks.in_return[0, 0]), float(stocks.supplier[0, 0])

    found = see(look, applications=1, delay="35 d", refused=1)
    assert found[FIRST + 4, 0] == pytest.approx(0.0, abs=1e-9)
    assert found[FIRST + 4, 1] > 0.0
    assert found[-1, 2] > 0.0


def test_its_longest_delay_is_that_of_its_range() -> None:
    case = tiny_case(
        policies={"licence": {**NOTED, "applications": 1, "delay": {"value": "30 d", "low": "10 d", "high": "90 d"}}}
    )
    assert case.policies["licence"].longest_delay == 90.0
    world, _ = build(case, 1, 0, 2)
    assert world.stocks.pipeline.shape[0] * 7 >= 90 + 21


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "applications"),
        ({"applications": 6}, "largest allowed"),
        ({"applications": 1, "refused": 1.5}, "largest allowed"),
        ({"applications": 1, "delay": "63"}, "unit"),
        ({"applications": {"soon": 1}}, "applications"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        see(shipped, **keys)
