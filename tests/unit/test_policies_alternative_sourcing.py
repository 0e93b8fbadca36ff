"""alternative_sourcing in a world with three smelters, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigError
from sim.world import World
from tests.examples import FULL_WORLD
from tests.probe import Array, run_block, tiny_case, watch

DEAL = {
    "type": "alternative_sourcing", "from": "smelter_2", "to": {"JPN": 1}, "material": "metal", "volume": "4 t/d",
    "qualification": "70 d", "ramp": "70 d", "start": "2025-03-12", "source": "assumption",
}  # fmt: skip
USE = 6_000.0 / 365.25


def contracts(**keys: Any) -> tuple[Array, Array]:
    """Return (review, lane) contracts into Japan in t/d, and whether each comes from the partner."""
    case = tiny_case(policies={"deal": {**DEAL, **keys}}, files=FULL_WORLD, overrides=["horizon.end=2025-12-31"])

    def look(world: World, _: Any) -> tuple[Array, Array]:
        network = world.network
        lanes = network.lanes(["metal"], ["smelter", "smelter_2", "smelter_3"], ["JPN"])
        partner = np.array([network.suppliers[s].owner == "smelter_2" for s in network.lane_supplier[lanes]])
        return world.lane_baseline[lanes, 0], partner

    seen = watch(case, look, replications=1)
    return np.array([each[0] for each in seen]), seen[0][1]


def test_the_volume_joins_after_qualification_and_all_contracts_are_rescaled() -> None:
    """Their sum stays the requirement; at full ramp the partner has ``(k + V) / (Q + V)`` of it."""
    found, partner = contracts()
    assert found.sum(axis=1) == pytest.approx(USE)
    before = found[0, partner][0]
    assert np.all(found[:20] == found[0])
    assert found[-1, partner][0] == pytest.approx(USE * (before + 4.0) / (USE + 4.0))
    half = 20 + 5
    ramped = 4.0 * 5.5 / 10
    assert found[half, partner][0] == pytest.approx(USE * (before + ramped) / (USE + ramped))


def test_the_offtake_lapses_with_the_agreement() -> None:
    found, _ = contracts(duration="210 d")
    assert found[-1] == pytest.approx(found[0])
    assert not np.allclose(found[35], found[0])


def test_trade_follows_the_contract() -> None:
    case = tiny_case(policies={"deal": DEAL}, files=FULL_WORLD, overrides=["horizon.end=2026-06-30"])
    lanes = None

    def look(world: World, book: Any) -> float:
        nonlocal lanes
        lanes = world.network.lanes(["metal"], ["smelter_2"], ["JPN"])
        return float(book.flow[lanes, 0].sum() / world.step)

    flow = np.array(watch(case, look, replications=1))
    assert flow[50] > 1.3 * flow[0]


def test_its_first_delivery_is_dated() -> None:
    block = run_block(tiny_case(policies={"deal": DEAL}, files=FULL_WORLD), 1, 0, 2)
    assert block.timeline["deal", "first delivery"] == pytest.approx(140.0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"from": "smelter_9"}, "Did you mean 'smelter_"),
        ({"to": {"CHN": 1}}, "no (supplier|buyer)"),
        ({"material": "zinc"}, "zinc"),
        ({"volume": "4 t"}, "volume"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        contracts(**keys)
