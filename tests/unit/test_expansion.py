"""Capacity that does not follow demand by itself: what is built, when it comes, and what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from sim.engine import Case
from sim.errors import ConfigError
from sim.nodes.expansion import PHASES, build
from sim.world import World
from tests.probe import assert_same, cases_of, everything, run_block, watch
from tests.small_worlds import chain, plan_of
from tests.unit.test_couplings import INDIUM, options
from tests.worlds import BEHAVIOUR, tiny_plan

HABITS = {
    "starts": 0.3, "hurdle": 0.2624, "memory": "365 d", "plant_lead_time": "3 yr", "mine_lead_time": "3 yr",
    "under_way": 0, "host_growth": 0, "scrap_age": "5 yr",
}  # fmt: skip
YEAR = 365.25


def behaviour(**more: Any) -> str:
    """Return the tests' behaviour file with expansion."""
    lines = "".join(f"  {key}: {value}\n" for key, value in {**HABITS, **more}.items())
    return f"{BEHAVIOUR}expansion:\n{lines}"


def surge(
    factor: float, stages: Sequence[str] = ("metal",), end: str = "2060-12-31", growth: str = "announced", **more: Any
) -> Case:
    """Return a chain whose demand is so many times more by 2040, fifteen years after the start."""
    tree = chain(list(stages), dict.fromkeys(stages, 21))
    tree["demand"]["growth"]["years"] = {2025: 100, 2040: 100 * factor}
    tree["processes"]["p0"] |= more.pop("mining", {})
    on = ["demand=growth", f"supply_growth={growth}", f"horizon.end={end}", *more.pop("on", ())]
    plan = plan_of(tree, files={"configs/behaviour/default.yaml": behaviour(**more)}, overrides=on)
    return cases_of(plan)["baseline"]


def capacity(world: World, _: object) -> float:
    """Return the capacity of the first facility over its start."""
    return float(1.0 + world.plant_capacity[0, 0] / world.baseline.capacity[0, 0])


def test_a_year_at_a_high_price_starts_its_share_of_capacity() -> None:
    """By hand: price smoothed at once, 1 above the hurdle or more, g = 0.3: 0.3 of capacity started in a year."""
    one, reps = np.ones((1, 1)), 1
    price, started, opened = np.zeros((1, reps)), np.zeros((PHASES, 1, reps)), np.zeros((1, reps))
    index = np.zeros(1, dtype=np.int64)
    for _ in range(52):
        build(
            index, np.array([0, 1]), index, one, 2.0 * one, 0.0 * one, 0.0 * one, index, np.ones(reps),
            np.full(reps, 0.3 / 52), np.full(reps, 0.25), np.zeros((1, reps)), 100.0 * one, price, started, opened,
        )  # fmt: skip
    assert float(started.sum()) == pytest.approx(30.0)
    assert float(opened.sum()) == 0.0  # nothing passes a phase here


@pytest.mark.parametrize(("price", "share"), [(0.2, 0.0), (0.75, 0.5), (1.25, 1.0), (3.0, 1.0)])
def test_starts_rise_with_price_between_hurdle_and_one_above(price: float, share: float) -> None:
    one, index = np.ones((1, 1)), np.zeros(1, dtype=np.int64)
    started, opened = np.zeros((PHASES, 1, 1)), np.zeros((1, 1))
    build(
        index, np.array([0, 1]), index, one, price * one, 0.0 * one, 0.0 * one, index, np.ones(1),
        np.full(1, 0.1), np.full(1, 0.25), np.zeros((1, 1)), 100.0 * one, 0.0 * one, started, opened,
    )  # fmt: skip
    assert float(started.sum()) == pytest.approx(10.0 * share, abs=1e-12)


def test_without_growth_nothing_moves() -> None:
    case = surge(1.0, ("ore", "metal"), end="2028-12-31")
    still = watch(
        case, lambda world, book: (float(np.abs(book.delivered).max()), capacity(world, book)), replications=1
    )
    assert max(price for price, _ in still) < 1e-9
    assert {size for _, size in still} == {1.0}


def test_matched_needs_no_expansion_and_does_not_look_at_it() -> None:
    end = "2026-06-30"
    with_it = run_block(surge(5.0, end=end, growth="matched"), 1, 0, 2)
    without = run_block(surge(5.0, end=end, growth="matched", starts=0.9), 1, 0, 2)
    assert_same(everything(with_it), everything(without))


def test_what_is_under_way_comes_within_the_lead_time() -> None:
    """5 % a year under construction for 3 years adds 15 %, half of it after about a phase and a half."""
    sizes = watch(surge(1.0, end="2044-12-31", under_way=0.05), capacity, replications=1)
    assert sizes[-1] == pytest.approx(1.15, abs=1e-3)
    assert sizes[round(YEAR / 7)] == pytest.approx(1.05, abs=0.01)


def test_a_process_may_have_a_lead_time_of_its_own() -> None:
    late = watch(surge(5.0, end="2035-12-31"), capacity, replications=1)[-1]
    soon = watch(surge(5.0, end="2035-12-31", mining={"lead_time": "1 yr"}), capacity, replications=1)[-1]
    assert soon > late > 1.0


def test_a_by_product_follows_the_capacity_of_its_host() -> None:
    """The smelter that is its host has 10 % under way; the by-product's use alone would not build it."""
    files = {"configs/behaviour/default.yaml": behaviour(under_way=0.1)}
    more = options("indium", INDIUM, overrides=["supply_growth=announced", "horizon.end=2034-12-31"])
    case = cases_of(tiny_plan(**{**more, "files": {**more["files"], **files}}))["baseline"]

    def look(world: World, _: object) -> tuple[float, float]:
        grown = 1.0 + world.plant_capacity[:, 0] / world.baseline.capacity[:, 0]
        names = world.network.facility_index
        return float(grown[names["smelter"]]), float(grown[names["indium_plant"]])

    host, product = watch(case, look, replications=1)[-1]
    assert host == pytest.approx(1.3, abs=0.01)
    assert product == pytest.approx(host, rel=1e-9)


def test_recyclers_follow_use() -> None:
    case = surge(3.0, end="2044-12-31", growth="announced", mining={"recycles": "metal"}, starts=0.6)
    sizes = watch(case, capacity, replications=1)
    assert 1.0 < sizes[-1] < 3.0  # all that is made is scrap here: use cannot outgrow capacity, which is above it
    assert np.all(np.diff(sizes) > -1e-9)


def test_a_scenario_may_set_path_and_growth_of_its_own() -> None:
    scenario = "title: What if\nextends: baseline\ndemand: growth\nsupply_growth: announced\n"
    files = {"configs/scenarios/what_if.yaml": scenario, "configs/behaviour/default.yaml": behaviour()}
    edit = ("experiments/tiny.yaml", "scenarios: [baseline]", "scenarios: [baseline, what_if]")
    plan = tiny_plan(files=files, edits=[edit])
    cases = cases_of(plan)
    assert (cases["baseline"].demand, cases["baseline"].world.supply_growth) == ("flat", "matched")
    assert (cases["what_if"].demand, cases["what_if"].world.supply_growth) == ("growth", "announced")
    assert [change.address for change in plan.scenarios[1].changes] == ["demand_path", "supply_growth"]


@pytest.mark.parametrize(
    ("line", "expanding", "message"),
    [
        ("supply_growth: announcd", True, "Did you mean 'announced'"),
        ("supply_growth: announced", False, "how capacity grows where supply_growth is 'announced'"),
        ("demand: growht", True, "Did you mean 'growth'"),
    ],
)
def test_what_cannot_grow_is_named(line: str, expanding: bool, message: str) -> None:
    files = {"configs/scenarios/baseline.yaml": f"title: Baseline\nquestion: What?\n{line}\n"}
    if expanding:
        files["configs/behaviour/default.yaml"] = behaviour()
    with pytest.raises(ConfigError, match=message):
        tiny_plan(files=files)


def test_a_recycler_of_nothing_known_is_named() -> None:
    with pytest.raises(ConfigError, match=r"Not a material of this world. Did you mean 'metal'"):
        surge(2.0, mining={"recycles": "metl"})


def test_a_replication_builds_the_same_alone_and_in_company() -> None:
    on = ["switches.noise=true", "switches.uncertainty=true", "switches.hazards=true"]
    case = surge(5.0, ("ore", "metal"), end="2031-12-31", on=on, starts="{value: 0.3, low: 0.2, high: 0.6}")
    few, many = (run_block(case, 1, 0, count).recorder for count in (1, 3))
    assert np.array_equal(few.used[:, 0], many.used[:, 0])
    assert np.array_equal(few.price_peak[:, 0], many.price_peak[:, 0])
