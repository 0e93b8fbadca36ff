"""A run is a pure function of (scenario, seed, block) (design section 6, "Block invariance")."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import Block, Case
from tests.probe import Array, assert_same, everything, real_case, run_block, tiny_case, until
from tests.small_worlds import TIN

NOTED = {"source": "assumption"}
FILES = {
    "configs/minerals/tin.yaml": TIN.replace(
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 10 kt/yr}\n"
        "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 10 kt/yr}\n",
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 7 kt/yr}\n"
        "  mine_2: {title: The other mine, country: USA, process: mining, throughput: 3 kt/yr}\n"
        "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 6.7 kt/yr}\n"
        "  smelter_2: {title: The second, country: USA, process: smelting, throughput: 2.2 kt/yr}\n"
        "  smelter_3: {title: The third, country: CHN, process: smelting, throughput: 1.1 kt/yr}\n",
    ).replace("{2025: 100, 2035: 140}", "{2024: 100, 2035: 140}")
    + """\
stockpiles:
  reserve: {title: The reserve, country: JPN, material: metal, holding: 30 d}
hazards:
  outages:
    mining: {time_to_failure: {mean: 100 d}, repair_time: {mean: 20 d}, severity: 1}
    smelting: {time_to_failure: {mean: 200 d}, repair_time: {mean: 20 d}, severity: 1}
"""
}
"""Several plants per stage, so that sums over lanes and plants have an order; hazards and a reserve."""

ON = [
    "switches.noise=true",
    "switches.hazards=true",
    "switches.uncertainty=true",
    "demand=growth",
    "horizon.end=2026-06-30",
]

PROJECT = {
    "type": "project_of_interest",
    "country": "MYS",
    "process": "smelting",
    "capacity": "5 t/d",
    "start": "2025-02-01",
    "lead_time": "60 d",
    "ramp": "60 d",
    "success": 0.5,
    "cost": "10 million_USD",
    "public_share": 0.5,
    "sponsors": {"JPN": 1},
    "suppliers": {"ore": {"mine": 1}},
    "customers": {"metal": {"JPN": 1}},
    **NOTED,
}

BUSY: dict[str, dict[str, Any]] = {
    "ban": {"type": "export_ban", "from": "CHN", "material": "ore", "start": "2025-06-01", "duration": "90 d", **NOTED},
    "licence": {
        "type": "export_licence",
        "from": "MYS",
        "material": "metal",
        "start": "2025-09-01",
        "duration": "200 d",
        "applications": {"value": 0.7, "low": 0.4, "high": 1},
        "delay": "40 d",
        "refused": 0.1,
        **NOTED,
    },
    "release": {
        "type": "stockpile_release",
        "stockpile": "reserve",
        "rate": "10 t/d",
        "when": {"metric": "price_pressure", "material": "metal", "country": "JPN", "above": 1.3, "for": "14 d"},
        **NOTED,
    },
    "build": {
        "type": "stockpile_build",
        "stockpile": "reserve",
        "start": "2025-01-10",
        "rate": "2 t/d",
        "target": "60 d",
        **NOTED,
    },
    "project": PROJECT,
}


def busy_case() -> Case:
    return tiny_case(files=FILES, policies=BUSY, overrides=ON)


def by_replication(block: Block, count: int) -> dict[str, Array]:
    """Return all that is kept per replication, of the first ones."""
    summed = {"sums", "causes"}
    return {
        name: value[..., :count] for name, value in everything(block).items() if name not in summed and value.ndim > 1
    }


def test_two_runs_are_bit_identical() -> None:
    case = busy_case()
    assert_same(everything(run_block(case, 1, 0, 6)), everything(run_block(case, 1, 0, 6)))


def test_blocks_do_not_depend_on_their_order() -> None:
    case = busy_case()
    forward = [everything(run_block(case, 1, block, 4)) for block in (0, 1)]
    backward = [everything(run_block(case, 1, block, 4)) for block in (1, 0)][::-1]
    for one, other in zip(forward, backward, strict=True):
        assert_same(one, other)
    assert not np.array_equal(forward[0]["price_sum"], forward[1]["price_sum"])


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_the_first_replications_do_not_depend_on_how_many_follow(count: int) -> None:
    case = busy_case()
    assert_same(by_replication(run_block(case, 1, 0, 12), count), by_replication(run_block(case, 1, 0, count), count))


@pytest.mark.parametrize("count", [1, 2])
def test_the_first_replications_of_the_real_world_do_not_depend_on_how_many_follow(count: int) -> None:
    case = until(real_case(scenario="framework_and_allies"), "2026-12-31")
    assert_same(by_replication(run_block(case, 1, 0, 3), count), by_replication(run_block(case, 1, 0, count), count))


def test_the_seed_counts() -> None:
    case = busy_case()
    one, other = run_block(case, 1, 0, 2).recorder, run_block(case, 2, 0, 2).recorder
    assert not np.array_equal(one.price_sum, other.price_sum)


# -- what does not act leaves no trace --------------------------------------------------------------------


def test_a_project_that_fails_leaves_no_trace_but_its_bill() -> None:
    """Replications in which nothing opens are those of the world without the project, to the last bit."""
    without = run_block(tiny_case(files=FILES, overrides=ON), 1, 0, 16).recorder
    block = run_block(tiny_case(files=FILES, policies={"project": PROJECT}, overrides=ON), 1, 0, 16)
    failed = np.isinf(block.timeline["project", "first output"])
    assert 0 < failed.sum() < 16
    for name in ("price_sum", "price_peak", "bill", "min_cover"):
        assert np.array_equal(getattr(without, name)[:, failed], getattr(block.recorder, name)[:, failed]), name
    assert not np.array_equal(without.price_sum, block.recorder.price_sum)
    (public, _) = block.spending["project", "metal", "JPN"]
    assert public == pytest.approx(5e6)


def test_a_ban_leaves_no_trace_before_its_announcement() -> None:
    """Series agree to the last bit up to the review in which the news comes, and differ later."""
    ban = {
        "type": "export_ban",
        "from": "CHN",
        "material": "ore",
        "announced": "2025-09-03",
        "start": "2025-11-05",
        **NOTED,
    }
    calm = run_block(tiny_case(files=FILES, overrides=ON), 1, 0, 4).recorder.bins
    banned = run_block(tiny_case(files=FILES, policies={"ban": ban}, overrides=ON), 1, 0, 4).recorder.bins
    news = 245 // 7
    assert np.array_equal(calm[:, :, :news], banned[:, :, :news])
    assert not np.array_equal(calm[:, :, news:], banned[:, :, news:])
