"""Outages are drawn in continuous time and integrated exactly (design sections 2 and 6)."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from sim.calendar import Calendar
from sim.config.schema import Lifetime, Number
from sim.draws import BLOCK_SIZE, Draws
from sim.engine import build
from sim.hazards import available_capacity, down_share, mean_availability, overlap
from tests.probe import Array, switched, tiny_case
from tests.worlds import TIN


def calendar(review: int, days: int = 364 * 5) -> Calendar:
    return Calendar(dt.date(2025, 1, 1), review, days // review)


def lifetime(mean: float, dist: str = "expon", **shape: float) -> Lifetime:
    return Lifetime(dist=dist, mean=Number(mean), shape=shape)


# -- overlap with reviews ---------------------------------------------------------------------------------


def test_an_outage_is_spread_over_the_reviews_it_touches() -> None:
    """Down from day 5 to day 16.5: two days of the first week, the second whole, half of a fifth of the third."""
    up, down = np.array([[5.0], [1e9]]), np.array([[11.5], [1.0]])
    share = overlap(up, down, np.zeros(1), 7.0, 4)
    assert share[:, 0] == pytest.approx([2 / 7, 1.0, 2.5 / 7, 0.0])


def test_an_outage_under_way_at_the_start_counts_from_the_start() -> None:
    up, down = np.array([[90.0], [1e9]]), np.array([[13.0], [1.0]])
    share = overlap(up, down, np.array([100.0]), 7.0, 2)
    assert share[:, 0] == pytest.approx([3 / 7, 0.0])


def test_two_outages_in_one_review_add_up() -> None:
    up, down = np.array([[1.0], [1.0], [1e9]]), np.array([[2.0], [1.0], [1.0]])
    assert overlap(up, down, np.zeros(1), 7.0, 1)[0, 0] == pytest.approx(3 / 7)


def test_the_end_of_the_run_cuts_an_outage() -> None:
    assert overlap(np.array([[13.0]]), np.array([[1e9]]), np.zeros(1), 7.0, 2)[:, 0] == pytest.approx([0.0, 1 / 7])


# -- renewal processes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("review", [1, 14, 28])
def test_time_down_does_not_depend_on_the_review_interval(review: int) -> None:
    draws = Draws(1, 0, 16)
    failure, repair = lifetime(100.0), lifetime(20.0, "lognorm", s=1.0)
    weekly = down_share(draws, "plant", failure, repair, calendar(7)).sum(axis=0) * 7
    other = down_share(draws, "plant", failure, repair, calendar(review)).sum(axis=0) * review
    assert other == pytest.approx(weekly, rel=1e-9)


@pytest.mark.parametrize(
    ("mtbf", "mttr", "repair"),
    [(100.0, 20.0, ("expon", {})), (900.0, 30.0, ("lognorm", {"s": 1.0})), (50.0, 50.0, ("gamma", {"a": 3.0}))],
)
def test_availability_is_mtbf_over_mtbf_and_mttr(
    mtbf: float, mttr: float, repair: tuple[str, dict[str, float]]
) -> None:
    """Within four standard errors, from the first day on (Barlow and Proschan 1975)."""
    up = [
        1.0 - down_share(Draws(seed, 0), "plant", lifetime(mtbf), lifetime(mttr, repair[0], **repair[1]), calendar(7))
        for seed in range(6)
    ]
    share = np.concatenate([each.mean(axis=0) for each in up])
    first = np.concatenate([each[0] for each in up])
    for found in (share, first):
        error = found.std(ddof=1) / np.sqrt(found.size)
        assert abs(found.mean() - mtbf / (mtbf + mttr)) < 4 * error


def test_luck_belongs_to_the_plant() -> None:
    draws = Draws(1, 0, 8)
    one, other = (down_share(draws, name, lifetime(100.0), lifetime(20.0), calendar(7)) for name in ("a", "b"))
    assert not np.array_equal(one, other)
    assert np.array_equal(one, down_share(Draws(1, 0, 8), "a", lifetime(100.0), lifetime(20.0), calendar(7)))


# -- in a world -------------------------------------------------------------------------------------------

HAZARDS = """\
hazards:
  outages:
    mining: {time_to_failure: {mean: 100 d}, repair_time: {mean: 25 d}, severity: 0.5}
  shocks:
    flood: {countries: [MYS], time_to_failure: {mean: 200 d}, repair_time: {mean: 50 d}, severity: 1}
  routes:
    strait: {origin: MYS, destination: [JPN], time_to_failure: {mean: 100 d}, repair_time: {mean: 30 d}}
"""
FILES = {"configs/minerals/tin.yaml": TIN + HAZARDS}


def up(edits: tuple[tuple[str, str, str], ...] = ()) -> tuple[Array, Array]:
    """Return availability (review, facility, replication) and its expected mean (facility, replication)."""
    case = switched(tiny_case(files=FILES, edits=edits), hazards=True)
    world, _ = build(case, 1, 0, BLOCK_SIZE)
    return available_capacity(world.network, world.draws, world.calendar), mean_availability(
        world.network, world.draws, True
    )


def test_outages_take_their_severity_and_shocks_strike_whole_countries() -> None:
    share, mean = up()
    assert share.min() >= 0.0
    assert share.max() == 1.0
    mine, smelter = share[:, 0], share[:, 1]
    assert mine.min() == pytest.approx(0.5)
    assert smelter.min() == pytest.approx(0.0)
    assert mean[:, 0] == pytest.approx([1.0 - 0.5 * 0.2, 1.0])
    for found, expected in ((mine, 0.9), (smelter, 0.8)):
        means = found.mean(axis=0)
        assert abs(means.mean() - expected) < 4 * means.std(ddof=1) / np.sqrt(means.size)


def test_a_facility_of_several_sites_fails_site_by_site() -> None:
    edit = ("configs/minerals/tin.yaml", "process: mining, throughput", "process: mining, sites: 4, throughput")
    one, four = up()[0][:, 0], up((edit,))[0][:, 0]
    assert four.mean() == pytest.approx(one.mean(), abs=0.02)
    assert four.std() == pytest.approx(one.std() / 2.0, rel=0.15)


def test_capacity_makes_up_for_ordinary_outages() -> None:
    """Nameplate = output / (utilisation x mean availability): observed output is what outages leave."""
    world, _ = build(switched(tiny_case(files=FILES), hazards=True), 1, 0, 2)
    base = world.baseline
    assert base.capacity == pytest.approx(base.throughput / (0.85 * np.array([[0.9], [1.0]])))


def test_without_hazards_nothing_fails() -> None:
    world, _ = build(tiny_case(files=FILES), 1, 0, 2)
    assert np.array_equal(world.baseline.capacity, world.baseline.throughput / 0.85)
