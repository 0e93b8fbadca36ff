"""Levers are held anew each review; the tightest cap counts, factors multiply, wedges add (style page, principle 4)."""

from __future__ import annotations

import numpy as np
import pytest

from sim.engine import build
from sim.gates import Cap
from sim.levers import Levers, Spending
from tests.probe import tiny_case

BAN = {"type": "export_ban", "from": "MYS", "material": "metal", "start": "2035-01-01", "source": "assumption"}
LANES = np.array([1, 2])


@pytest.fixture
def held() -> tuple[Levers, Cap]:
    world, running = build(tiny_case(policies={"ban": BAN}), 1, 0, 2)
    world.levers.drop()
    return world.levers, running[0][1].caps["exports"]


def both(value: float) -> np.ndarray:
    return np.full(2, value)


def test_the_tightest_cap_counts_and_is_known_by_its_holder(held: tuple[Levers, Cap]) -> None:
    levers, cap = held
    levers.cap(cap, np.array([[5.0, 5.0], [np.inf, 3.0]]), 0)
    levers.cap(cap, np.array([[7.0, 2.0], [9.0, 9.0]]), 1)
    assert np.array_equal(levers.licence_cap, [[5.0, 2.0], [9.0, 3.0]])
    assert np.array_equal(levers.licence_holder, [[0, 1], [1, 0]])


def test_the_order_of_caps_does_not_matter(held: tuple[Levers, Cap]) -> None:
    levers, cap = held
    one, other = np.array([[5.0, 1.0], [2.0, 3.0]]), np.array([[4.0, 2.0], [2.5, 3.5]])
    levers.cap(cap, one, 0)
    levers.cap(cap, other, 1)
    first = levers.licence_cap.copy(), levers.licence_holder.copy()
    levers.drop()
    levers.cap(cap, other, 1)
    levers.cap(cap, one, 0)
    for found, expected in zip((levers.licence_cap, levers.licence_holder), first, strict=True):
        assert np.array_equal(found, expected)


def test_factors_multiply_and_wedges_add(held: tuple[Levers, Cap]) -> None:
    levers, _ = held
    for share in (0.5, 0.2):
        levers.stop(np.array([0]), both(share))
        levers.close(LANES, both(share))
        levers.shift_demand(LANES, 1.0 + both(share))
        levers.cost(LANES, both(share))
    assert levers.available[0] == pytest.approx(both(0.4))
    assert levers.available[1] == pytest.approx(both(1.0))
    assert levers.open[LANES] == pytest.approx(np.full((2, 2), 0.4))
    assert levers.demand[LANES] == pytest.approx(np.full((2, 2), 1.8))
    assert levers.wedge[LANES] == pytest.approx(np.full((2, 2), 0.7))


def test_of_several_delays_the_longest_counts(held: tuple[Levers, Cap]) -> None:
    levers, _ = held
    levers.delay(LANES, both(60.0), both(0.5), both(0.1))
    levers.delay(LANES, both(30.0), both(1.0), both(0.0))
    levers.delay(LANES, both(99.0), both(0.0), both(1.0))
    assert levers.border_days[1] == pytest.approx(both(60.0))
    assert levers.border_share[1] == pytest.approx(both(1.0))
    assert levers.refused[1] == pytest.approx(both(0.1))


def test_news_counts_once(held: tuple[Levers, Cap]) -> None:
    levers, _ = held
    levers.warn(LANES, both(0.3))
    levers.warn(LANES, np.array([0.2, 0.9]))
    assert levers.risk[1] == pytest.approx([0.3, 0.9])


def test_dropping_leaves_everything_neutral(held: tuple[Levers, Cap]) -> None:
    levers, cap = held
    levers.cap(cap, np.ones((2, 2)), 0)
    levers.warn(LANES, both(0.3))
    levers.delay(LANES, both(60.0), both(0.5), both(0.1))
    levers.cost(LANES, both(0.3))
    levers.close(LANES, both(0.3))
    levers.stop(np.array([0, 1]), both(0.3))
    levers.shift_demand(LANES, both(2.0))
    levers.drop()
    for name in ("risk", "wedge", "border_days", "border_share", "refused", "ramp", "release", "release_lane", "fill"):
        assert not getattr(levers, name).any(), name
    for name in ("available", "open", "demand"):
        assert np.all(getattr(levers, name) == 1.0), name
    assert np.all(np.isinf(levers.licence_cap))
    assert np.all(levers.licence_holder == -1)
    assert not levers.held


def test_money_is_kept_when_levers_drop(held: tuple[Levers, Cap]) -> None:
    levers, _ = held
    levers.spend(Spending("project", "metal", "JPN", both(1.0), both(2.0)))
    levers.drop()
    assert len(levers.spending) == 1
