"""Each mineral by itself: its numbers are sourced and dated, its chain closes, its countries make what was published.

The published figures stand here a second time, so that a slip in a configuration file cannot hide. Mined and refined
tonnes are held to 0.5 %; where no table of tonnes exists, a share is held to the span that the sources leave.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sim.balance import balance
from sim.cases import load, prepare
from sim.config.load import Plan, load_plan
from sim.config.schema import iter_numbers
from sim.describe import DAYS_PER_YEAR, Described
from sim.draws import Draws
from sim.engine import Case, lay_out, run_block
from sim.growth import Growth
from sim.hazards import mean_availability

ROOT = Path(__file__).parents[2]

BESIDE = {"batteries": ["lithium", "nickel", "cobalt", "graphite"]}
"""Files that couple others and cannot be loaded without them."""

MINERALS = sorted((path.stem for path in (ROOT / "configs/minerals").glob("*.yaml")), key=lambda m: (m in BESIDE, m))

NINE = ["antimony", "cobalt", "gallium", "germanium", "graphite", "lithium", "nickel", "rare_earths", "tungsten"]

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

OTHER = "other"
"""All countries that a table does not name."""

ELEMENT = 1.176
"""t of oxide per t of magnet rare-earth element (tests/data/test_sources.py derives it)."""


@dataclass(frozen=True)
class Stage:
    """What countries make at one stage of a chain, t/yr, as published.

    Attributes
    ----------
    materials, processes : tuple
        What is counted together; no processes: all that make the materials.
    withheld : tuple
        Countries that the world total leaves out.
    unit : float
        t of the configured basis per published t.
    """

    title: str
    mineral: str
    materials: tuple[str, ...]
    countries: dict[str, float]
    source: str
    world: float | None = None
    processes: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    unit: float = 1.0


@dataclass(frozen=True)
class Share:
    """A country's share at a stage of which no table of tonnes exists, and why it is not held closer."""

    title: str
    mineral: str
    materials: tuple[str, ...]
    country: str
    low: float
    high: float
    why: str
    processes: tuple[str, ...] = ()


USGS = "US Geological Survey, Mineral Commodity Summaries 2026, output of 2024"
IEA = "International Energy Agency, Critical Minerals Data Explorer, edition of May 2025, output of 2024"
BGS = "British Geological Survey, World Mineral Production 2019-23, output of 2023"

MINED = [
    Stage("antimony mined", "antimony", ("antimony_concentrate",),
          {"CHN": 40_000, "RUS": 40_000, "TJK": 22_000, "BOL": 5_300, "MMR": 4_500, "TUR": 3_000, "AUS": 1_270,
           OTHER: 800 + 700 + 600 + 260 + 220 + 200 + 90 + 50}, USGS, 119_000),
    Stage("cobalt mined", "cobalt", ("cobalt_intermediates",),
          {"COD": 226_000, "IDN": 35_000, "RUS": 8_000, "AUS": 4_780, "CUB": 3_450, "CAN": 3_350, "MDG": 3_100,
           "PHL": 3_100, "PNG": 2_630, "TUR": 2_200, "CHN": 2_000, "USA": 200, OTHER: 7_780}, USGS, 302_000),
    Stage("gallium, crude", "gallium", ("crude_gallium",), {"CHN": 839, "RUS": 6, "JPN": 3}, USGS, 848),
    Stage("natural graphite", "graphite", ("flake_graphite",),
          {"CHN": 1_270_000, "MDG": 85_000, "BRA": 58_000, "MOZ": 39_000, "TZA": 27_000, "RUS": 20_000, "IND": 17_600,
           "CAN": 11_700, "NOR": 5_340, "KOR": 1_000, "EU27": 140 + 100,
           OTHER: 8_100 + 3_000 + 2_600 + 900 + 706 + 500}, USGS, 1_550_000),
    # USGS withholds the United States. China's feed that its table does not count is a process of its own here.
    Stage("lithium mined", "lithium", ("lithium_spodumene", "lithium_brine"),
          {"AUS": 82_700, "CHL": 48_900, "CHN": 41_400, "ZWE": 20_000, "ARG": 13_800, "BRA": 10_200, "CAN": 4_820,
           "EU27": 380, "ROW": 770}, USGS, 222_000,
          processes=("lithium_hard_rock_mining", "lithium_brine_extraction"), withheld=("USA",)),
    Stage("nickel mined", "nickel", ("nickel_ore",),
          {"IDN": 2_310_000, "PHL": 354_000, "RUS": 205_000, "CAN": 125_000, "NCL": 116_000, "CHN": 115_000,
           "AUS": 98_000, "BRA": 67_500, "USA": 7_490, OTHER: 308_000}, USGS, 3_710_000),
    # The IEA's split between Australia (3,234.6) and the rest (7,145.1) contradicts Lynas; its sum stands.
    Stage("magnet rare earths mined", "rare_earths", ("light_concentrate", "heavy_concentrate"),
          {"CHN": 45_787.4, "MMR": 12_072, "USA": 6_859.8, OTHER: 3_234.6 + 7_145.1}, IEA, 75_098.8, unit=ELEMENT),
    Stage("tungsten mined", "tungsten", ("tungsten_concentrate",),
          {"CHN": 67_000, "VNM": 3_400, "PRK": 1_900, "BOL": 1_700, "RUS": 1_500, "RWA": 1_300, "AUS": 920,
           "EU27": 840 + 700 + 650, OTHER: 1_700}, USGS, 82_000),
]  # fmt: skip
"""No table of germanium by mine exists: it comes with zinc and coal, and only its refined output is counted."""

REFINED = [
    Stage("antimony smelted", "antimony", ("refined_antimony",), {"CHN": 66_534, "USA": 588},
          "China Nonferrous Metals Industry Association, metal of 2024; " + USGS, processes=("antimony_smelting",)),
    Stage("antimony recycled with lead", "antimony", ("refined_antimony",), {"USA": 3_330}, USGS,
          processes=("antimony_lead_recycling",)),
    Stage("cobalt refined", "cobalt", ("refined_cobalt",),
          {"CHN": 196_143, "JPN": 5_648.7, "IDN": 2_874, "CAN": 1_753.7, OTHER: 20_119.7 + 23_610.3}, IEA, 250_150),
    Stage("cobalt refined in Finland", "cobalt", ("refined_cobalt",), {"EU27": 20_119.7}, IEA,
          processes=("cobalt_refining", "cobalt_nickel_refining")),
    Stage("gallium, high purity", "gallium", ("refined_gallium",), {},
          "US Geological Survey, Mineral Commodity Summaries 2025, output of 2024", 320),
    Stage("gallium recycled", "gallium", ("refined_gallium",), {"JPN": 167 - 97 - 3, "USA": 18.7 - 11},
          "Japan Organization for Metals and Energy Security, use less imports of 2021, less crude; " + USGS,
          processes=("gallium_recycling",)),
    Stage("germanium refined", "germanium", ("refined_germanium",), {"CHN": 200, "USA": 6, "RUS": 5}, BGS,
          200 / 0.83),  # the world by the European Commission's share of China, 2016 to 2020: BGS lacks four countries
    Stage("anode graphite", "graphite", ("anode_graphite",),
          {"CHN": 1_794_820, "JPN": 44_965.3, "USA": 1_108.7, OTHER: 34_354}, IEA, 1_875_250),
    Stage("lithium chemicals", "lithium", ("lithium_chemicals",),
          {"CHN": 169_678, "CHL": 49_274.2, "ARG": 13_177, "AUS": 4_333.2, OTHER: 5_149.7}, IEA, 241_612),
    Stage("nickel refined, all classes", "nickel", ("nickel_class1", "nickel_class2"),
          {"IDN": 1_493_200, "CHN": 1_091_077, "RUS": 126_000, "CAN": 113_100, "AUS": 80_000,
           OTHER: 62_000 + 518_320}, IEA, 3_483_697),
    Stage("nickel refined in Finland, France and Austria", "nickel", ("nickel_class1", "nickel_class2"),
          {"EU27": 62_000 + 0.986 * (7_125 + 800)}, IEA + "; " + BGS + ", at the ratio of the two totals"),
    Stage("nickel pig iron of China", "nickel", ("nickel_class2",), {"CHN": 194_100 * 12 / 7},
          "Shanghai Metals Market, survey of January to July 2024, at a yearly rate"),
]  # fmt: skip
"""Of separated rare earths only the rest of the world stands as the IEA has it; tests/data/test_sources.py holds it."""

SHARES = [
    Share("separated rare earths", "rare_earths", ("ndpr_oxide", "dytb_oxide"), "CHN", 0.895, 0.913,
          "the IEA's 91.3 % is the upper end: Malaysia and the United States stand as their operators report"),
    Share("Dy and Tb oxide", "rare_earths", ("dytb_oxide",), "CHN", 0.95, 0.99,
          "99 % in 2023 (CSIS) and above 90 % of capacity in 2025 (trade press); no tonnes abroad are published"),
    Share("magnets", "rare_earths", ("magnets",), "CHN", 0.92, 0.94,
          "92 % in 2022 by trade compilations, 94 % in 2024 by the IEA"),
    Share("antimony from ore", "antimony", ("refined_antimony",), "CHN", 0.55, 0.85,
          "above 85 % of capacity in 2025 (trade press), but Hunan's private plants used 20 to 30 % of theirs",
          processes=("antimony_smelting",)),
    Share("germanium", "germanium", ("refined_germanium",), "CHN", 0.59, 0.95,
          "59 % (trade press), about 60 % (Critical Raw Materials Alliance), 83 % (European Commission), 95 % (BGS, "
          "which has no rows for Canada, Belgium, Germany and Japan)"),
    Share("ammonium paratungstate from ore", "tungsten", ("tungsten_apt",), "CHN", 0.85, 0.87,
          "86 %, European Commission, average of 2016 to 2020; no table by country exists",
          processes=("tungsten_apt_making",)),
    Share("high-purity gallium", "gallium", ("refined_gallium",), "CHN", 0.4, 0.99,
          "no share is published: China cannot have more than of crude metal (99 %), and others recycle and export"),
]  # fmt: skip


def experiment(root: Path, world: str) -> Path:
    shutil.copytree(ROOT / "configs", root / "configs")
    (root / "configs/scenarios/bare.yaml").write_text("title: No policies\n", encoding="utf-8")
    (root / "experiments").mkdir()
    path = root / "experiments/world.yaml"
    path.write_text(EXPERIMENT.format(world=world), encoding="utf-8")
    return path


@dataclass(frozen=True)
class Loaded:
    plan: Plan
    case: Case
    described: Described


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Loaded]:
    """Return a mineral's file as a world, loaded and balanced once."""
    kept: dict[str, Loaded] = {}

    def load_once(mineral: str) -> Loaded:
        if mineral not in kept:
            world = ", ".join([*BESIDE.get(mineral, []), mineral])
            plan = load_plan(experiment(tmp_path_factory.mktemp("world"), world))
            case = prepare(plan, balanced=True)[0]
            kept[mineral] = Loaded(plan, case, Described.of(plan, case))
        return kept[mineral]

    return load_once


def made(world: Described, stage: Stage | Share) -> dict[str, float]:
    """Return what each country makes at a stage, t/yr, at central values."""
    network, found = world.network, {}
    for i, row in enumerate(network.suppliers):
        if row.stockpile or row.material not in stage.materials:
            continue
        if stage.processes and network.blueprint.facilities[row.owner].process not in stage.processes:
            continue
        found[row.country] = found.get(row.country, 0.0) + float(world.sales[i]) * DAYS_PER_YEAR
    return found


# -- every number ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mineral", MINERALS)
def test_every_number_has_a_source_and_every_assumption_a_range_or_a_reason(
    mineral: str, loaded: Callable[[str], Loaded]
) -> None:
    plan = loaded(mineral).plan
    for number in iter_numbers(plan.scenarios[0].world):
        assert number.source == "assumption" or number.source in plan.sources, number.address
        assert number.source != "assumption" or number.low is not None or number.note, number.address


@pytest.mark.parametrize("mineral", MINERALS)
def test_every_sourced_number_has_a_year(mineral: str, loaded: Callable[[str], Loaded]) -> None:
    """The year a figure is for; the numbers of a demand path stand under theirs."""
    for number in iter_numbers(loaded(mineral).plan.scenarios[0].world):
        part, *_, key = number.address.split(".")
        dated = number.year is not None or (part == "demand" and key.isdigit())
        assert dated or number.source == "assumption", number.address


# -- published output -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", MINED + REFINED, ids=lambda stage: stage.title)
def test_countries_make_what_was_published(stage: Stage, loaded: Callable[[str], Loaded]) -> None:
    found = made(loaded(stage.mineral).described, stage)
    found[OTHER] = sum(tonnes for country, tonnes in found.items() if country not in stage.countries)
    for country, tonnes in stage.countries.items():
        assert found[country] == pytest.approx(tonnes * stage.unit, rel=5e-3), f"{country}, {stage.source}"


@pytest.mark.parametrize("stage", [s for s in MINED + REFINED if s.world], ids=lambda stage: stage.title)
def test_the_world_makes_what_was_published(stage: Stage, loaded: Callable[[str], Loaded]) -> None:
    found = made(loaded(stage.mineral).described, stage)
    total = sum(tonnes for country, tonnes in found.items() if country not in stage.withheld)
    assert stage.world is not None
    assert total == pytest.approx(stage.world * stage.unit, rel=5e-3), stage.source


@pytest.mark.parametrize("share", SHARES, ids=lambda share: share.title)
def test_shares_lie_where_sources_leave_them(share: Share, loaded: Callable[[str], Loaded]) -> None:
    found = made(loaded(share.mineral).described, share)
    assert share.low <= found[share.country] / sum(found.values()) <= share.high, share.why


def test_china_sells_the_spherical_graphite_that_customs_counted(loaded: Callable[[str], Loaded]) -> None:
    """29,100 t in nine months of 2024 (USGS); nothing else says what China makes, hence 15 %."""
    world = loaded("graphite").described
    (process,) = (p for name, p in world.network.world.processes.items() if name == "graphite_coating")
    amount = process.inputs["spherical_graphite"].amount
    assert not isinstance(amount, str)
    shaped = made(world, Stage("", "graphite", ("spherical_graphite",), {}, ""))["CHN"]
    coated = made(world, Stage("", "graphite", ("anode_graphite",), {}, "", processes=("graphite_coating",)))["CHN"]
    assert shaped - amount.value * coated == pytest.approx(29_100 * 12 / 9, rel=0.15)


# -- reserves and demand --------------------------------------------------------------------------------

HOLDERS = {"JPN": "japan_", "KOR": "korea_", "USA": "usa_", "CHN": "china_", "EU27": "eu_"}


@pytest.mark.parametrize("mineral", NINE)
def test_five_holders_have_a_reserve_named_after_them(mineral: str, loaded: Callable[[str], Loaded]) -> None:
    """Of a material that is used or works into products, not of ore; unknown holdings are ranges or held at none."""
    world = loaded(mineral).case.world
    assert {pile.country for pile in world.stockpiles.values()} == set(HOLDERS)
    mined = {m for stage in MINED if stage.mineral == mineral for m in stage.materials}
    for name, pile in world.stockpiles.items():
        assert name.startswith(HOLDERS[pile.country]), name
        assert pile.material not in mined, name
        (held,) = (number for number in (pile.holding, pile.tonnes) if number is not None)
        assert held.uncertain or held.value == 0, name


@pytest.mark.parametrize("mineral", MINERALS)
def test_every_mineral_has_every_demand_path(mineral: str, loaded: Callable[[str], Loaded]) -> None:
    world = loaded(mineral).case.world
    for name in ("iea_steps", "iea_aps", "iea_nze", "up_400_600", "up_4000"):
        assert set(world.demand[name]) == set(world.minerals), name
        assert all(min(path.years) == 2024 for path in world.demand[name].values()), name


@pytest.mark.parametrize(
    ("path", "mineral", "year", "times"),
    [
        # US Department of Energy, August 2022: up 400 to 600 % over the next several decades; as much as 4,000 %.
        ("up_400_600", "lithium", 2050, (5, 6, 7)),
        ("up_400_600", "cobalt", 2050, (5, 6, 7)),
        ("up_4000", "lithium", 2040, (41, 41, 41)),
        ("up_4000", "graphite", 2040, (24.7, 41, 41)),
        # International Energy Agency, The Role of Critical Minerals in Clean Energy Transitions, 2021.
        ("up_4000", "cobalt", 2040, (6.4, 21.3, 21.3)),
        ("up_4000", "nickel", 2040, (6.5, 19.4, 19.4)),
        ("up_4000", "rare_earths", 2040, (3.4, 7.3, 7.3)),
    ],
)
def test_demand_grows_as_the_path_says(
    path: str, mineral: str, year: int, times: tuple[float, ...], loaded: Callable[[str], Loaded]
) -> None:
    years = loaded(mineral).case.world.demand[path][mineral].years
    at, start = years[year], years[2024].value
    span = (at.value if at.low is None else at.low, at.value, at.value if at.high is None else at.high)
    assert [value / start for value in span] == pytest.approx(times)


@pytest.mark.parametrize(
    ("material", "within"), [("lithium_chemicals", 0.02), ("refined_cobalt", 0.03), ("nickel_ore", 0.05)]
)
def test_paths_of_cells_and_of_other_uses_add_up_to_the_published_path(
    material: str, within: float, loaded: Callable[[str], Loaded]
) -> None:
    """Chemistry by chemistry and beside them, use at the end of 2029 is the IEA's of the whole mineral, nearly."""
    case = loaded("batteries").case
    network, _, _ = lay_out(case)
    draws = Draws(1, 0, 1, uncertain=False)
    base = balance(network, draws, 7.0, mean_availability(network, draws, False))
    growth = Growth(network, base, "iea_steps", case.calendar, draws)
    minerals = list(network.world.minerals)
    (mineral,) = (name for name, chain in network.world.minerals.items() if material in chain)
    made = growth.paths[network.material_index[material], -1, 0]
    published = growth.paths[2 * growth.materials + minerals.index(mineral), -1, 0]
    assert made == pytest.approx(published, rel=within)


# -- running --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mineral", MINERALS)
def test_a_calm_year_is_near_normal(mineral: str, loaded: Callable[[str], Loaded]) -> None:
    """With outages and noise and no policy: prices not far from normal on average, hardly a day of shortage."""
    case, world = loaded(mineral).case, loaded(mineral).described
    buying = np.unique(world.network.buyer_group[(world.requirement > 0) & (world.network.buyer_group >= 0)])
    block = run_block(case, 1, 0, 32)
    assert block.unconverged == 0
    price = block.recorder.price_sum.mean(axis=1) / (case.calendar.reviews * float(case.calendar.review))
    assert (price[buying] > 0.9).all() and (price[buying] < 1.15).all()
    short = np.median(block.recorder.short_days, axis=1)
    assert (short < 1.0).all()


def test_all_minerals_make_one_world(tmp_path: Path) -> None:
    _, (case,) = load(experiment(tmp_path, ", ".join(MINERALS)), balanced=True)
    assert len(case.world.minerals) == len(MINERALS)


def test_what_follows_another_file_finds_it_in_the_whole_world(tmp_path: Path) -> None:
    """A host that is not loaded is no error, so a slip in its name would go unseen."""
    world = load_plan(experiment(tmp_path, ", ".join(MINERALS))).scenarios[0].world
    follows = {name: process.follows for name, process in world.processes.items() if process.follows is not None}
    assert {"cobalt_from_leaching", "cobalt_from_nickel"} <= set(follows)
    assert set(follows.values()) <= set(world.processes)
