"""substitution_programme in the tiny world, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.draws import BLOCK_SIZE
from sim.engine import Block, build
from sim.errors import ConfigError
from tests.probe import Array, run_block, tiny_case, watch
from tests.promises import Promises

PROGRAMME: dict[str, Any] = {
    "type": "substitution_programme", "country": "JPN", "material": "metal", "share": "25 %", "start": "2025-03-12",
    "lead_time": "70 d", "ramp": "140 d", "success": 1, "cost": "8 million_USD", "public_share": 0.75,
    "sponsors": {"JPN": 0.5, "USA": 0.5}, "source": "assumption",
}  # fmt: skip
READY = 70.0 + 70.0
GIVES_WAY = [("configs/minerals/tin.yaml", "thrift: 0,", "thrift: 1,")]
NO_LEARNING = "behaviour.eps_L=0"


def case_with(edits: Any = (), **keys: Any) -> Any:
    return tiny_case(policies={"less": {**PROGRAMME, **keys}}, edits=edits, overrides=[NO_LEARNING])


def run(replications: int = 4, edits: Any = (), **keys: Any) -> Block:
    return run_block(case_with(edits, **keys), 1, 0, replications)


def need(**keys: Any) -> Array:
    """(buyer, review): need over its start; the first buyer is the smelter, then Japan and the United States."""
    return np.array(
        watch(
            case_with(**keys), lambda w, _: w.beliefs.requirement[:, 0] / w.baseline.requirement[:, 0], replications=1
        )
    ).T


def test_consumers_need_less_by_the_share_after_lead_time_and_ramp() -> None:
    _, japan, states = need()
    middle = 7.0 * np.arange(japan.size) + 3.5
    assert japan == pytest.approx(1.0 - 0.25 * np.clip((middle - READY) / 140.0, 0.0, 1.0))
    assert np.all(states == 1.0)


def test_plants_take_less_of_it_per_unit_of_product() -> None:
    """All smelters' ore by a quarter: four tonnes of metal out of three of ore."""

    def look(world: Any, _: Any) -> tuple[float, float]:
        network = world.network
        ore = network.buyer_rows["smelter", "ore"]
        metal = network.supplier_row["smelter", "metal"]
        return float(world.stocks.used[ore].sum()), float(world.stocks.made[metal, 0])

    keys = {"country": "MYS", "material": "ore", "ramp": "0 d"}
    used, made = np.array(watch(case_with(GIVES_WAY, **keys), look, replications=1)).T
    taken = np.diff(used) / np.diff(made)
    first = int(READY // 7)
    assert taken[: first - 1] == pytest.approx(1.0)
    assert taken[first:] == pytest.approx(0.75)


def test_less_need_makes_the_material_cheaper_for_the_others() -> None:
    calm = run_block(tiny_case(overrides=[NO_LEARNING]), 1, 0, 4).recorder
    group = calm.network.groups.index(("metal", "USA"))
    assert (run().recorder.price_sum[group] < calm.price_sum[group]).all()


def test_the_promises_hold() -> None:
    watch(case_with(), Promises(), replications=2)
    watch(case_with(GIVES_WAY, country="MYS", material="ore"), Promises(), replications=2)


def test_odds_are_met_and_failure_changes_nothing() -> None:
    """Odds of 0.6 by a Latin hypercube of 128; where it fails no need falls, and the money is gone all the same."""
    world, running = build(case_with(success=0.6), 1, 0, BLOCK_SIZE)
    policy, held = running[0]
    opens, _ = policy.opening(world.draws, held.window.start, "less")  # type: ignore[attr-defined]
    assert abs(np.isfinite(opens).mean() - 0.6) <= 1.0 / BLOCK_SIZE
    assert np.all(need(success=0) == 1.0)
    block = run(success=0)
    for sponsor in ("JPN", "USA"):
        public, private = block.spending["less", "metal", sponsor]
        assert public == pytest.approx(3e6)
        assert private == pytest.approx(1e6)
    assert np.all(np.isinf(block.timeline["less", "first effect"]))


def test_a_share_of_nothing_is_absence() -> None:
    assert np.all(need(share=0) == 1.0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"country": "MYS", "material": "ore"}, r"the product of smelter contains it \(thrift 0\)"),
        ({"country": "CHN"}, "no user of metal in CHN"),
        ({"users": "plants"}, "no plant of metal in JPN"),
        ({"users": "traders"}, "users"),
        ({"material": "zinc"}, "zinc"),
        ({"share": 1.5}, "largest allowed"),
        ({"lead_time": 70}, "lead_time"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**keys)
