"""Files become a plan: merged, changed, validated, each value with its file and line."""

import json
from pathlib import Path

import pytest
from pydantic import Field

from sim.config import schema
from sim.config.load import (
    Origin,
    Tree,
    find_near,
    find_root,
    iter_numbers,
    load_plan,
    read_override,
    read_yaml,
    stamp,
    validate_section,
)
from sim.errors import ConfigError
from tests.worlds import TIN, as_yaml, tiny_plan, write_world

MINERAL = "configs/minerals/tin.yaml"
EXPERIMENT = "experiments/tiny.yaml"
SCENARIO = "configs/scenarios/baseline.yaml"
EMBARGO = "configs/scenarios/embargo.yaml"
BOTH = (EXPERIMENT, "scenarios: [baseline]", "scenarios: [baseline, embargo]")


def problems(**kwargs):
    with pytest.raises(ConfigError) as caught:
        tiny_plan(**kwargs)
    return caught.value.problems


def problem(**kwargs):
    found = problems(**kwargs)
    assert len(found) == 1, [each.text() for each in found]
    return found[0]


def embargo(text, **kwargs):
    return tiny_plan(files={EMBARGO: text, **kwargs.pop("files", {})}, edits=[BOTH], **kwargs).scenarios[1]


# -- what a plan holds --


def test_the_tiny_world_loads():
    plan = tiny_plan()
    scenario = plan.scenarios[0]
    assert (plan.name, scenario.name, scenario.title) == ("tiny", "baseline", "Baseline")
    assert scenario.world.minerals == {"tin": ("ore", "metal")}
    assert scenario.world.facilities["mine"].throughput.value == pytest.approx(10_000 / 365.25)
    assert scenario.policies == {} and scenario.changes == () and not scenario.counterfactual
    assert set(plan.sources) == {"survey"}


def test_numbers_inherit_the_source_and_year_of_their_file():
    number = tiny_plan().scenarios[0].world.consumers["JPN"]["metal"].sectors["solder"]
    assert (number.source, number.year) == ("survey", 2024)
    assert number.address == "consumers.JPN.metal.sectors.solder"


def test_a_source_of_its_own_leaves_the_year_of_the_file_behind():
    number = tiny_plan().scenarios[0].world.materials["ore"].supplier_cover
    assert (number.source, number.year, number.low) == ("assumption", None, 20.0)


def test_a_source_may_stand_beside_names():
    edit = (
        MINERAL,
        "years: {2025: 100, 2035: 140}",
        "years: {source: assumption, note: round, 2025: 100, 2035: 140}",
    )
    path = tiny_plan(edits=[edit]).scenarios[0].world.demand["growth"]["tin"]
    assert [(each.source, each.note, each.year) for each in path.years.values()] == [("assumption", "round", None)] * 2


def test_every_number_of_a_world_has_an_address_of_its_own():
    addresses = [number.address for number in iter_numbers(tiny_plan().scenarios[0].world)]
    assert len(addresses) == len(set(addresses)) > 40


def test_the_resolved_plan_is_json_and_says_where_values_are_from():
    plan = tiny_plan(policies={"ban": {"type": "export_ban", "start": "2025-04-04"}}, overrides=["behaviour.theta=0.2"])
    resolved = json.loads(json.dumps(plan.resolved))
    assert resolved["origin"]["facilities.mine"] == f"{MINERAL}:{line_of('  mine:', TIN)}"
    what_if = resolved["scenarios"]["what_if"]
    assert what_if["policies"]["ban"]["type"] == "export_ban"
    assert what_if["origin"]["policies.ban"].startswith("configs/scenarios/what_if.yaml:")
    assert what_if["changes"][0]["address"] == "behaviour.theta"


def test_replications_and_seed_may_be_given_by_the_caller():
    experiment = tiny_plan(replications=3, seed=9).experiment
    assert (experiment.replications, experiment.seed) == (3, 9)
    assert "replications" in problem(replications=0).address


def test_the_root_is_the_nearest_directory_that_holds_configs(tmp_path):
    assert find_root(write_world(tmp_path)) == tmp_path
    assert find_root(tmp_path / SCENARIO) == tmp_path


def test_without_configs_there_is_no_root(tmp_path):
    with pytest.raises(ConfigError, match="no directory around this file holds 'configs'"):
        find_root(tmp_path / "alone.yaml")


def test_a_scenario_runs_beside_the_baseline(tmp_path):
    write_world(tmp_path, {EMBARGO: "title: Embargo\nquestion: Who stops?\nextends: baseline\n"})
    plan = load_plan(tmp_path / EMBARGO)
    assert [scenario.name for scenario in plan.scenarios] == ["baseline", "embargo"]
    assert plan.experiment.references == ("baseline",)
    assert plan.experiment.question == "Who stops?"
    assert plan.experiment.focus.countries == ("JPN", "USA")
    assert plan.experiment.replications == 128


def test_the_baseline_runs_alone(tmp_path):
    write_world(tmp_path)
    assert [scenario.name for scenario in load_plan(tmp_path / SCENARIO).scenarios] == ["baseline"]


# -- YAML --


def line_of(text, whole):
    return next(place for place, line in enumerate(whole.splitlines(), 1) if line.startswith(text))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("title: [a\n", 2, "not YAML"),
        ("\ttitle: a\n", 1, "not YAML"),
        ("title: a\n---\ntitle: b\n", 2, "not YAML"),
        ("title: a\nquestion: b\ntitle: c\n", 3, "the key 'title' stands twice, first on line 1."),
        ("# nothing\n", 1, "the file is empty."),
        ("- a\n- b\n", 1, "got a list. Write 'key: value' lines."),
        ("title: a\nquestion: 2025-02-30\n", 2, "got '2025-02-30'. Not a readable value"),
        ("title: a\nquestion: !!python/name:os.system x\n", 2, "Not a readable value"),
        ("title: a\n? [b, c]\n: d\n", 2, "a key must be a plain word"),
        ("title: &x [*x]\n", None, "an anchor that holds itself"),
        ("title: \x00\n", None, "not YAML"),
    ],
)
def test_a_file_that_is_no_yaml_is_refused_with_its_line(text, line, message):
    found = problem(files={SCENARIO: text})
    assert (found.file, found.line) == (SCENARIO, line)
    assert message in found.message


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    path = write_world(tmp_path)
    (tmp_path / SCENARIO).write_bytes(b"title: Baseline\nquestion: Z\xfcrich\n")
    with pytest.raises(ConfigError, match=r"line 2, not UTF-8"):
        load_plan(path)


def test_yaml_traps(tmp_path):
    (tmp_path / "a.yaml").write_text("country: NO\nyears: {2024: 1}\nlarge: 1e6\nhalf: 50 %\n")
    values = read_yaml(tmp_path / "a.yaml", "a.yaml").values
    assert values == {"country": "NO", "years": {"2024": 1}, "large": 1e6, "half": "50 %"}


def test_a_missing_file_names_the_nearest(tmp_path):
    write_world(tmp_path)
    with pytest.raises(ConfigError, match=r"no such file. Did you mean 'tiny'\?"):
        load_plan(tmp_path / "experiments" / "tinny.yaml")


@pytest.mark.parametrize(
    ("edit", "address", "line", "message"),
    [
        (
            ("world: [tin]", "world: [tinn]"),
            "world",
            3,
            "No such file in configs/minerals. Did you mean 'tin'?",
        ),
        (("world: [tin]", "world: [tin]\nbehaviour: defalt"), "behaviour", 4, "Did you mean 'default'?"),
        (("scenarios: [baseline]", "scenarios: [basline]"), "scenarios.0", 8, "Did you mean 'baseline'?"),
    ],
)
def test_a_name_without_a_file_is_refused_where_it_is_used(edit, address, line, message):
    found = problem(edits=[(EXPERIMENT, *edit)])
    assert (found.file, found.address, found.line) == (EXPERIMENT, address, line)
    assert message in found.message


# -- validation in plain words --


@pytest.mark.parametrize(
    ("edit", "address", "message"),
    [
        (("cover: 60 d, sec", "cover: 60, sec"), "consumers.JPN.metal.cover",
         "got '60'. A duration needs a unit; write '60 d'."),
        (("title: tin ore", "titel: x\n    title: tin ore"), "materials.ore.titel",
         "unknown key 'titel'. Did you mean 'title'? Allowed are source"),
        (("    basis: t Sn\n", ""), "materials.metal.basis", "missing. Give 'basis': what a unit means"),
        (("thrift: 0,", "thrift: 2,"), "processes.smelting.inputs.ore.thrift",
         "got 2, above the largest allowed, 1."),
        (("amount: 1,", "amount: solvd,"), "processes.smelting.inputs.ore.amount", "Or write 'solved'."),
        (("country: MYS", "country: [MYS]"), "facilities.smelter.country", "got a list. Write text"),
        (("{2025: 100,", "{early: 100,"), "demand.growth.tin.years.early",
         "got 'early'. Write a whole number."),
        (("low: 20 d, ", ""), "materials.ore.supplier_cover", "a range needs both 'low' and 'high'."),
        (("low: 20 d,", "lo: 20 d,"), "materials.ore.supplier_cover",
         "unknown key 'lo' in a number. Did you mean 'low'?"),
        (("low: 20 d,", "low: 40 d,"), "materials.ore.supplier_cover", "outside its range '40 d' to '45 d'."),
        (("mineral: tin\n", "minerl: tin\n"), "minerl", "unknown key 'minerl'. Did you mean 'mineral'?"),
        (("cover_classes: false}\n  USA", "cover_classes: perhaps}\n  USA"),
         "consumers.JPN.metal.cover_classes",
         "got 'perhaps'. Write true or false."),
        (("  ore: {home_preference: 1}", "  ore: 5"), "trade.ore", "got '5'. Write a mapping, 'key: value'."),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_mineral_file_is_said_in_plain_words(edit, address, message):
    found = {each.address: each for each in problems(edits=[(MINERAL, *edit)])}
    assert message in found[address].message
    assert found[address].file == MINERAL and found[address].line is not None


@pytest.mark.parametrize(
    ("edit", "address", "message"),
    [
        (("replications: 8", "replications: many"), "replications", "got 'many'. Write a whole number."),
        (("replications: 8", "replications: 0"), "replications", "got '0'. Must be above 0."),
        (("seed: 1", "seed: -1"), "seed", "got '-1'. Must be 0 or more."),
        (("start: 2025-01-01", "start: soon"), "horizon.start", "got 'soon'. Write a date as year-month-day"),
        (("scenarios: [baseline]", "scenarios: []"), "scenarios", "got a list. Name one at least."),
        (("seed: 1", "seed: 1\nsupply_growth: matchd"), "supply_growth", "Did you mean 'matched'?"),
    ],
)
def test_what_is_wrong_in_an_experiment_is_said_in_plain_words(edit, address, message):
    found = {each.address: each for each in problems(edits=[(EXPERIMENT, *edit)])}
    assert message in found[address].message
    assert (found[address].file, found[address].line is not None) == (EXPERIMENT, True)


def test_the_line_is_that_of_the_key():
    found = problem(edits=[(MINERAL, "country: MYS", "country: MYZ")])
    assert found.line == line_of("  smelter:", TIN)
    assert found.message == "got 'MYZ'. Not a country of this world. Did you mean 'MYS'?"


def test_all_problems_of_all_files_are_reported_together():
    edits = [(MINERAL, "thrift: 0,", "thrift: 2,"), (EXPERIMENT, "seed: 1", "sed: 1")]
    found = problems(edits=edits, files={"configs/sources.yaml": "survey: {citation: A., grade: gossip, year: 2025}\n"})
    assert {each.file for each in found} == {MINERAL, EXPERIMENT, "configs/sources.yaml"}
    assert {each.address for each in found} >= {"processes.smelting.inputs.ore.thrift", "sed", "survey.grade"}


def test_a_problem_of_the_base_world_is_reported_once_for_all_scenarios():
    found = problems(
        edits=[BOTH, (MINERAL, "thrift: 0,", "thrift: 2,")], files={EMBARGO: "title: E\nextends: baseline\n"}
    )
    assert len(found) == 1


class Gift(schema.Section):
    """A stand-in for a policy."""

    giver: str = Field(alias="from", description="who gives")
    rate: schema.Flow = Field(description="how much")
    path: tuple[schema.Ratio, ...] = Field(default=(schema.Number(1.0),), description="over time")


GIFT = Tree(
    {"policies": {"gift": {"from": "CHN", "rate": "1 t/d", "source": "survey"}}},
    {
        (): Origin("a.yaml", 1),
        ("policies", "gift"): Origin("a.yaml", 4),
        ("policies", "gift", "rate"): Origin("a.yaml", 5),
    },
)


def test_a_policy_validates_itself_with_the_same_words():
    gift = validate_section(Gift, GIFT.get(("policies", "gift")), "policies.gift", GIFT)
    assert gift.rate.address == "policies.gift.rate"
    assert (gift.rate.source, gift.path[0].source) == ("survey", "survey")


def test_a_policy_is_refused_with_its_address_file_and_line():
    with pytest.raises(ConfigError) as caught:
        validate_section(Gift, {"rate": "1 d", "form": "CHN"}, "policies.gift", GIFT)
    found = {each.address: each for each in caught.value.problems}
    assert found["policies.gift.from"].message == "missing. Give 'from': who gives."
    assert found["policies.gift.form"].message.startswith("unknown key 'form'. Did you mean 'from'?")
    assert (found["policies.gift.rate"].file, found["policies.gift.rate"].line) == ("a.yaml", 5)
    assert found["policies.gift.form"].line == 4


def test_stamping_leaves_shared_defaults_alone():
    first = stamp(Gift(**{"from": "CHN", "rate": "1 t/d"}), "policies.first")
    second = stamp(Gift(**{"from": "CHN", "rate": "1 t/d"}), "policies.second")
    assert first.path[0].address == "policies.first.path.0"
    assert second.path[0].address == "policies.second.path.0"


# -- several minerals --

LEAD = TIN.replace("tin", "lead").replace("Tin", "Lead").replace("ore", "galena").replace("metal", "bullion")
for _old, _new in (
    ("mine:", "pit:"),
    ("smelter:", "furnace:"),
    ("mining", "digging"),
    ("smelting", "roasting"),
):
    LEAD = LEAD.replace(_old, _new)
LEAD = LEAD.replace("transit:\n  everywhere: {days: 21 d}", "transit: {}")


def two_minerals(text):
    return {
        "files": {"configs/minerals/lead.yaml": text},
        "edits": [(EXPERIMENT, "world: [tin]", "world: [tin, lead]")],
    }


def test_minerals_merge_into_one_world():
    world = tiny_plan(**two_minerals(LEAD)).scenarios[0].world
    assert world.minerals == {"tin": ("ore", "metal"), "lead": ("galena", "bullion")}
    assert set(world.consumers["JPN"]) == {"metal", "bullion"}
    assert set(world.demand["growth"]) == {"tin", "lead"}


def test_a_name_in_two_files_is_refused_with_both():
    found = problem(**two_minerals(LEAD.replace("pit:", "mine:")))
    assert (found.file, found.address) == ("configs/minerals/lead.yaml", "facilities.mine")
    assert f"'mine' stands in {MINERAL}, line {line_of('  mine:', TIN)}, too" in found.message


# -- units of a material --


def test_a_material_may_be_written_in_its_own_unit():
    edits = [(MINERAL, "process: mining, throughput: 10 kt/yr", "process: mining, throughput: 12.5 kt_oxide/yr")]
    mine = tiny_plan(edits=edits).scenarios[0].world.facilities["mine"]
    assert mine.throughput.value == pytest.approx(10_000 / 365.25)


def test_a_range_may_be_written_in_the_units_of_any_material_of_the_process():
    throughput = "{value: 12.5 kt_oxide/yr, low: 12000 t_oxide/yr, high: 13 kt/yr}"
    edits = [(MINERAL, "process: smelting, throughput: 10 kt/yr", f"process: smelting, throughput: {throughput}")]
    number = tiny_plan(edits=edits).scenarios[0].world.facilities["smelter"].throughput
    assert (number.value, number.low, number.high) == pytest.approx((10_000 / 365.25, 9_600 / 365.25, 13_000 / 365.25))


def test_the_unit_of_another_material_is_unknown():
    found = problem(edits=[(MINERAL, "{use: 6 kt/yr,", "{use: 6 kt_oxide/yr,")])
    assert found.address == "consumers.JPN.metal.use"
    assert "'kt_oxide/yr' is not a unit of this kind" in found.message


# -- extends --


def test_a_scenario_extends_bundles_left_to_right_and_then_says_its_own():
    files = {
        "configs/policies/controls.yaml": as_yaml(
            {
                "title": "Controls",
                "counterfactual": True,
                "policies": {"ban": {"type": "export_ban", "from": "CHN", "when": {"above": 2, "for": "30 d"}}},
                "change": {"behaviour.theta": 0.2, "behaviour.phi_s": 0.4},
            }
        ),
    }
    scenario = embargo(
        "title: Embargo\nextends: [baseline, controls]\n"
        "change: {behaviour.theta: 0.25}\npolicies: {ban: {when: {above: 3}}}\n",
        files=files,
    )
    assert scenario.policies["ban"] == {
        "type": "export_ban",
        "from": "CHN",
        "when": {"above": 3, "for": "30 d"},
    }
    assert scenario.world.behaviour.theta.value == 0.25
    assert scenario.world.behaviour.phi_s.value == 0.4
    assert scenario.counterfactual
    assert scenario.question == "What happens if nothing changes?"
    changed = [(change.address, change.file, change.line) for change in scenario.changes]
    assert ("policies.ban.when.above", EMBARGO, 4) in changed
    assert ("behaviour.theta", EMBARGO, 3) in changed


def test_a_number_mapping_of_a_policy_is_replaced_whole():
    controls = {
        "title": "C",
        "policies": {"ban": {"approval": {"value": "25 %", "low": "10 %", "high": "40 %"}}},
    }
    scenario = embargo(
        "title: E\nextends: [controls]\npolicies: {ban: {approval: {value: 0 %, source: survey}}}\n",
        files={"configs/policies/controls.yaml": as_yaml(controls)},
    )
    assert scenario.policies["ban"]["approval"] == {"value": "0 %", "source": "survey"}


def test_a_new_source_of_a_policy_drops_year_and_note_of_the_old():
    controls = {"title": "C", "policies": {"ban": {"source": "survey", "year": 2025, "note": "n", "rate": 1}}}
    scenario = embargo(
        "title: E\nextends: [baseline, controls]\npolicies: {ban: {source: assumption, rate: 2}}\n",
        files={"configs/policies/controls.yaml": as_yaml(controls)},
    )
    assert scenario.policies["ban"] == {"source": "assumption", "rate": 2}


def test_a_file_extended_twice_counts_once_where_it_first_stands():
    files = {
        "configs/policies/base.yaml": "title: B\nchange: {behaviour.theta: 0.1}\n",
        "configs/policies/left.yaml": "title: L\nextends: base\nchange: {behaviour.theta: 0.2}\n",
        "configs/policies/right.yaml": "title: R\nextends: base\n",
    }
    scenario = embargo("title: E\nextends: [left, right]\n", files=files)
    assert scenario.world.behaviour.theta.value == 0.2
    assert [change.new["value"] for change in scenario.changes] == [0.1, 0.2]


def test_scenarios_come_before_bundles_of_the_same_name():
    files = {"configs/policies/baseline.yaml": "title: Not this one\ncounterfactual: true\n"}
    assert not embargo("title: E\nextends: baseline\n", files=files).counterfactual


def test_a_circle_is_refused_and_shown():
    files = {"configs/policies/x.yaml": "title: X\nextends: embargo\n"}
    found = problem(files={EMBARGO: "title: E\nextends: x\n", **files}, edits=[BOTH])
    assert "embargo -> x -> embargo" in found.message
    assert found.file == "configs/policies/x.yaml"


def test_an_unknown_base_is_refused():
    found = problem(files={EMBARGO: "title: E\nextends: [basline]\n"}, edits=[BOTH])
    assert (found.address, found.line) == ("extends.0", 2)
    assert "Did you mean 'baseline'?" in found.message


# -- change --


def test_a_plain_value_in_place_of_a_range_is_certain_and_an_assumption():
    scenario = embargo("title: E\nextends: baseline\nchange: {materials.ore.supplier_cover: 33 d}\n")
    number = scenario.world.materials["ore"].supplier_cover
    assert (number.value, number.low, number.source) == (33.0, None, "assumption")
    assert number.note == f"set by {EMBARGO}"
    (change,) = scenario.changes
    assert (change.address, change.file, change.line) == ("materials.ore.supplier_cover", EMBARGO, 3)
    assert change.old == {"value": "30 d", "low": "20 d", "high": "45 d", "source": "assumption"}


def test_a_plain_value_in_place_of_a_sourced_one_is_an_assumption():
    number = embargo("title: E\nchange: {facilities.mine.throughput: 9 kt/yr}\n").world.facilities["mine"].throughput
    assert (number.source, number.year) == ("assumption", None)


def test_a_mapping_replaces_whole():
    value = "{value: 9 kt/yr, low: 8 kt/yr, high: 10 kt/yr, source: survey}"
    number = embargo(f"title: E\nchange:\n  facilities.mine.throughput: {value}\n").world.facilities["mine"].throughput
    assert (number.source, number.uncertain) == ("survey", True)


def test_the_base_world_is_not_changed_by_a_scenario():
    plan = tiny_plan(files={EMBARGO: "title: E\nchange: {behaviour.theta: 0.3}\n"}, edits=[BOTH])
    assert [scenario.world.behaviour.theta.value for scenario in plan.scenarios] == [0.15, 0.3]


def test_scenarios_that_differ_in_policies_only_share_a_world():
    plan = tiny_plan(policies={"ban": {"type": "export_ban"}})
    assert plan.scenarios[0].world is plan.scenarios[1].world


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "consumers.JPM.metal.cover",
            "got 'JPM'. Not known in 'consumers'. Did you mean 'JPN'? Allowed are JPN, USA.",
        ),
        ("consumers.JPN.metal.covr", "got 'covr'. Not known in 'consumers.JPN.metal'. Did you mean 'cover'?"),
        ("consumer.JPN.metal.cover", "Not known at the start of an address. Did you mean 'consumers'?"),
        ("facilities.mine.utilization", "Did you mean 'utilisation'?"),
        ("facilities.mine.throughput.hihg", "Did you mean 'high'? Allowed are value, low, high, dist."),
        ("behaviour", "Name one value in it, such as behaviour.theta."),
        ("policies.ban.approval", "got 'ban'. No scenario here has such a policy."),
        ("horizon.end", "Not known at the start of an address."),
    ],
)
def test_an_unknown_address_is_refused_with_what_is_known(address, message):
    found = problem(files={EMBARGO: f"title: E\nextends: baseline\nchange:\n  {address}: 1\n"}, edits=[BOTH])
    assert (found.file, found.line, found.address) == (EMBARGO, 4, address)
    assert message in found.message


def test_a_wrong_value_is_refused_where_it_is_set():
    found = problem(files={EMBARGO: "title: E\nchange:\n  consumers.JPN.metal.cover: 60\n"}, edits=[BOTH])
    assert (found.file, found.line, found.address) == (EMBARGO, 3, "consumers.JPN.metal.cover")
    assert found.message == "got '60'. A duration needs a unit; write '60 d'."


def test_find_near_says_nothing_of_a_known_address():
    tree = tiny_plan().scenarios[0].tree
    assert find_near("consumers.JPN.metal.cover", tree) is None
    assert "Did you mean 'cover'?" in find_near("consumers.JPN.metal.covers", tree)


def test_an_experiment_changes_all_scenarios():
    edits = [BOTH, (EXPERIMENT, "seed: 1", "seed: 1\nchange: {behaviour.theta: 0.3}")]
    plan = tiny_plan(files={EMBARGO: "title: E\nextends: baseline\n"}, edits=edits)
    assert [scenario.world.behaviour.theta.value for scenario in plan.scenarios] == [0.3, 0.3]
    assert plan.scenarios[0].changes[0].file == EXPERIMENT


# -- --set --

BAN = {"ban": {"type": "export_ban", "start": "2025-04-04"}}


def test_an_override_comes_after_files():
    edits = [(EXPERIMENT, "seed: 1", "seed: 1\nchange: {behaviour.theta: 0.3}")]
    scenario = tiny_plan(edits=edits, overrides=["behaviour.theta=0.4"]).scenarios[0]
    assert scenario.world.behaviour.theta.value == 0.4
    assert scenario.changes[-1].file == "command line"


def test_an_override_of_a_policy_concerns_the_scenarios_that_have_it():
    plan = tiny_plan(policies=BAN, overrides=["policies.ban.start=2025-06-01"])
    assert plan.scenarios[0].changes == ()
    assert str(plan.scenarios[1].policies["ban"]["start"]) == "2025-06-01"


def test_an_override_of_a_policy_nobody_has_is_refused():
    found = problem(policies=BAN, overrides=["policies.bann.start=2025-06-01"])
    assert found.message == "got 'bann'. No scenario here has such a policy. Did you mean 'ban'? Allowed are ban."
    assert (found.file, found.line) == ("command line", None)


def test_a_key_the_policy_does_not_state_is_left_to_its_class():
    plan = tiny_plan(policies=BAN, overrides=["policies.ban.approval=10 %"])
    assert plan.scenarios[1].policies["ban"]["approval"] == "10 %"


def test_overrides_of_the_run():
    plan = tiny_plan(
        overrides=["horizon.end=2027-06-30", "demand=growth", "switches.noise=true", "horizon.review=10 d"]
    )
    experiment = plan.experiment
    assert (str(experiment.horizon.end), experiment.demand, experiment.switches.noise) == (
        "2027-06-30",
        "growth",
        True,
    )
    assert experiment.horizon.review.value == 10.0
    assert plan.resolved["experiment"]["horizon"]["end"] == "2027-06-30"


def test_an_optional_value_may_be_set_though_no_file_states_it():
    plan = tiny_plan(overrides=["facilities.mine.utilisation=70 %"])
    assert plan.scenarios[0].world.facilities["mine"].utilisation.value == 0.7


def test_a_part_of_a_number_may_be_set():
    plan = tiny_plan(overrides=["materials.ore.supplier_cover.high=60 d", "facilities.mine.throughput.note=checked"])
    world = plan.scenarios[0].world
    assert (world.materials["ore"].supplier_cover.low, world.materials["ore"].supplier_cover.high) == (
        20.0,
        60.0,
    )
    assert world.facilities["mine"].throughput.note == "checked"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("novalue", "Write ADDRESS=VALUE"),
        ("=3", "Write ADDRESS=VALUE"),
        ("behaviour.theta=[", "not YAML"),
        ("switches.nois=true", "Did you mean 'noise'?"),
        ("horizon=3", "Name one value"),
        ("demand.x=3", "got 'x'"),
        ("policies.ban=3", "A policy is a mapping"),
        ("foo=3", "Allowed are behaviour, materials"),
        ("horizon.end=2020-01-01", "Must be after the start"),
    ],
)
def test_a_wrong_override_is_refused(text, message):
    found = problem(policies=BAN, overrides=[text])
    assert message in found.message
    assert found.file == "command line"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=60 d", "60 d"),
        ("a.b=0.5", 0.5),
        ("a.b=[JPN, USA]", ["JPN", "USA"]),
        ("a.b={value: 1 d, low: 0 d}", {"value": "1 d", "low": "0 d"}),
        ("a.b=", None),
        ("a.b=x=y", "x=y"),
    ],
)
def test_values_of_overrides_are_yaml(text, value):
    assert read_override(text) == ("a.b", value)


# -- sweep --

SWEEP = (
    EXPERIMENT,
    "seed: 1",
    "seed: 1\nsweep: {consumers.JPN.metal.cover: [30 d, {value: 90 d, source: survey}]}",
)


def test_a_sweep_adds_one_scenario_per_value():
    plan = tiny_plan(files={EMBARGO: "title: E\nextends: baseline\n"}, edits=[BOTH, SWEEP])
    assert [scenario.name for scenario in plan.scenarios] == [
        "baseline", "embargo", "embargo@cover=30 d", "embargo@cover=90 d",
    ]  # fmt: skip
    covers = [scenario.world.consumers["JPN"]["metal"].cover.value for scenario in plan.scenarios]
    assert covers == [60.0, 60.0, 30.0, 90.0]
    assert plan.scenarios[2].changes[-1].file == EXPERIMENT


def test_a_sweep_of_nothing_but_references_varies_them():
    plan = tiny_plan(edits=[SWEEP])
    assert [scenario.name for scenario in plan.scenarios] == [
        "baseline",
        "baseline@cover=30 d",
        "baseline@cover=90 d",
    ]


def test_a_sweep_of_a_policy_varies_the_scenarios_that_have_it():
    sweep = (EXPERIMENT, "seed: 1", "seed: 1\nsweep: {policies.ban.approval: [0 %, 50 %]}")
    plan = tiny_plan(policies={"ban": {"approval": "20 %"}}, edits=[sweep])
    assert [scenario.policies.get("ban", {}).get("approval") for scenario in plan.scenarios] == [
        None,
        "20 %",
        "0 %",
        "50 %",
    ]


def test_a_sweep_of_an_unknown_address_is_refused():
    sweep = (EXPERIMENT, "seed: 1", "seed: 1\nsweep: {consumers.JPN.metal.covr: [30 d]}")
    found = problem(edits=[sweep])
    assert (found.file, found.line) == (EXPERIMENT, 7)


# -- speed and purity --


def test_loading_does_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    path = write_world(tmp_path / "a")
    elsewhere = tmp_path / "b"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert load_plan(path).root == (tmp_path / "a").resolve()
    monkeypatch.chdir(tmp_path / "a")
    assert load_plan(Path("experiments/tiny.yaml")).resolved == load_plan(path).resolved
