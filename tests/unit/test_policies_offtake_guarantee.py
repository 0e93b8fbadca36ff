"""offtake_guarantee where one of three smelters is carried through a flood, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import Block
from sim.errors import ConfigError
from tests.examples import FULL_WORLD
from tests.probe import Array, run_block, tiny_case, watch
from tests.promises import Promises

GUARANTEE: dict[str, Any] = {
    "type": "offtake_guarantee", "facility": "smelter_2", "material": "metal", "volume": "3 t/d", "price": 0.9,
    "sponsors": {"USA": 0.75, "JPN": 0.25}, "start": "2025-03-05", "source": "assumption",
}  # fmt: skip
FLOOD: dict[str, Any] = {
    "type": "demand_shift", "material": "metal", "shift": -0.3, "ramp": "60 d", "start": "2025-03-05",
    "source": "assumption",
}  # fmt: skip
USUAL = 2200.0 / 365.25
PRICE = 30_000.0


def case_with(*overrides: str, flood: bool = True, bought: bool = True, **keys: Any) -> Any:
    raw = {key: value for key, value in {**GUARANTEE, **keys}.items() if value is not None}
    policies = {"flood": FLOOD} if flood else {}
    return tiny_case(
        files=FULL_WORLD, policies={**policies, **({"allies": raw} if bought else {})}, overrides=overrides
    )


def run(*overrides: str, **keys: Any) -> Block:
    return run_block(case_with(*overrides, **keys), 1, 0, 4)


def output(**keys: Any) -> Array:
    """(review,) throughput of the plant over its start."""

    def look(world: Any, _: Any) -> float:
        plant = world.network.facility_index["smelter_2"]
        return float(world.throughput[plant, 0] / world.baseline.throughput[plant, 0])

    return np.array(watch(case_with(**keys), look, replications=1))


def stored(owner: str, **keys: Any) -> Array:
    """(review,) tonnes in a reserve."""
    return np.array(
        watch(
            case_with(**keys),
            lambda world, _: float(world.stocks.supplier[world.network.supplier_row[owner, "metal"], 0]),
            replications=1,
        )
    )


def test_it_keeps_a_plant_running_through_a_flood() -> None:
    """Demand falls by 30 %: without it output follows, with it the plant makes nearly what it did."""
    before, after = output(bought=False), output()
    assert before[30:].mean() == pytest.approx(0.68, abs=0.03)
    assert after[30:].mean() > 0.9
    assert after.max() < 1.01


def test_what_it_buys_lies_in_a_store_and_is_paid_for() -> None:
    """Tonnes in the store x 0.9 x 30,000 USD, by the sponsors' shares; never more than its volume a day."""
    store = stored("allies")
    spent = run().spending
    assert np.diff(store).min() >= 0.0
    assert np.diff(store).max() <= 3.0 * 7.0 + 1e-9
    assert store[-1] > 100.0 * 0.3 * USUAL
    for sponsor, share in GUARANTEE["sponsors"].items():
        public, private = spent["allies", "metal", sponsor]
        assert public == pytest.approx(share * 0.9 * PRICE * store[-1])
        assert not private.any()


def test_it_may_fill_a_reserve_of_the_world() -> None:
    reserve, store = stored("reserve", stockpile="reserve"), stored("allies")
    assert reserve - reserve[0] == pytest.approx(store - store[0], abs=1e-6)
    assert reserve[0] == pytest.approx(30.0 * 6000.0 / 365.25)


def test_a_small_volume_is_what_it_buys() -> None:
    """Half a tonne a day of the 1.8 that the plant cannot sell: the whole volume, week by week."""
    store = stored("allies", volume="0.5 t/d")
    assert np.diff(store)[30:45] == pytest.approx(0.5 * 7.0)


def test_in_a_calm_market_it_buys_nothing() -> None:
    assert not stored("allies", flood=False).any()
    assert not run(flood=False).spending


def test_a_store_that_is_never_used_leaves_no_trace() -> None:
    calm = run("switches.noise=true", bought=False).recorder
    more = run("switches.noise=true", start="2035-01-01").recorder
    for name in ("price_sum", "price_peak", "bill", "min_cover", "any_short", "bins"):
        assert (getattr(calm, name) == getattr(more, name)).all(), name


def test_mass_closes_and_the_promises_hold() -> None:
    watch(case_with(), Promises(), replications=2)
    watch(case_with("switches.noise=true", "switches.hazards=true", stockpile="reserve"), Promises(), replications=2)


def test_plants_share_a_volume_by_what_they_lack() -> None:
    """Two smelters of 6.7 and 2.2 kt a year fall alike; 2 t a day are shared 6.7 to 2.2."""

    def look(world: Any, _: Any) -> Array:
        rows = [world.network.supplier_row[name, "metal"] for name in ("smelter", "smelter_2")]
        return np.asarray(world.levers.backed[rows, 0])

    counted = np.array(watch(case_with(facility=["smelter", "smelter_2"], volume="2 t/d"), look, replications=1))
    late = counted[30:60]
    assert late.sum(axis=1) == pytest.approx(2.0)
    assert late[:, 0] / late[:, 1] == pytest.approx(6.7 / 2.2, rel=1e-3)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"material": None}, "give the one 'material'"),
        ({"material": "ore"}, "which they do not make. Allowed are metal"),
        ({"stockpile": "reserv"}, "reserve"),
        ({"facility": "smelter_9"}, "Not a facility of this world"),
        ({"facility": None}, "either 'facility', or both"),
        ({"volume": "-1 t/d"}, "smallest allowed"),
        ({"volume": "3 t"}, "volume"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**keys)
