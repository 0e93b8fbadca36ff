"""Selections in the tiny world, by hand: all ore comes from China, so all metal in Japan does, upstream."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

from sim.cases import prepare
from sim.cli import app
from sim.config.load import Plan, load_plan
from sim.engine import Case, run_block
from sim.errors import ConfigError
from sim.selection import FILE, Picked, paragraph, select
from sim.selection.count import Count
from sim.selection.supply import Supply
from sim.study import Options, run_study
from tests.worlds import TIN, tiny_plan

DAYS = 729.0  # to the last day of 2026
TONNES = 4.0 * 0.8 * 0.5 * DAYS
"""4 t/d with odds of 80 % in the second half of the time."""

PROJECT: dict[str, Any] = {
    "type": "project_of_interest", "start": "2025-01-01", "lead_time": "364.5 d", "ramp": "0 d", "success": 0.8,
    "cost": "20 million_USD", "public_share": 0.5, "sponsors": {"JPN": 1}, "source": "assumption",
}  # fmt: skip
MINE = {**PROJECT, "country": "USA", "process": "mining", "capacity": "4 t/d", "success": 1, "customers": {}}
SMELTER = {
    **PROJECT, "country": "JPN", "process": "smelting", "capacity": "4 t/d", "customers": {"metal": {"JPN": 1}},
}  # fmt: skip
FED = {**SMELTER, "suppliers": {"ore": {"pit": 1}}}
UNFED = {**SMELTER, "suppliers": {"ore": {"mine": 1}}}
POLICIES = {"pit": MINE, "fed": FED, "unfed": UNFED}
OUTAGE = {"type": "facility_outage", "facility": "mine", "start": "2025-03-12", "source": "assumption"}
ROUTE = """\
hazards:
  routes:
    strait: {origin: USA, destination: [MYS], time_to_failure: {mean: 100000 d}, repair_time: {mean: 1 d}}
"""


def plan_with(
    policies: dict[str, Any] = POLICIES, files: dict[str, str] | None = None, root: Any = None, **keys: Any
) -> Plan:
    chosen = {"budget": "30 million_USD", "for": "JPN", "against": "CHN", "candidates": list(policies), **keys}
    text = json.dumps({key: value for key, value in chosen.items() if value is not None})
    edit = ("experiments/tiny.yaml", "focus:", f"selection: {text}\nfocus:")
    return tiny_plan(root, policies=policies, edits=[edit], files=files)


def picked(*args: Any, **keys: Any) -> Picked:
    plan = plan_with(*args, **keys)
    (found,) = select(plan, prepare(plan))[2]
    return found


def count_of(*args: Any, **keys: Any) -> tuple[Supply, Count]:
    plan = plan_with(*args, **keys)
    case: Case = prepare(plan)[-1]
    chosen = plan.scenarios[-1].selection
    assert chosen is not None
    supply = Supply(case, chosen[0], chosen[0].candidates, 1)
    return supply, Count(supply)


# -- the count ----------------------------------------------------------------------------------------------


def test_the_gap_is_all_that_comes_from_there_upstream_too() -> None:
    _, count = count_of()
    assert count.outcome(()).gap == pytest.approx({"metal": 6000 / 365.25 * DAYS})


def test_a_plant_without_feed_from_elsewhere_closes_nothing() -> None:
    _, count = count_of()
    gap = count.outcome(()).gap["metal"]
    for names in ({"pit"}, {"fed"}, {"unfed"}, {"pit", "unfed"}):
        assert count.outcome(names).gap["metal"] == pytest.approx(gap)
    assert count.outcome({"unfed"}).fed["unfed"] == 0.0
    assert count.outcome({"unfed"}).scarce["unfed"] == "ore"


def test_with_its_mine_it_closes_capacity_times_odds_times_time() -> None:
    supply, count = count_of()
    assert supply.expected("fed") == pytest.approx(TONNES)
    assert count.outcome(()).gap["metal"] - count.outcome({"pit", "fed"}).gap["metal"] == pytest.approx(TONNES)


def test_a_smaller_mine_feeds_a_part_of_it() -> None:
    """1 t/d of ore for 3.2 t/d of expected output."""
    _, count = count_of({**POLICIES, "pit": {**MINE, "capacity": "1 t/d"}})
    found = count.outcome({"pit", "fed"})
    assert found.fed["fed"] == pytest.approx(1 / 3.2)
    assert count.outcome(()).gap["metal"] - found.gap["metal"] == pytest.approx(1.0 * 0.5 * DAYS)


def test_nobody_needs_more_than_they_use() -> None:
    big = {"pit": {**MINE, "capacity": "100 t/d"}, "fed": {**FED, "capacity": "100 t/d"}}
    _, count = count_of(big)
    assert count.outcome({"pit", "fed"}).gap["metal"] == pytest.approx(0.5 * 6000 / 365.25 * DAYS)


def test_ore_from_elsewhere_makes_existing_plants_independent() -> None:
    """A mine that sells to the smelter in Malaysia: Japan gets its share of what is made of that ore."""
    _, count = count_of({"pit": {**MINE, "customers": {"ore": {"MYS": 1}}}})
    closed = count.outcome(()).gap["metal"] - count.outcome({"pit"}).gap["metal"]
    assert closed == pytest.approx(0.6 * 4.0 * 0.5 * DAYS)


def test_a_plant_over_there_closes_nothing() -> None:
    _, count = count_of({"pit": {**MINE, "country": "CHN"}, "fed": FED})
    assert count.outcome({"pit", "fed"}).gap["metal"] == pytest.approx(count.outcome(()).gap["metal"])


def test_a_way_round_counts_where_a_route_is_expected_to_be_shut() -> None:
    """Half of the ore from the United States, shut for the second half, of which 40 % x 80 % goes round."""
    mines = TIN.replace(
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 10 kt/yr}\n",
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 5 kt/yr}\n"
        "  mine_2: {title: Other, country: USA, process: mining, throughput: 5 kt/yr}\n",
    )
    policies = {
        "shut": {"type": "route_closure", "route": "strait", "start": "2025-12-31", "source": "assumption"},
        "way": {
            **PROJECT, "type": "logistics_project", "route": "strait", "capacity_share": 0.4, "lead_time": "0 d",
        },
    }  # fmt: skip
    supply, count = count_of(policies, {"configs/minerals/tin.yaml": mines + ROUTE}, candidates=["way"])
    closed = count.outcome(()).gap["metal"] - count.outcome({"way"}).gap["metal"]
    ore = 0.5 * DAYS * 5000 / 365.25 * 0.4 * 0.8
    assert supply.expected("way") == pytest.approx(ore)
    assert closed == pytest.approx(0.6 * ore)


# -- the choice ---------------------------------------------------------------------------------------------


def test_a_plant_is_picked_with_the_mine_that_feeds_it() -> None:
    found = picked()
    assert {each.name: each.order for each in found.candidates} == {"pit": 1, "fed": 1, "unfed": None}
    pit, fed, unfed = found.candidates
    assert (pit.public, pit.cost) == pytest.approx((10e6, 20e6))
    assert fed.gap == pytest.approx(TONNES)
    assert fed.value == pytest.approx(TONNES * 30_000)
    assert found.closed == pytest.approx({"metal": TONNES})
    assert fed.reason.startswith("pick 1 together with pit: 1,166 t (9.7 % of the gap) for 20 million USD, 58.3 t per")
    assert unfed.reason == "closes nothing; ore from elsewhere suffices for 0 % of what it could make"


def test_the_budget_is_of_all_money_if_told_so() -> None:
    with pytest.raises(ConfigError, match=r"got 30 million USD, too little.* fed with pit, for 40 million USD\."):
        picked(public_only=False)
    assert len(picked(public_only=False, budget="40 million_USD").chosen) == 2


def test_what_comes_too_late_is_told_so() -> None:
    found = picked(by="2025-12-01")
    assert [each.reason for each in found.candidates] == ["not on line before the date"] * 3


def test_who_is_left_out_for_want_of_money_is_told_how_much() -> None:
    found = picked({"pit": MINE, "fed": FED, "again": {**FED, "capacity": "2 t/d"}}, budget="25 million_USD")
    assert {each.name for each in found.chosen} == {"pit", "fed"}
    assert found.candidates[2].reason == ("would close 292 t more, but costs 10 million USD and 5 million are left")


def test_what_is_not_picked_leaves_the_scenario() -> None:
    plan = plan_with()
    after, cases, _ = select(plan, prepare(plan))
    assert list(cases[-1].policies) == ["pit", "fed"]
    assert list(after.scenarios[-1].policies) == ["pit", "fed"]
    assert list(after.resolved["scenarios"]["what_if"]["policies"]) == ["pit", "fed"]
    assert after.resolved["selection"] == {"what_if": ["pit", "fed"]}
    assert list(plan.resolved["scenarios"]["what_if"]["policies"]) == ["pit", "fed", "unfed"]
    assert cases[0] is not cases[-1]


def test_what_rests_on_it_goes_with_it_and_shares_go_to_others() -> None:
    both = {**FED, "suppliers": {"ore": {"pit": 0.5, "hole": 0.5}}}
    policies = {
        "pit": {**MINE, "capacity": "8 t/d"},
        "hole": {**MINE, "cost": "900 million_USD"},
        "fed": both,
        "stop": {**OUTAGE, "facility": "hole"},
        "stop_both": {**OUTAGE, "facility": ["hole", "mine"]},
    }
    plan = plan_with(policies, candidates=["pit", "hole", "fed"])
    _, cases, (found,) = select(plan, prepare(plan))
    kept = cases[-1].policies
    assert list(kept) == ["pit", "fed", "stop_both"]
    assert found.gone == ("stop",)
    assert kept["stop_both"].facility == ("mine",)  # type: ignore[attr-defined]
    shares = kept["fed"].suppliers["ore"]  # type: ignore[attr-defined]
    assert {place: share.value for place, share in shares.items()} == {"pit": 1.0}
    assert np.isfinite(run_block(cases[-1], 1, 0, 2).recorder.price_sum).all()


def test_a_plan_without_a_selection_is_left_as_it_is() -> None:
    plan = tiny_plan(policies=POLICIES)
    cases = prepare(plan)
    assert select(plan, cases) == (plan, cases, [])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"candidates": ["pit", "fet"]}, "got 'fet'.*Did you mean 'fed'"),
        ({"candidates": ["stop"]}, "got 'stop', a policy of type 'facility_outage'. Candidates are projects"),
        (
            {"budget": "15 million_USD"},
            "too little for any candidate.*fed with pit, for 20 million USD of public money",
        ),
        ({"budget": "15"}, "budget"),
        ({"budget": None}, "budget"),
        ({"for": "JPM"}, "JPN"),
        ({"against": "CHM"}, "CHN"),
        ({"materials": ["mettal"]}, "metal"),
        ({"weigh": "feeling"}, "weigh"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        picked({**POLICIES, "stop": OUTAGE}, **{"candidates": list(POLICIES), **keys})
    assert "experiments/tiny.yaml" in str(caught.value)
    assert "line" in str(caught.value)


def test_a_candidate_that_a_trigger_decides_is_refused() -> None:
    when = {"metric": "price_pressure", "material": "metal", "country": "JPN", "above": 2}
    late = {key: value for key, value in MINE.items() if key != "start"} | {"when": when}
    with pytest.raises(ConfigError, match="needs a 'start'"):
        picked({**POLICIES, "pit": late})


# -- files and the command line ---------------------------------------------------------------------------


def test_a_run_writes_the_table_and_tells_the_answer(tmp_path: Path) -> None:
    plan_with(root=tmp_path)
    options = Options(
        replications=2, workers=1, out=tmp_path / "out", overrides=("switches.noise=true",), figures=False
    )
    results = run_study(tmp_path / "experiments" / "tiny.yaml", options, Console(quiet=True))
    table = pd.read_csv(results.directory / FILE)
    assert list(table["chosen"]) == [True, True, False]
    assert table["gap_closed_t_per_million_usd"][0] == pytest.approx(TONNES / 10, rel=1e-5)
    told = " ".join(paragraph(results.manifest))
    assert "picked of 3 candidates, for 20 of 30 million USD of public money: pit; fed." in told
    assert "close 1,166 of 11,975 t of tin metal (9.7 %) of what Japan would otherwise get from China" in told
    assert list(paragraph({})) == []


def test_the_command_prints_the_choice_without_running(tmp_path: Path) -> None:
    plan_with(root=tmp_path)
    out = tmp_path / "table.csv"
    done = CliRunner().invoke(app, ["select", str(tmp_path / "experiments" / "tiny.yaml"), "--csv", str(out)])
    assert done.exit_code == 0, done.output
    assert "fed: pick 1 together with pit" in done.output
    assert list(pd.read_csv(out)["candidate"]) == ["pit", "fed", "unfed"]
    tiny_plan(tmp_path)
    done = CliRunner().invoke(app, ["select", str(tmp_path / "experiments" / "tiny.yaml")])
    assert done.exit_code == 2


def test_a_scenario_may_say_how_to_pick(tmp_path: Path) -> None:
    plan_with(root=tmp_path)
    tiny_plan(tmp_path, policies=POLICIES)
    path = tmp_path / "configs/scenarios/what_if.yaml"
    text = "selection: {budget: 30 million_USD, for: JPN, against: CHN, candidates: [fed, pit, unfed]}\n"
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    plan = load_plan(tmp_path / "experiments" / "tiny.yaml")
    (found,) = select(plan, prepare(plan))[2]
    assert [each.name for each in found.chosen] == ["fed", "pit"]


def test_validate_names_an_unknown_candidate(tmp_path: Path) -> None:
    plan_with(root=tmp_path, candidates=["pit", "fet"])
    done = CliRunner().invoke(app, ["validate", str(tmp_path / "experiments" / "tiny.yaml")])
    assert done.exit_code == 2
    assert "Did you mean 'fed'?" in done.stderr
