"""recycling_programme in the tiny world, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import Block
from sim.errors import ConfigError
from tests.probe import Array, run_block, tiny_case, watch
from tests.promises import Promises

PROGRAMME: dict[str, Any] = {
    "type": "recycling_programme", "country": "JPN", "material": "metal", "recovered": "20 %", "start": "2025-03-12",
    "lead_time": "70 d", "ramp": "140 d", "cost": "20 million_USD", "public_share": 0.25, "sponsors": {"JPN": 1},
    "source": "assumption",
}  # fmt: skip
WORKS: dict[str, Any] = {"process": "smelting", "capacity": "4 t/d", "suppliers": {"ore": {"mine": 1}}}
READY = 70.0 + 70.0
YEAR = 365.25
USE = 6000.0 / YEAR


def case_with(*overrides: str, **keys: Any) -> Any:
    raw = {key: value for key, value in {**PROGRAMME, **keys}.items() if value is not None}
    return tiny_case(policies={"scrap": raw}, overrides=overrides)


def run(**keys: Any) -> Block:
    return run_block(case_with("horizon.end=2025-12-31", **keys), 1, 0, 4)


def capacity_and_output(*overrides: str, **keys: Any) -> Array:
    """(2, review): capacity in t/d, and what was made since the start, t."""

    def look(world: Any, _: Any) -> tuple[float, float]:
        row = world.network.facility_index["scrap"]
        made = world.stocks.made[world.network.supplier_row["scrap", "metal"], 0]
        return float(world.plant_capacity[row, 0]), float(made)

    return np.array(watch(case_with(*overrides, **keys), look, replications=1)).T


def test_it_makes_its_share_of_the_use_out_of_nothing_else() -> None:
    """A fifth of 6 kt a year after lead time and ramp: 3.29 t a day, and nothing before day 140."""
    capacity, made = capacity_and_output()
    review = 7.0 * np.arange(capacity.size)
    assert capacity == pytest.approx(0.2 * USE * np.clip((review + 3.5 - READY) / 140.0, 0.0, 1.0))
    assert not made[review + 3.5 < READY].any()
    rate = np.diff(made) / 7.0
    assert rate.max() <= 0.2 * USE + 1e-9
    assert rate[-20:] == pytest.approx(0.2 * USE, rel=0.05)


def test_a_share_of_the_use_follows_the_demand_path() -> None:
    """Demand rises from 100 to 140 in ten years: 4 points a year from the start on."""
    capacity, _ = capacity_and_output("demand=growth", ramp="0 d")
    day = 7.0 * np.arange(capacity.size)
    late = day > READY
    path = 1.0 + 0.04 * (day[late] + 3.5) / YEAR
    assert capacity[late] / (0.2 * USE) == pytest.approx(path, rel=0.03)
    assert np.all(np.diff(capacity[late]) >= 0.0)
    assert capacity[-1] > 1.03 * 0.2 * USE


def test_with_a_process_it_is_one_more_plant_and_takes_feed_from_the_others() -> None:
    def look(world: Any, book: Any) -> tuple[float, float, float]:
        Promises()  # the world's own promises are held below
        rows = world.network.buyer_rows
        lanes = {name: world.network.lanes(["ore"], None, [name]) for name in ("smelter", "scrap")}
        assert ("scrap", "ore") in rows
        flows = [float(book.flow[each].sum()) / 7.0 for each in lanes.values()]
        return flows[0], flows[1], float(world.throughput[world.network.facility_index["scrap"], 0])

    calm, feed, output = np.array(watch(case_with(**WORKS, recovered=None), look, replications=1)).T
    assert output.max() > 1.0
    assert output.max() <= 4.0 + 1e-9
    assert feed[-20:].mean() == pytest.approx(output[-20:].mean(), rel=0.05)
    assert calm[-20:].mean() < calm[0] - 0.5 * output[-20:].mean()


def test_the_promises_hold() -> None:
    watch(case_with(), Promises(), replications=2)


def test_money_is_spent_by_the_first_output() -> None:
    """A quarter of 20 million USD is public; all is spent in the 70 days that building takes, or at once."""
    for lead_time in ("70 d", "0 d"):
        public, private = run(lead_time=lead_time).spending["scrap", "metal", "JPN"]
        assert public == pytest.approx(5e6)
        assert private == pytest.approx(15e6)


def test_what_fails_makes_nothing_and_costs_the_same() -> None:
    failed = run(success=0)
    assert failed.spending["scrap", "metal", "JPN"][0] == pytest.approx(5e6)
    assert np.all(np.isinf(failed.timeline["scrap", "first output"]))
    assert run().timeline["scrap", "first output"] == pytest.approx(READY)


def test_one_that_is_withdrawn_before_its_start_never_begins() -> None:
    block = run(announced="2025-02-01", end="2025-03-01")
    assert not block.spending
    assert np.all(np.isinf(block.timeline["scrap", "first output"]))


def test_a_trigger_may_decide_it() -> None:
    when = {"metric": "price_pressure", "material": "metal", "country": "JPN", "above": 0.5}
    block = run(start=None, when=when)
    assert np.all(np.isfinite(block.timeline["scrap", "first output"]))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"capacity": "4 t/d"}, "either a 'capacity' or the share 'recovered'"),
        ({"recovered": None}, "either a 'capacity' or the share 'recovered'"),
        ({"material": None}, "material"),
        ({"recovered": 1.2}, "largest allowed"),
        ({"process": "smelling"}, "smelting"),
        ({"process": "mining"}, "which 'mining' does not make"),
        ({"material": "ore"}, "nobody in JPN uses 'ore'"),
        ({"process": "smelting", "capacity": "4 t/d", "recovered": None}, "none of JPN makes its input 'ore'"),
        ({"country": "CHN", **WORKS, "recovered": None}, "nobody in CHN buys metal"),
        ({"country": "allies"}, "A plant stands in one country"),
        ({"sponsors": {"JPM": 1}}, "JPN"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**keys)
