"""project_of_interest in the tiny world, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.draws import BLOCK_SIZE
from sim.engine import Block, build
from sim.errors import ConfigError
from sim.world import World
from tests.probe import run_block, tiny_case, watch

PROJECT: dict[str, Any] = {
    "type": "project_of_interest", "country": "JPN", "process": "smelting", "capacity": "4 t/d", "start": "2025-03-12",
    "lead_time": "100 d", "ramp": "70 d", "success": 0.5, "cost": "20 million_USD", "public_share": 0.5,
    "sponsors": {"JPN": 0.75, "USA": 0.25}, "support_lead_time": 0.6, "support_success": 0.8,
    "suppliers": {"ore": {"mine": 1}}, "customers": {"metal": {"JPN": 1}}, "source": "assumption",
}  # fmt: skip
DECIDED = 70.0
READY = DECIDED + 100.0 * (1.0 - 0.5 * 0.6)


def run(replications: int = 4, **keys: Any) -> Block:
    case = tiny_case(policies={"plant": {**PROJECT, **keys}}, overrides=["horizon.end=2025-12-31"])
    return run_block(case, 1, 0, replications)


def test_public_money_shortens_the_lead_time_and_raises_the_odds() -> None:
    """100 d less 30 %; odds ``1 - (1 - 0.5)(1 - 0.5 x 0.8) = 0.7``, exactly met by a Latin hypercube of 128."""
    case = tiny_case(policies={"plant": PROJECT})
    world, running = build(case, 1, 0, BLOCK_SIZE)
    policy, held = running[0]
    opens, ready = policy.opening(world.draws, held.window.start, "plant")  # type: ignore[attr-defined]
    assert ready == pytest.approx(READY)
    assert abs(np.isfinite(opens).mean() - 0.7) <= 1.0 / BLOCK_SIZE
    assert set(opens[np.isfinite(opens)]) == {ready[0]}


def test_money_is_spent_whether_it_succeeds_or_not() -> None:
    """Half public; sponsors bear their shares, for the product of the plant."""
    for odds in (0, 1):
        block = run(success=odds, support_success=0)
        for sponsor, share in PROJECT["sponsors"].items():
            public, private = block.spending["plant", "metal", sponsor]
            assert public == pytest.approx(10e6 * share)
            assert private == pytest.approx(10e6 * share)


def test_it_opens_on_its_day_and_ramps_up() -> None:
    case = tiny_case(policies={"plant": {**PROJECT, "success": 1}}, overrides=["horizon.end=2025-12-31"])

    def look(world: World, _: Any) -> tuple[float, float]:
        row = world.network.facility_index["plant"]
        return float(world.plant_capacity[row, 0]), float(
            world.stocks.made[world.network.supplier_row["plant", "metal"], 0]
        )

    capacity, made = np.array(watch(case, look, replications=1)).T
    first = int(READY // 7)
    assert np.all(capacity[:first] == 0.0)
    assert capacity[first + 5] == pytest.approx(4.0 * (7.0 * (first + 5.5) - READY) / 70.0)
    assert capacity[-1] == pytest.approx(4.0)
    assert made[first] == 0.0
    assert made[-1] > 0.0
    assert np.diff(made).max() <= 4.0 * 7.0 + 1e-9


def test_its_opening_is_on_the_timeline() -> None:
    block = run(success=1)
    assert block.timeline["plant", "first output"] == pytest.approx(READY)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"process": "smelling"}, "smelting"),
        ({"suppliers": {}}, "ore"),
        ({"customers": {"metal": {"ATLANTIS": 1}}}, "ATLANTIS"),
        ({"country": "JPM"}, "JPN"),
        ({"success": 1.5}, "largest allowed"),
        ({"capacity": "4 t"}, "capacity"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**keys)
