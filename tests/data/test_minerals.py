"""Each mineral by itself: its numbers are sourced, its chain closes, its countries make what was published.

The published figures stand here a second time, so that a slip in a configuration file cannot hide.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from sim.cases import load, prepare
from sim.config.load import Plan, load_plan
from sim.config.schema import iter_numbers
from sim.describe import DAYS_PER_YEAR, Described
from sim.engine import Case, run_block

ROOT = Path(__file__).parents[2]
MINERALS = sorted(path.stem for path in (ROOT / "configs/minerals").glob("*.yaml"))

EXPERIMENT = """\
title: The configured world
question: Is every number sourced, and does the chain close?
world: [{world}]
horizon: {{start: 2025-01-01, end: 2025-12-31, review: 7 d}}
demand: iea_steps
replications: 32
seed: 1
references: [bare]
scenarios: [bare]
focus: {{countries: [JPN, USA, EU27]}}
"""

MINED = {
    "antimony": {"CHN": 40_000, "RUS": 40_000, "TJK": 22_000, "BOL": 5_300, "MMR": 4_500, "TUR": 3_000},
    "cobalt": {"COD": 226_000, "IDN": 35_000, "RUS": 8_000, "AUS": 4_780, "CUB": 3_450, "CAN": 3_350, "MDG": 3_100,
               "PHL": 3_100, "PNG": 2_630, "TUR": 2_200, "CHN": 2_000},
    "gallium": {"CHN": 839},
    "graphite": {"CHN": 1_270_000, "MDG": 85_000, "BRA": 58_000, "MOZ": 39_000},
    "lithium": {"AUS": 82_700, "CHL": 48_900, "CHN": 41_400, "ZWE": 20_000, "ARG": 13_800, "BRA": 10_200, "CAN": 4_820},
    "nickel": {"IDN": 2_310_000, "PHL": 354_000, "RUS": 205_000, "CAN": 125_000, "NCL": 116_000, "CHN": 115_000,
               "AUS": 98_000, "BRA": 67_500},
    "tungsten": {"CHN": 67_000, "VNM": 3_400, "PRK": 1_900, "BOL": 1_700, "RUS": 1_500},
}  # fmt: skip
"""US Geological Survey, Mineral Commodity Summaries 2026: mine output of 2024, t contained (gallium: crude)."""

REFINED = {
    "cobalt": {"CHN": 196_143, "JPN": 5_648.7},
    "lithium": {"CHN": 169_678, "CHL": 49_274, "ARG": 13_177, "AUS": 4_333},
}
"""International Energy Agency, Critical Minerals Data Explorer 2025: refined in 2024, t contained."""

NOT_MINED = ("recycling", "scrap", "other_feed", "synthesis", "lead_smelting")
"""Parts of the names of processes without inputs that are not mines."""


def experiment(root: Path, world: str) -> Path:
    shutil.copytree(ROOT / "configs", root / "configs")
    (root / "configs/scenarios/bare.yaml").write_text("title: No policies\n", encoding="utf-8")
    (root / "experiments").mkdir()
    path = root / "experiments/world.yaml"
    path.write_text(EXPERIMENT.format(world=world), encoding="utf-8")
    return path


@pytest.fixture(scope="module", params=MINERALS)
def plan(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return load_plan(experiment(tmp_path_factory.mktemp("world"), request.param))


@pytest.fixture(scope="module")
def case(plan: Plan) -> Case:
    return prepare(plan, balanced=True)[0]


def made(plan: Plan, case: Case, mined: bool) -> dict[str, float]:
    """Return t/yr of the first stage (mined) or of the refined material by country, at central values."""
    world = Described.of(plan, case)
    network, found = world.network, {}
    for i, row in enumerate(network.suppliers):
        if row.stockpile:
            continue
        process = network.blueprint.facilities[row.owner].process
        mine = not network.world.processes[process].inputs and not any(part in process for part in NOT_MINED)
        if mine if mined else row.material in ("refined_cobalt", "lithium_chemicals"):
            found[row.country] = found.get(row.country, 0.0) + float(world.sales[i]) * DAYS_PER_YEAR
    return found


def test_every_number_has_a_source_and_every_assumption_a_range_or_a_reason(plan: Plan) -> None:
    for number in iter_numbers(plan.scenarios[0].world):
        assert number.source == "assumption" or number.source in plan.sources, number.address
        assert number.source != "assumption" or number.low is not None or number.note, number.address


def test_countries_mine_what_was_published(plan: Plan, case: Case) -> None:
    (mineral,) = case.world.minerals
    if mineral not in MINED:
        pytest.skip("no table of mines by country here")
    mined = made(plan, case, mined=True)
    for country, tonnes in MINED[mineral].items():
        assert mined[country] == pytest.approx(tonnes, rel=5e-3), country


def test_countries_refine_what_was_published(plan: Plan, case: Case) -> None:
    (mineral,) = case.world.minerals
    if mineral not in REFINED:
        pytest.skip("no table of refiners by country here")
    refined = made(plan, case, mined=False)
    for country, tonnes in REFINED[mineral].items():
        assert refined[country] == pytest.approx(tonnes, rel=5e-3), country


def test_a_calm_year_is_near_normal(plan: Plan, case: Case) -> None:
    """With outages and noise and no policy: prices not far from normal on average, hardly a day of shortage."""
    world = Described.of(plan, case)
    buying = np.unique(world.network.buyer_group[(world.requirement > 0) & (world.network.buyer_group >= 0)])
    block = run_block(case, 1, 0, 32)
    assert block.unconverged == 0
    price = block.recorder.price_sum.mean(axis=1) / (case.calendar.reviews * float(case.calendar.review))
    assert (price[buying] > 0.9).all() and (price[buying] < 1.15).all()
    short = np.median(block.recorder.short_days, axis=1)
    assert (short < 1.0).all()


def test_all_minerals_make_one_world(tmp_path: Path) -> None:
    _, (case,) = load(experiment(tmp_path, ", ".join(MINERALS)), balanced=True)
    assert set(case.world.minerals) == set(MINERALS)
