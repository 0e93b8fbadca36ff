"""logistics_project in the tiny world, by hand: a way round a strait that chance or a policy closes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import Block, build
from sim.errors import ConfigError
from tests.probe import Array, run_block, tiny_case, watch
from tests.worlds import TIN

WAY: dict[str, Any] = {
    "type": "logistics_project", "route": "strait", "capacity_share": 0.4, "start": "2025-01-08", "lead_time": "70 d",
    "ramp": "70 d", "success": 1, "cost": "10 million_USD", "public_share": 0.5, "sponsors": {"JPN": 0.75, "USA": 0.25},
    "source": "assumption",
}  # fmt: skip
OPENS = 7.0 + 70.0
ROUTES = """\
hazards:
  routes:
    strait: {origin: MYS, destination: [JPN], time_to_failure: {mean: 60 d}, repair_time: {mean: 60 d}}
"""
FILES = {"configs/minerals/tin.yaml": TIN + ROUTES}
CALM = ["behaviour.precaution=0", "behaviour.gamma=0", "horizon.end=2026-06-30"]


def case_with(hazards: bool = False, **keys: Any) -> Any:
    overrides = [*CALM, f"switches.hazards={str(hazards).lower()}"]
    return tiny_case(policies={"way": {**WAY, **keys}}, overrides=overrides, files=FILES)


def run(**keys: Any) -> Block:
    return run_block(case_with(**keys), 1, 0, 4)


def test_it_ramps_up_and_holds_no_lever_before() -> None:
    level: Array = np.array(watch(case_with(), lambda w, _: w.levers.bypass[:, 0].copy(), replications=1))
    days = 7.0 * np.arange(len(level))
    assert level[:, 1] == pytest.approx(0.4 * np.clip((days + 3.5 - OPENS) / 70.0, 0.0, 1.0))
    assert not level[:, [0, 2]].any()


def test_where_chance_shuts_the_route_its_share_of_normal_trade_passes() -> None:
    """A way for 40 %: no more passes in a week in which the route is shut, however much is bid."""

    def look(w: Any, book: Any) -> tuple[float, float, float]:
        return w.levers.open[1, 0], w.levers.bypass[1, 0], book.flow[1, 0] / (w.step * w.baseline.flow[1, 0])

    opened, bypass, shipped = np.array(watch(case_with(True), look, replications=1)).T
    shut = (opened == 0.0) & (bypass > 0.0)
    assert shut.sum() > 5
    assert np.all(shipped[shut] <= bypass[shut] + 1e-6)
    assert shipped[shut].mean() > 0.9 * bypass[shut].mean()
    assert np.all(shipped[(opened == 0.0) & (bypass == 0.0)] == 0.0)


def test_while_the_route_is_open_it_changes_nothing_but_money() -> None:
    with_way, without = run(), run_block(case_with(start="2035-01-01"), 1, 0, 4)
    for name in ("price_sum", "short_days", "bill", "min_cover"):
        assert np.array_equal(getattr(with_way.recorder, name), getattr(without.recorder, name)), name


def test_several_ways_add_up_to_all_of_it() -> None:
    world, _ = build(case_with(), 1, 0, 2)
    world.levers.drop()
    assert world.levers.passable() is world.levers.open
    lanes, share = np.array([1]), np.array([0.7, 0.3])
    world.levers.close(lanes, np.array([1.0, 0.5]))
    for _ in range(2):
        world.levers.go_round(lanes, share)
    assert world.levers.bypass[1] == pytest.approx([1.0, 0.6])
    assert world.levers.passable()[1] == pytest.approx([1.0, 1.0 - 0.5 * 0.4])
    assert world.levers.passable()[0] == pytest.approx([1.0, 1.0])


def test_money_is_spent_whether_it_succeeds_or_not() -> None:
    for odds in (0, 1):
        block = run(success=odds)
        for sponsor, share in WAY["sponsors"].items():
            public, private = block.spending["way", "metal", sponsor]
            assert public == pytest.approx(5e6 * share)
            assert private == pytest.approx(5e6 * share)
        assert np.isfinite(block.timeline["way", "open"]).all() == bool(odds)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"route": "strayt"}, "strait"),
        ({"from": "MYS"}, "either a 'route'"),
        ({"capacity_share": 1.5}, "largest allowed"),
        ({"success": "often"}, "success"),
        ({"material": "ore"}, "no trade"),
        ({"sponsors": {"JPM": 1}}, "JPN"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(**keys)
