"""Rules that span records: each refuses one thing, where it stands, and passes what is right."""

import pytest

from sim.config import check
from sim.config.schema import Source
from sim.errors import ConfigError
from tests.worlds import tiny_plan

MINERAL = "configs/minerals/tin.yaml"
EXPERIMENT = "experiments/tiny.yaml"
BEHAVIOUR = "configs/behaviour/default.yaml"
COUNTRIES = "configs/countries.yaml"


def refused(*edits, file=MINERAL):
    """Return address -> message of what is refused after edits of one file."""
    with pytest.raises(ConfigError) as caught:
        tiny_plan(edits=[(file, *edit) for edit in edits])
    assert all(problem.file and problem.line for problem in caught.value.problems), caught.value.problems
    return {problem.address: problem.message for problem in caught.value.problems}


CASES = [
    # names
    ("  everywhere: {", "  every.where: {", "transit.every.where", "A name may hold letters, digits"),
    ("  mine: {", "  JPN: {", "facilities.JPN", "is the name of a country or bloc, too"),
    # references
    ("country: MYS", "country: MYZ", "facilities.smelter.country", "Did you mean 'MYS'?"),
    ("country: CHN,", "country: CHN, owner_country: CHM,",
     "facilities.mine.owner_country", "Did you mean 'CHN'?"),
    ("  USA:\n", "  USB:\n", "consumers.USB", "got 'USB'. Not a country of this world. Did you mean 'USA'?"),
    ("process: mining", "process: minin",
     "facilities.mine.process", "Not a process of this world. Did you mean 'mining'?"),
    ("outputs: {metal: 1}", "outputs: {metal: 1, slag: 1}",
     "processes.smelting.outputs.slag", "Not a material of this world."),
    ("  ore: {home_preference: 1}", "  ore: {home_preference: 1}\n  ores: {home_preference: 1}",
     "trade.ores", "Did you mean 'ore'?"),
    ("everywhere: {days", "everywhere: {material: metel, days",
     "transit.everywhere.material", "Did you mean 'metal'?"),
    ("everywhere: {days", "everywhere: {origin: [allys], days",
     "transit.everywhere.origin", "Did you mean 'allies'?"),
    ("  ore: {home_preference: 1}", "  ore: {home_preference: 1, sources: {smeltr: {mine: 1}}}",
     "trade.ore.sources.smeltr", "Not a country, bloc or facility of this world. Did you mean 'smelter'?"),
    ("  ore: {home_preference: 1}", "  ore: {home_preference: 1, sources: {smelter: {mime: 1}}}",
     "trade.ore.sources.smelter.mime", "Did you mean 'mine'?"),
    # the chain
    ("  ore: {home_preference: 1}\n", "", "trade.ore", "missing. Give at least its 'home_preference'."),
    ("  ore: {home_preference: 1}", "  ore: {home_preference: 1, sources: {MYS: {mine: 70 %, CHN: 40 %}}}",
     "trade.ore.sources.MYS", "got shares of purchases that add up to 1.1."),
    ("outputs: {metal: 1}", "outputs: {metal: remainder, ore: remainder}",
     "processes.smelting.outputs", "got 2 remainders."),
    ("outputs: {metal: 1}", "outputs: {metal: remainder, ore: 1.5}",
     "processes.smelting.outputs", "leave nothing for the remainder"),
    ("outputs: {ore: 1}", "outputs: {}", "processes.mining.outputs", "a process needs an output."),
    ("value_share: 60 %", "value_share: {value: 60 %, low: 50 %, high: 100 %}",
     "processes.smelting.inputs", "Must stay below 1."),
    ("amount: 1,", "amount: solved,",
     "processes.smelting.inputs.ore.amount", "demand_closed_by is not 'input:smelting'"),
    ("outputs: {metal: 1}", "outputs: {metal: solved}",
     "processes.smelting.outputs.metal", "supply_closed_by is not 'output:smelting'"),
    ("    basis: t Sn\n", "    basis: t Sn\n    supply_closed_by: output:smelting\n",
     "materials.metal.supply_closed_by", "its amount is given in processes.smelting.outputs.metal"),
    ("    basis: t Sn\n", "    basis: t Sn\n    supply_closed_by: output:smeltin\n",
     "materials.metal.supply_closed_by", "Did you mean 'smelting'?"),
    ("    basis: t Sn\n",
     "    basis: t Sn\n    supply_closed_by: scaled\n",
     "materials.metal.supply_closed_by",
     "Allowed are scale, facility:NAME, output:PROCESS. Did you mean 'scale'?"),
    ("    basis: t Sn\n", "    basis: t Sn\n    demand_closed_by: facility:mine\n",
     "materials.metal.demand_closed_by", "which does not take in 'metal'."),
    ("process: mining, throughput: 10 kt/yr", "process: mining",
     "facilities.mine", "missing. Give 'throughput' or 'share'"),
    ("process: mining, throughput: 10 kt/yr", "process: mining, throughput: 10 kt/yr, share: 1",
     "facilities.mine", "got throughput and share."),
    ("process: mining, throughput: 10 kt/yr", "process: mining, share: 1",
     "facilities.mine.share", "a share of what?"),
    ("    basis: t Sn\n", "    basis: t Sn\n    supply_closed_by: facility:smelter\n",
     "facilities.smelter", "got throughput and the closing of a material."),
    ("process: mining, throughput: 10 kt/yr",
     "process: mining, throughput: 10 kt/yr, customers: {ore: {MYS: 1}}",
     "facilities.mine.customers",
     "only a plant that 'opens' names its customers"),
    ("process: mining, throughput: 10 kt/yr",
     "process: mining, throughput: 10 kt/yr, opens: 2026-01-01, customers: {metal: {MYS: 1}}",
     "facilities.mine.customers.metal",
     "Not in the outputs of its process."),
    # buyers
    ("solder: 60 %", "solder: 60 %, arms: 50 %",
     "consumers.USA.metal.sectors", "got shares of sectors that add up to 1.1."),
    ("transit:\n", "stockpiles:\n  reserve: {title: r, country: JPN, material: metal}\ntransit:\n",
     "stockpiles.reserve", "give either 'holding' (days of use) or 'tonnes'."),
    ("transit:\n",
     "stockpiles:\n  reserve: {title: r, country: JPN, material: ore, holding: 60 d}\ntransit:\n",
     "stockpiles.reserve.holding",
     "Nobody in JPN uses 'ore'"),
    ("units: {t_oxide: 0.8}", "units: {kt: 0.8}", "materials.ore.units.kt", "which is a unit already"),
    ("units: {t_oxide: 0.8}", "units: {t_oxide: 0}", "materials.ore.units.t_oxide", "must be greater than 0"),
    ("units: {t_oxide: 0.8}", "units: {t-oxide: 1}", "materials.ore.units.t-oxide", "A unit is one word"),
    # hazards
    ("transit:\n",
     "hazards:\n  outages:\n    minig: {time_to_failure: {mean: 1 yr}, repair_time: {mean: 9 d}, "
     "severity: 1}\ntransit:\n",
     "hazards.outages.minig",
     "Not a process or facility of this world. Did you mean 'mining'?"),
    ("transit:\n",
     "hazards:\n  shocks:\n    flood: {countries: CHM, processes: mining, time_to_failure: {mean: 1 "
     "yr}, repair_time: {mean: 9 d}, severity: 1}\ntransit:\n",
     "hazards.shocks.flood.countries",
     "Did you mean 'CHN'?"),
    # demand
    ("2035: 140", "2035: 0", "demand.growth.tin.years", "demand must be above 0 in every year."),
    ("2025: 100, 2035: 140", "2025: 100", "demand.growth.tin.years", "Give two or more"),
    # sources
    ("source: survey\nyear: 2024\n", "",
     "facilities.mine.throughput", "no source. Name a key of configs/sources.yaml"),
    ("source: survey\n", "source: surve\n",
     "facilities.mine.throughput", "got source 'surve'. Not a key of configs/sources.yaml."),
    ("source: survey\n", "source: assumption\n",
     "facilities.mine.throughput", "needs a 'note' with the reason."),
    ("low: 20 d, high: 45 d", "low: 30 d, high: 30 d",
     "materials.ore.supplier_cover", "needs a 'note' with the reason."),
    # reviews
    ("low: 20 d", "low: 13 d", "materials.ore.supplier_cover", "got 13 d. Needs 14 d or more, two reviews."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "address", "message"), CASES)
def test_a_wrong_world_is_refused(old, new, address, message):
    assert message in refused((old, new))[address]


@pytest.mark.parametrize(
    ("old", "new", "address", "message"),
    [
        (
            "[0.2, 0.5, 0.3]",
            "[0.2, 0.5, 0.4]",
            "behaviour.class_shares",
            "add up to 1.1. They must add up to 1.",
        ),
        ("[0.2, 0.5, 0.3]", "[0.5, 0.5]", "behaviour.class_covers", "got 3 covers for 2 shares."),
        ("[0.33, 0.88, 1.65]", "[0.33, 0.88, 2.0]", "behaviour.class_covers", "It must be 1 within 1 %."),
        ("[0.2, 0.5, 0.3]", "[-0.2, 0.9, 0.3]", "behaviour.class_shares", "must be at least 0."),
    ],
)
def test_wrong_cover_classes_are_refused(old, new, address, message):
    assert message in refused((old, new), file=BEHAVIOUR)[address]


@pytest.mark.parametrize(
    ("old", "new", "address", "message"),
    [
        ("end: 2026-12-31", "end: 2025-01-01", "horizon.end", "Must be after the start, 2025-01-01."),
        ("review: 7 d", "review: 3.5 d", "horizon.review", "got 3.5 d. A review is a whole number of days"),
        ("review: 7 d", "review: 0 d", "horizon.review", "A review is a whole number of days, 1 or more."),
        ("seed: 1", "seed: 1\ndemand: grwth", "demand", "Allowed are flat, growth. Did you mean 'growth'?"),
        ("references: [baseline]", "references: [basline]", "references.0", "Did you mean 'baseline'?"),
        ("scenarios: [baseline]", "scenarios: [baseline, baseline]", "scenarios.1", "got 'baseline' twice."),
        ("seed: 1", "seed: 1\ndisruption: ban", "disruption", "No scenario has such a policy."),
        ("[JPN, USA]", "[JPN, USB]", "focus.countries.1", "Did you mean 'USA'?"),
        ("[JPN, USA]", "[JPN], materials: [metals]", "focus.materials.0", "Did you mean 'metal'?"),
    ],
)
def test_a_wrong_experiment_is_refused(old, new, address, message):
    assert message in refused((old, new), file=EXPERIMENT)[address]


def test_a_bloc_of_unknown_countries_is_refused():
    assert "Did you mean 'JPN'?" in refused(("[JPN, USA]", "[JPM, USA]"), file=COUNTRIES)["blocs.allies"]


def test_a_disruption_may_be_a_policy_of_any_scenario():
    plan = tiny_plan(
        policies={"ban": {"type": "export_ban"}}, edits=[(EXPERIMENT, "seed: 1", "seed: 1\ndisruption: ban")]
    )
    assert plan.experiment.disruption == "ban"


def test_a_material_nobody_makes_or_uses_is_refused():
    edit = (
        "processes:\n",
        "  slag: {title: s, basis: t, price: 1 USD/t, supplier_cover: 30 d}\nprocesses:\n",
    )
    with pytest.raises(ConfigError) as caught:
        tiny_plan(edits=[(MINERAL, *edit)])
    messages = [problem.message for problem in caught.value.problems if problem.address == "materials.slag"]
    assert len(messages) == 2
    assert any("no facility makes" in message for message in messages)
    assert any("no facility or consumer uses" in message for message in messages)


def test_a_closed_chain_with_solved_amounts_is_accepted():
    edits = [
        ("    basis: t Sn\n", "    basis: t Sn\n    total: 10 kt/yr\n"),
        ("    basis: t contained Sn\n", "    basis: t contained Sn\n    demand_closed_by: input:smelting\n"),
        ("amount: 1,", "amount: solved,"),
        ("process: smelting, throughput: 10 kt/yr", "process: smelting, share: 100 %"),
    ]
    process = tiny_plan(edits=[(MINERAL, *edit) for edit in edits]).scenarios[0].world.processes["smelting"]
    assert process.inputs["ore"].amount == "solved"


def test_a_facility_that_closes_a_material_states_nothing():
    edits = [
        (
            "    basis: t contained Sn\n",
            "    basis: t contained Sn\n    demand_closed_by: facility:smelter\n",
        ),
        ("process: smelting, throughput: 10 kt/yr", "process: smelting"),
    ]
    assert (
        tiny_plan(edits=[(MINERAL, *edit) for edit in edits]).scenarios[0].world.facilities["smelter"].throughput
        is None
    )


def test_a_plant_that_opens_later_names_suppliers_and_customers():
    plant = (
        "  new: {title: n, country: JPN, process: smelting, throughput: 1 kt/yr, opens: 2026-01-01,\n"
        "    ramp: 90 d, suppliers: {ore: {mine: 1}}, customers: {metal: {JPN: 1}}}\n"
    )
    plan = tiny_plan(edits=[(MINERAL, "consumers:\n", plant + "consumers:\n")])
    assert plan.scenarios[0].world.facilities["new"].opens is not None


def test_all_rules_are_run():
    rules = {name for name in vars(check) if name.startswith("check_")} - {"check_world", "check_plan"}
    assert {rule.__name__ for rule in (*check.WORLD_RULES, *check.PLAN_RULES)} == rules


def test_the_rules_pass_the_tiny_world():
    plan = tiny_plan()
    case = check.Case(plan.scenarios[0].world, plan.experiment, plan.sources, {"baseline": ()})
    assert [*check.check_world(case), *check.check_plan(case)] == []


def test_a_source_that_is_not_listed_is_refused():
    plan = tiny_plan()
    other = {"other": Source(citation="Another survey.", grade="industry", year=2024)}
    case = check.Case(plan.scenarios[0].world, plan.experiment, other, {"baseline": ()})
    assert any("got source 'survey'" in problem.message for problem in check.check_sources(case))
