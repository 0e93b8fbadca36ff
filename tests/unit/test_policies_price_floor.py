"""price_floor where one of three smelters is carried through low prices, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import Block
from sim.errors import ConfigError
from tests.examples import FULL_WORLD
from tests.probe import Array, assert_same, everything, run_block, tiny_case, watch
from tests.promises import Promises

FLOOR: dict[str, Any] = {
    "type": "price_floor", "facility": "smelter_2", "floor": 1, "sponsors": {"USA": 0.75, "JPN": 0.25},
    "start": "2025-03-05", "source": "assumption",
}  # fmt: skip
FLOOD: dict[str, Any] = {
    "type": "demand_shift", "material": "metal", "shift": -0.3, "ramp": "60 d", "start": "2025-03-05",
    "source": "assumption",
}  # fmt: skip
SALES = 2200.0 / 365.25
PRICE = 30_000.0


def case_with(*overrides: str, flood: bool = True, floored: bool = True, **keys: Any) -> Any:
    raw = {key: value for key, value in {**FLOOR, **keys}.items() if value is not None}
    policies = {"flood": FLOOD} if flood else {}
    return tiny_case(
        files=FULL_WORLD, policies={**policies, **({"floor": raw} if floored else {})}, overrides=overrides
    )


def run(*overrides: str, **keys: Any) -> Block:
    return run_block(case_with(*overrides, **keys), 1, 0, 4)


def output(name: str = "smelter_2", **keys: Any) -> Array:
    """(review,) throughput of a smelter over its start."""

    def look(world: Any, _: Any) -> float:
        plant = world.network.facility_index[name]
        return float(world.throughput[plant, 0] / world.baseline.throughput[plant, 0])

    return np.array(watch(case_with(**keys), look, replications=1))


def test_it_keeps_a_plant_running_through_a_flood() -> None:
    """Demand falls by 30 %: without it output follows, with it most of the plant's own fall is taken by others."""
    before, after = output(floored=False), output()
    assert before[30:].mean() == pytest.approx(0.68, abs=0.03)
    assert after[30:].mean() > before[30:].mean() + 0.12
    assert after[-1] > 0.87
    assert output("smelter")[30:].mean() < output("smelter", floored=False)[30:].mean()


def test_sponsors_pay_what_the_price_lacks_on_each_tonne_sold() -> None:
    """``max(floor - price, 0) p0`` on what is shipped; all but the last review, which nobody is left to book."""

    def look(world: Any, book: Any) -> tuple[float, float]:
        row = world.network.supplier_row["smelter_2", "metal"]
        shipped = book.flow[world.network.lane_supplier == row, 0].sum()
        return float(np.exp(world.beliefs.shadow[row, 0])), float(shipped)

    price, shipped = np.array(watch(case_with(), look, replications=1)).T
    due = np.maximum(1.0 - price[9:-1], 0.0) * PRICE * shipped[9:-1]
    spent = run().spending
    assert spent["floor", "metal", "USA"][0] == pytest.approx(0.75 * due.sum())
    assert spent["floor", "metal", "JPN"][0] == pytest.approx(0.25 * due.sum())
    assert not spent["floor", "metal", "USA"][1].any()
    assert due.sum() > 1e6


def test_a_floor_above_the_normal_price_is_paid_from_the_first_week() -> None:
    """In a calm market at 20 % above normal: a fifth of 30,000 USD a tonne on a week's sales, just above usual."""
    block = run("horizon.end=2025-03-18", flood=False, floor=1.2, start="2025-03-05")
    public = sum(block.spending["floor", "metal", sponsor][0] for sponsor in FLOOR["sponsors"])
    assert public == pytest.approx(0.2 * PRICE * 7.0 * SALES, rel=0.03)
    assert block.timeline["floor", "first payment"] == pytest.approx(63.0)


def test_it_does_nothing_and_costs_nothing_while_the_price_is_above() -> None:
    without = everything(run(floored=False))
    found = everything(run(floor=0.5))
    assert not any(name.startswith("spending") for name in found)
    assert_same(without, {name: value for name, value in found.items() if "'floor'" not in name})


def test_it_ends_with_its_window() -> None:
    ended, lasting = output(duration="200 d"), output()
    assert ended[:37] == pytest.approx(lasting[:37])
    assert ended[-1] < lasting[-1] - 0.05


def test_market_noise_is_part_of_the_price_it_makes_up() -> None:
    """Calm shelves, noisy prices: the option has a value, about ``p0 (F N(d) - N(d - s))`` of a log-normal price."""
    case = tiny_case(
        files=FULL_WORLD,
        policies={"floor": {**FLOOR, "start": "2025-01-01"}},
        overrides=["switches.noise=true", "behaviour.demand_noise=0", "behaviour.eps_s=0"],
    )
    block = run_block(case, 1, 0, 64)
    public = sum(block.spending["floor", "metal", sponsor][0] for sponsor in FLOOR["sponsors"]).mean()
    sold = 2200.0 * 2.0 * PRICE
    # Black's put at the money with sd 0.3: N(0.15) - N(-0.15) = 0.119 of what is sold.
    assert public / sold == pytest.approx(0.119, rel=0.35)


def test_the_promises_hold() -> None:
    watch(case_with(), Promises(), replications=2)
    watch(case_with("switches.noise=true", "switches.hazards=true", floor=1.5), Promises(), replications=2)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"facility": "smelter_9"}, "Not a facility of this world"),
        ({"facility": None}, "either 'facility', or both"),
        ({"country": "USA"}, "either 'facility', or both"),
        ({"facility": None, "country": "JPN", "process": "smelting"}, "no plant of smelting stands in JPN"),
        ({"material": "ore"}, "which they do not make. Allowed are metal"),
        ({"floor": -1}, "smallest allowed"),
        ({"sponsors": {"USB": 1}}, "USA"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**keys)


def test_plants_may_be_named_by_country_and_process() -> None:
    named = run(facility=None, country="USA", process="smelting")
    assert_same(everything(run()), everything(named))
