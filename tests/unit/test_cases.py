"""Policies are read and held against the world before anything runs."""

import json

import pytest

from sim.cases import prepare
from sim.config.load import Plan
from sim.errors import ConfigError
from tests.worlds import FILES, tiny_plan

BAN = {"type": "export_ban", "from": "CHN", "material": "ore", "start": "2025-06-01", "source": "assumption"}
TRIGGER = {"metric": "days_of_cover", "material": "metl", "country": "JPN", "below": "30 d"}
PLANT = {
    "type": "project_of_interest",
    "country": "USA",
    "process": "smelting",
    "capacity": {"value": "1 kt/yr", "note": "of the tests"},
    "lead_time": {"value": "300 d", "note": "of the tests"},
    "ramp": {"value": "90 d", "note": "of the tests"},
    "success": {"value": "80 %", "note": "of the tests"},
    "cost": {"value": "10 million_USD", "note": "of the tests"},
    "public_share": {"value": "50 %", "note": "of the tests"},
    "sponsors": {"USA": 1},
    "suppliers": {"ore": {"mine": 1}},
    "customers": {"metal": {"USA": 1}},
    "start": "2025-06-01",
    "source": "assumption",
}


def plan(raw: dict[str, object]) -> Plan:
    return tiny_plan(policies={"measure": raw})


def test_a_case_per_scenario_with_its_policies():
    baseline, what_if = prepare(plan(BAN), balanced=True)
    assert (baseline.name, dict(baseline.policies)) == ("baseline", {})
    assert list(what_if.policies) == ["measure"]
    assert what_if.policies["measure"].type == "export_ban"
    assert what_if.calendar.reviews == 105


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({**BAN, "type": "export_bann"}, r"measure\.type: got 'export_bann'.*Did you mean 'export_ban'\?"),
        ({key: BAN[key] for key in BAN if key != "type"}, r"policies\.measure: missing\. Give 'type', one of "),
        ({**BAN, "from": "CHM"}, r"measure\.from: got 'CHM'.*Did you mean 'CHN'\?"),
        ({**BAN, "to": ["JPN", "USB"]}, r"measure\.to: got 'USB'.*Did you mean 'USA'\?"),
        ({**BAN, "material": "oree"}, r"measure\.material: got 'oree'.*Did you mean 'ore'\?"),
        ({**BAN, "material": "metal"}, r"measure: no trade in metal leaves CHN"),
        ({**BAN, "duratoin": "3 d"}, r"measure\.duratoin: unknown key 'duratoin'\. Did you mean 'duration'\?"),
        ({**BAN, "start": "soon"}, r"measure\.start: got 'soon'\. Write a date"),
        ({**PLANT, "process": "smeltin"}, r"measure\.process: got 'smeltin'.*Did you mean 'smelting'\?"),
        ({**PLANT, "customers": {"metal": {"JPM": 1}}}, r"customers\.metal\.JPM: got 'JPM'.*Did you mean 'JPN'\?"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(raw, said):
    with pytest.raises(ConfigError, match=said) as caught:
        prepare(plan(raw))
    (problem,) = caught.value.problems
    assert problem.file == "configs/scenarios/what_if.yaml"
    assert problem.line is not None


def test_names_in_a_trigger_are_held_against_the_world():
    raw = {key: value for key, value in BAN.items() if key != "start"} | {"when": TRIGGER}
    with pytest.raises(ConfigError, match=r"when\.material: got 'metl'.*Did you mean 'metal'\?"):
        prepare(plan(raw))


def test_a_world_that_cannot_be_balanced_fails_before_the_run():
    file = "configs/minerals/tin.yaml"
    edits = [
        (
            file,
            "  smelter: {title",
            "  mine_2: {title: Mine, country: USA, process: mining, throughput: 1 kt/yr}\n  smelter: {title",
        ),
        (file, "ore: {home_preference: 1}", "ore: {home_preference: 1, sources: {MYS: {CHN: 100 %}}}"),
    ]
    with pytest.raises(ConfigError, match=r"trade\.ore: no trade") as caught:
        prepare(tiny_plan(edits=edits), balanced=True)
    assert (caught.value.problems[0].file, caught.value.problems[0].line) == (file, 38)


def test_problems_of_all_policies_come_together():
    both = tiny_plan(policies={"one": {**BAN, "from": "CHM"}, "two": {**BAN, "type": "ban"}})
    with pytest.raises(ConfigError) as caught:
        prepare(both)
    assert [problem.address for problem in caught.value.problems] == ["policies.one.from", "policies.two.type"]


@pytest.mark.parametrize(
    ("lifetime", "said"),
    [
        ({"dist": "lognrm", "mean": "100 d"}, r"dist: got 'lognrm'.*Did you mean 'lognorm'\?"),
        ({"dist": "lognorm", "mean": "100 d"}, r"shape: got none\. The shape parameters of 'lognorm' are: s\."),
        ({"dist": "norm", "mean": "100 d"}, r"got 'norm'.*above 0"),
    ],
)
def test_a_lifetime_that_cannot_be_drawn_is_named(lifetime: dict[str, object], said: str) -> None:
    noted = {"severity": 1, "source": "assumption", "note": "of the tests"}
    outage = {"time_to_failure": lifetime, "repair_time": {"mean": "20 d"}, **noted}
    hazards = "hazards:\n  outages:\n    mining: " + json.dumps(outage) + "\n"
    with pytest.raises(ConfigError, match=said) as caught:
        prepare(tiny_plan(files={"configs/minerals/tin.yaml": FILES["configs/minerals/tin.yaml"] + hazards}))
    assert caught.value.problems[0].line is not None
