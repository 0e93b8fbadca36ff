"""What measures that build something share: one decision, money once, the same by block and by replication."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.examples import FULL_WORLD, ON, example
from tests.probe import Array, everything, run_block, tiny_case, watch

NOTED = {"source": "assumption", "note": "the test"}
CONFLICT = {
    "type": "escalation",
    "start": "2025-01-01",
    "states": ["calm", "dispute"],
    "rates": {"calm": {"dispute": 12}, "dispute": {"calm": 12}},
    **NOTED,
}
PROGRAMME: dict[str, Any] = {
    "type": "recycling_programme", "country": "JPN", "material": "metal", "recovered": 0.2, "lead_time": "60 d",
    "ramp": "60 d", "cost": "20 million_USD", "public_share": 1, "sponsors": {"JPN": 1},
    "during": {"conflict": ["dispute"]}, **NOTED,
}  # fmt: skip


def test_what_a_state_of_an_escalation_decides_is_decided_once_and_stays() -> None:
    """Disputes come and go about six times a year; one plant is built, and paid for once."""
    policies = {"conflict": CONFLICT, "scrap": PROGRAMME}
    case = tiny_case(policies=policies)

    def look(world: Any, _: Any) -> Array:
        return np.asarray(world.plant_capacity[world.network.facility_index["scrap"]].copy())

    capacity = np.array(watch(case, look, replications=16))
    assert np.all(np.diff(capacity, axis=0) >= -1e-12)
    assert np.all(capacity[-1] > 3.0)
    public, private = run_block(case, 1, 0, 16).spending["scrap", "metal", "JPN"]
    assert public == pytest.approx(20e6)
    assert not private.any()


@pytest.mark.parametrize("kind", ["recycling_programme", "substitution_programme", "price_floor", "offtake_guarantee"])
def test_fewer_replications_are_the_first_of_more(kind: str) -> None:
    """Bit by bit: nothing sums over replications."""
    case = tiny_case(files=FULL_WORLD, overrides=ON, policies={"measure": example(kind)})
    few, many = everything(run_block(case, 1, 0, 1)), everything(run_block(case, 1, 0, 5))
    for name, value in few.items():
        if value.ndim and value.shape[-1] == 1 and many[name].shape[-1] == 5:
            assert np.array_equal(value[..., 0], many[name][..., 0], equal_nan=value.dtype.kind == "f"), name
