"""escalation: shares of time and mean stays of a Markov chain, and measures that follow its states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.chains import walk
from sim.draws import BLOCK_SIZE, Draws
from sim.engine import run_block
from sim.errors import ConfigError
from tests.probe import Array, assert_same, everything, tiny_case, watch

NOTED = {"source": "assumption", "note": "the test"}
CONFLICT = {
    "type": "escalation",
    "start": "2025-03-05",
    "states": ["calm", "licensing", "ban"],
    "rates": {"calm": {"licensing": 12}, "licensing": {"calm": 6, "ban": 6}, "ban": {"calm": 12}},
    **NOTED,
}
BAN = {"type": "export_ban", "from": "MYS", "material": "metal", "during": {"conflict": ["ban"]}, **NOTED}


def levels(policies: dict[str, Any], name: str, replications: int = 32) -> Array:
    """(review, replication) level of a measure, seen by another that answers it and never comes."""
    watcher = {
        "type": "facility_outage",
        "facility": "smelter",
        "when": {"metric": "in_force", "policy": name, "above": 2},
        **NOTED,
    }
    case = tiny_case(policies={**policies, "watcher": watcher})
    return np.array(watch(case, lambda world, _: world.coming_in_force[name].copy(), replications=replications))


def test_stays_and_jumps_are_those_of_the_chain() -> None:
    """Two states with rates a and b: the share of time in the first tends to b / (a + b), stays have mean 1 / rate."""
    draws, years = Draws(1, 0, BLOCK_SIZE), 30.0
    rates = {"calm": {"war": np.full(BLOCK_SIZE, 2.0)}, "war": {"calm": np.full(BLOCK_SIZE, 6.0)}}
    chain = walk(draws, "conflict", ["calm", "war"], rates, years * 365.25)
    ends = np.minimum(np.concatenate([chain.entered[1:], np.full((1, BLOCK_SIZE), np.inf)]), years * 365.25)
    stay = np.where(np.isfinite(chain.entered), ends - chain.entered, 0.0)
    calm = (stay * (chain.state == 0)).sum(axis=0) / stay.sum(axis=0)
    error = calm.std(ddof=1) / np.sqrt(BLOCK_SIZE)
    # From calm at the start: 0.75 plus the transient (0.25 / 8 years) / 30 years.
    assert calm.mean() == pytest.approx(0.75 + 0.25 / 8 / years, abs=4 * error)
    whole = np.isfinite(chain.entered) & (ends < years * 365.25) & (chain.state == 1)
    stays = stay[whole] / 365.25
    assert stays.mean() == pytest.approx(1 / 6, abs=4 * stays.std() / np.sqrt(stays.size))


def test_neighbouring_states_of_a_measure_are_one_spell() -> None:
    draws = Draws(1, 0, 8)
    rates = {"a": {"b": np.full(8, 4.0)}, "b": {"c": np.full(8, 4.0)}, "c": {"a": np.full(8, 4.0)}}
    chain = walk(draws, "conflict", ["a", "b", "c"], rates, 2_000.0)
    chain.start = np.zeros(8)
    begins, ends = chain.spells(["b", "c"])
    _, last_of_c = chain.spells(["c"])
    spells = np.isfinite(begins)
    assert (np.isfinite(chain.spells(["b"])[0]) == spells).all()
    for r in range(8):
        assert sorted(ends[spells[:, r], r])[:2] == pytest.approx(
            sorted(last_of_c[np.isfinite(last_of_c[:, r]), r])[:2]
        )


def test_a_measure_is_in_force_in_its_states_and_nowhere_else() -> None:
    found = levels({"conflict": CONFLICT, "ban": BAN}, "ban")
    calm = levels({"conflict": CONFLICT, "ban": {**BAN, "during": {"conflict": ["calm", "licensing"]}}}, "ban")
    assert found.max() == 1.0
    assert not found[:9].any()
    assert found[9:] + calm[9:] == pytest.approx(1.0)
    assert ((found > 0).any(axis=0) & (found[-30:] == 0).any(axis=0)).any()


def test_it_comes_into_force_some_days_after_entry() -> None:
    at_once = {**CONFLICT, "states": ["talks", "war"], "rates": {"talks": {"war": 0}}}
    found = levels({"conflict": at_once, "ban": {**BAN, "during": {"conflict": "talks"}, "after": "10 d"}}, "ban", 2)
    assert found[9:12, 0] == pytest.approx([0.0, 4 / 7, 1.0])


def test_dates_are_told() -> None:
    timeline = run_block(tiny_case(policies={"conflict": CONFLICT, "ban": BAN}), 1, 0, 16).timeline
    assert timeline["conflict", "enters calm"] == pytest.approx(63.0)
    assert (timeline["conflict", "enters licensing"] >= 63.0).all()
    assert (timeline["ban", "in force"] == timeline["conflict", "enters ban"]).all()


def test_an_escalation_that_nothing_follows_leaves_no_trace() -> None:
    without, with_chain = (
        everything(run_block(tiny_case(), 1, 0, 4)),
        everything(run_block(tiny_case(policies={"conflict": CONFLICT}), 1, 0, 4)),
    )
    assert_same(without, {name: value for name, value in with_chain.items() if "conflict" not in name})


def test_retaliation_answers_the_other_side() -> None:
    """The answer comes into force two weeks after the measure that it answers, seen a review later."""
    first = {"type": "export_ban", "from": "CHN", "material": "ore", "start": "2025-03-05", "duration": "70 d", **NOTED}
    answer = {
        "type": "export_ban",
        "from": "MYS",
        "material": "metal",
        "when": {"metric": "in_force", "policy": "first", "above": 0.5},
        "after": "14 d",
        "duration": "28 d",
        **NOTED,
    }
    found = levels({"answer": answer, "first": first}, "answer", 2)[:, 0]
    assert found[9 + 1 + 2 : 9 + 1 + 2 + 4] == pytest.approx(1.0)
    assert found.sum() == pytest.approx(4.0)


def test_a_suspension_takes_a_share_off_for_a_time() -> None:
    ban = {
        "type": "export_ban",
        "from": "MYS",
        "material": "metal",
        "start": "2025-03-05",
        "suspended": [{"from": "2025-03-19", "to": "2025-04-05", "share": 0.8}],
        **NOTED,
    }
    found = levels({"ban": ban}, "ban", 2)[:, 0]
    assert found[9:15] == pytest.approx([1.0, 1.0, 0.2, 0.2, 1 - 0.8 * 3 / 7, 1.0])


def test_the_return_of_a_suspended_measure_is_news_before() -> None:
    """Suspended until day 133, with three weeks' notice: buyers hear of it from day 112 on."""
    pause = {"from": "2025-03-19", "to": "2025-05-14", "notice": "21 d"}
    ban = {
        "type": "export_ban",
        "from": "MYS",
        "material": "metal",
        "start": "2025-03-05",
        "suspended": [pause],
        **NOTED,
    }
    case = tiny_case(policies={"ban": ban})
    risk = np.array(watch(case, lambda world, _: float(world.levers.risk.max()), replications=1))
    assert risk[9:11] == pytest.approx(1.0)
    assert risk[11:16] == pytest.approx(0.0)
    assert risk[16:19] == pytest.approx(1.0)
    flow = np.array(watch(case, lambda world, _: float(world.lane_flow[:, 0].sum()), replications=1))
    assert (flow[16:19] > 0).all()


@pytest.mark.parametrize(
    ("policies", "message"),
    [
        ({"conflict": {**CONFLICT, "rates": {"calm": {"wra": 1}}}}, "got 'wra', which is not one of the states"),
        ({"conflict": {**CONFLICT, "rates": {"calm": {"calm": 1}}}}, "cannot jump to itself"),
        ({"conflict": {**CONFLICT, "states": ["calm", "calm"]}}, "each name may stand once"),
        ({"conflict": {**CONFLICT, "rates": {"calm": {"licensing": 1}}}}, "leads from 'calm' to ban"),
        ({"conflict": {**CONFLICT, "rates": {**CONFLICT["rates"], "ban": {"calm": -1}}}}, "rates"),
        ({"ban": BAN}, "got 'conflict'. Not an escalation of this scenario"),
        ({"conflict": CONFLICT, "ban": {**BAN, "during": {"conflict": "bann"}}}, "Did you mean 'ban'"),
        ({"conflict": CONFLICT, "ban": {**BAN, "start": "2025-03-01"}}, "give either 'during', or a 'start'"),
        ({"ban": {**BAN, "during": None, "start": "2025-03-01", "after": "3 d"}}, "'after' needs a 'when'"),
    ],
)
def test_what_cannot_be_is_named(policies: dict[str, Any], message: str) -> None:
    given = {name: {k: v for k, v in raw.items() if v is not None} for name, raw in policies.items()}
    with pytest.raises(ConfigError, match=message):
        tiny_case(policies=given)
