"""The scenarios of the story: they load, they fit the world, and their dates are those of the record."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sim.config.load import Plan, load_plan, validate_section
from sim.config.schema import Number, iter_numbers
from sim.engine import Case, lay_out
from sim.policies import REGISTRY, Policy

ROOT = Path(__file__).parents[2]
NAMES = (
    "baseline",
    "controls_suspended",
    "china_controls",
    "framework",
    "framework_end_products_6_months",
    "allied_sourcing",
    "framework_and_allies",
)
APRIL = ("april_licence", "april_licence_magnets")
OCTOBER = ("october_licence", "october_licence_magnets", "extraterritorial_rule")
SIX_MONTHS = dt.date(2026, 4, 28)
"""Last day of the six months that the framework of 28 October 2025 gives itself."""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return load_plan(ROOT / "experiments/us_japan_framework.yaml")


@pytest.fixture(scope="module")
def policies(plan: Plan) -> dict[str, dict[str, Policy]]:
    """Scenario -> its validated policies."""
    return {
        scenario.name: {
            name: validate_section(REGISTRY[raw["type"]], raw, f"policies.{name}", scenario.tree)
            for name, raw in scenario.policies.items()
        }
        for scenario in plan.scenarios
    }


def day(number: Number | None) -> dt.date:
    assert number is not None
    return dt.date.fromordinal(round(number.value))


def latest(number: Number | None) -> float:
    assert number is not None
    return number.value if number.high is None else number.high


# -- the experiment -------------------------------------------------------------------------------------


def test_the_experiment_is_the_one_of_the_question(plan: Plan) -> None:
    experiment = plan.experiment
    assert tuple(scenario.name for scenario in plan.scenarios) == NAMES
    assert experiment.references == ("baseline", "china_controls")
    assert experiment.disruption in APRIL
    assert experiment.replications == 512
    assert (experiment.horizon.start, experiment.horizon.end) == (dt.date(2025, 1, 1), dt.date(2029, 12, 31))
    assert experiment.focus.countries == ("JPN", "USA", "EU27")


def test_only_what_stands_on_controls_in_force_is_marked_counterfactual(plan: Plan) -> None:
    marked = {scenario.name for scenario in plan.scenarios if scenario.counterfactual}
    assert marked == set(NAMES) - {"baseline", "controls_suspended"}


def test_every_scenario_has_a_title_and_a_question(plan: Plan) -> None:
    assert all(scenario.title != scenario.name and scenario.question for scenario in plan.scenarios)


def test_policies_fit_the_world(plan: Plan, policies: dict[str, dict[str, Policy]]) -> None:
    experiment = plan.experiment
    for scenario in plan.scenarios:
        case = Case(
            scenario.name,
            scenario.world,
            policies[scenario.name],
            experiment.horizon,
            experiment.demand,
            experiment.switches,
            experiment.disruption,
            experiment.independent_of,
        )
        lay_out(case)  # raises with every problem of every policy


def test_every_number_of_a_policy_is_sourced_or_a_labelled_assumption(
    plan: Plan, policies: dict[str, dict[str, Policy]]
) -> None:
    for scenario, members in policies.items():
        for name, policy in members.items():
            for number in iter_numbers(policy, f"{scenario}.{name}"):
                assert number.source == "assumption" or number.source in plan.sources, number.address
                if number.source == "assumption":
                    assert number.uncertain or number.note, number.address


def test_every_policy_file_is_used(plan: Plan) -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "configs/scenarios").glob("*.yaml"))
    for path in (ROOT / "configs/policies").glob("*.yaml"):
        assert re.search(rf"\b{path.stem}\b", text), path.stem


# -- dates of the record --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "announced", "start"),
    [
        ("april_licence", dt.date(2025, 4, 4), dt.date(2025, 4, 4)),  # No. 18, no notice
        ("april_licence_magnets", dt.date(2025, 4, 4), dt.date(2025, 4, 4)),
        ("us_concentrate_stop", dt.date(2025, 4, 17), dt.date(2025, 4, 17)),
        ("eased_licence", dt.date(2025, 6, 10), dt.date(2025, 6, 19)),  # London; the ministry's statement
        ("october_licence", dt.date(2025, 10, 9), dt.date(2025, 11, 8)),  # No. 57
        ("october_licence_magnets", dt.date(2025, 10, 9), dt.date(2025, 11, 8)),
        ("extraterritorial_rule", dt.date(2025, 10, 9), dt.date(2025, 12, 1)),  # No. 61
    ],
)
def test_measures_have_the_dates_of_the_record(
    policies: dict[str, dict[str, Policy]], name: str, announced: dt.date, start: dt.date
) -> None:
    for scenario in NAMES[1:]:
        measure = policies[scenario][name]
        assert (day(measure.announced), day(measure.start)) == (announced, start), scenario


def test_the_october_measures_were_withdrawn_before_they_began(policies: dict[str, dict[str, Policy]]) -> None:
    for name in OCTOBER:
        assert day(policies["controls_suspended"][name].end) == dt.date(2025, 11, 7)  # No. 70
        assert policies["china_controls"][name].end is None


def test_general_licences_belong_to_what_happened_only(policies: dict[str, dict[str, Policy]]) -> None:
    having = {scenario for scenario, members in policies.items() if "general_licence" in members}
    assert having == {"controls_suspended"}
    assert day(policies["controls_suspended"]["general_licence"].start) == dt.date(2025, 12, 19)


def test_regimes_of_licences_follow_one_another_without_a_gap(policies: dict[str, dict[str, Policy]]) -> None:
    """A gap in what is announced would look like news when it closes."""
    for suffix in ("", "_magnets"):
        real = policies["controls_suspended"]
        april, eased, general = (real[f"{name}_licence{suffix}"] for name in ("april", "eased", "general"))
        assert day(eased.announced) < day(eased.start) == day(april.end)
        assert day(general.announced) < day(general.start) == day(eased.end)


def test_scenarios_share_their_luck(policies: dict[str, dict[str, Policy]]) -> None:
    """Measures of one name are the same measure, so that their draws are too, but for what a what-if changes."""
    for name in (*APRIL, "us_concentrate_stop"):
        assert all(policies[scenario][name] == policies["china_controls"][name] for scenario in NAMES[1:])
    for name, policy in policies["china_controls"].items():
        assert all(policies[scenario][name] == policy for scenario in NAMES[3:]), name


# -- what the controls cover ------------------------------------------------------------------------------


def test_ndpr_oxide_stays_free(policies: dict[str, dict[str, Policy]]) -> None:
    for members in policies.values():
        for name, policy in members.items():
            if policy.type in ("export_licence", "extraterritorial_rule"):
                assert set(policy.material) <= {"dytb_oxide", "magnets"}, name  # type: ignore[attr-defined]


def test_april_review_is_the_statutory_one_counted_once(policies: dict[str, dict[str, Policy]]) -> None:
    for name in APRIL:
        licence = policies["controls_suspended"][name]
        assert licence.delay.value == pytest.approx(63)  # type: ignore[attr-defined]
        assert all(1 <= each.low <= each.high <= 1.2 for each in licence.applications.values())  # type: ignore[attr-defined]


def test_no_lasting_share_stays_below_one(policies: dict[str, dict[str, Policy]]) -> None:
    for name in OCTOBER:
        path = policies["china_controls"][name].applications  # type: ignore[attr-defined]
        last = path[max(path)]
        assert path[min(path)].value < 1 < last.value and last.low >= 1


# -- the framework ----------------------------------------------------------------------------------------


def _projects(policies: dict[str, Policy]) -> dict[str, Policy]:
    return {name: policy for name, policy in policies.items() if policy.type == "project_of_interest"}


def test_projects_are_decided_within_six_months(policies: dict[str, dict[str, Policy]]) -> None:
    projects = _projects(policies["framework"])
    assert projects
    for project in projects.values():
        assert latest(project.start) <= SIX_MONTHS.toordinal()
        assert day(project.announced) >= dt.date(2025, 10, 28)


def test_first_end_products_come_within_six_months_from_a_plant_that_was_being_built(
    policies: dict[str, dict[str, Policy]],
) -> None:
    before = _projects(policies["framework"])["stillwater"]
    what_if = _projects(policies["framework_end_products_6_months"])["stillwater"]
    assert latest(what_if.start) + latest(what_if.lead_time) <= SIX_MONTHS.toordinal()  # type: ignore[attr-defined]
    assert before.start.value + before.lead_time.value > SIX_MONTHS.toordinal()  # type: ignore[attr-defined, union-attr]
    assert what_if.capacity == before.capacity  # type: ignore[attr-defined]


def test_money_is_shared_out_whole(policies: dict[str, dict[str, Policy]]) -> None:
    for name, project in _projects(policies["framework_and_allies"]).items():
        assert sum(each.value for each in project.sponsors.values()) == pytest.approx(1), name  # type: ignore[attr-defined]
        for shares in (*project.suppliers.values(), *project.customers.values()):  # type: ignore[attr-defined]
            assert sum(each.value for each in shares.values()) == pytest.approx(1), name


def test_all_of_it_is_all_of_it(policies: dict[str, dict[str, Policy]]) -> None:
    everything = set(policies["framework_end_products_6_months"]) | set(policies["allied_sourcing"])
    assert set(policies["framework_and_allies"]) == everything


# -- the table --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_page_of_experiments_has_a_row_for_each_scenario(path: Path) -> None:
    """What, when, who, source; a scenario that several experiments share may stand in the table of any of them."""
    text = (ROOT / "experiments/README.md").read_text(encoding="utf-8")
    assert re.search(rf"^## .*`{path.stem}`", text, flags=re.M)
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)\|$", text, flags=re.M))
    names = YAML(typ="safe").load(path.read_text(encoding="utf-8"))["scenarios"]
    assert [name for name in names if name not in rows and name != "baseline"] == []
    assert all(rows[name].count("|") == 3 for name in names if name in rows)
