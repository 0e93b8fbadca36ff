"""Minerals that meet: plants that take part of a consumer's use, and by-products of a host that is simulated too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.balance import balance
from sim.calendar import Calendar
from sim.cases import load
from sim.draws import Draws
from sim.engine import Case, lay_out
from sim.errors import ConfigError
from sim.growth import Growth
from sim.hazards import mean_availability
from tests.probe import cases_of, watch
from tests.worlds import tiny_plan, write_world

YEAR = 365.25

CANS = """\
mineral: cans
title: Cans
source: survey
year: 2024
materials:
  cans:
    title: cans
    basis: million cans
    unit: million
    price: 50 USD/kg
    units: {million: 1}
    supplier_cover: 30 d
processes:
  can_making:
    title: making of cans
    unit: million cans
    inputs:
      metal: {amount: 0.5, value_share: 30 %, thrift: 0, cover: 30 d, within_sectors: tinplate}
    outputs: {cans: 1}
facilities:
  can_maker: {title: The can maker, country: JPN, process: can_making, throughput: 3000 million/yr}
consumers:
  JPN:
    cans: {use: 3000 million/yr, cover: 30 d, sectors: {}, cover_classes: false}
trade:
  cans: {home_preference: 1}
transit:
  cans: {days: 7 d}
demand:
  growth: {title: growth, years: {2024: 100, 2034: 300}}
"""

INDIUM = """\
mineral: indium
title: Indium, as if it came with tin
source: survey
year: 2024
materials:
  indium:
    title: indium
    basis: t In
    price: 300 USD/kg
    supplier_cover: 30 d
processes:
  indium_making:
    title: recovery from tin slags
    unit: t of indium
    host: tin
    follows: smelting
    outputs: {indium: 1}
facilities:
  indium_plant: {title: The indium plant, country: MYS, process: indium_making, throughput: 100 t/yr}
consumers:
  JPN:
    indium: {use: 100 t/yr, cover: 60 d, sectors: {}, cover_classes: false}
trade:
  indium: {home_preference: 1}
transit:
  indium: {days: 14 d}
demand:
  growth: {title: growth, years: {2025: 100, 2035: 140}}
"""


def options(name: str, text: str, **more: Any) -> dict[str, Any]:
    edits = [("experiments/tiny.yaml", "world: [tin]", f"world: [tin, {name}]"), *more.pop("edits", ())]
    return {"files": {f"configs/minerals/{name}.yaml": text}, "edits": edits, **more}


def case_of(name: str, text: str, **more: Any) -> Case:
    cases = cases_of(tiny_plan(**options(name, text, **more)))
    return cases["what_if" if "policies" in more else "baseline"]


def use_of(case: Case) -> dict[tuple[str, str], float]:
    """Return t/yr that each buyer needs at the start."""
    network, _, _ = lay_out(case)
    draws = Draws(1, 0, 1, uncertain=False)
    base = balance(network, draws, 7.0, mean_availability(network, draws, False))
    return {
        (row.owner, row.material): float(need[0]) * YEAR
        for row, need in zip(network.buyers, base.requirement, strict=True)
    }


def test_what_plants_take_comes_off_their_countrys_use() -> None:
    alone, together = use_of(cases_of(tiny_plan())["baseline"]), use_of(case_of("cans", CANS))
    assert together["can_maker", "metal"] == pytest.approx(1_500)
    assert together["JPN", "metal"] == pytest.approx(alone["JPN", "metal"] - 1_500)
    for buyer in (("USA", "metal"), ("smelter", "ore")):
        assert together[buyer] == pytest.approx(alone[buyer]), buyer


def test_a_coupled_world_stands_still() -> None:
    moved = watch(case_of("cans", CANS), lambda _, book: float(np.abs(book.delivered).max()), replications=1)
    assert max(moved) < 1e-9


def test_plants_cannot_take_more_than_is_used(tmp_path: Any) -> None:
    greedy = CANS.replace("amount: 0.5", "amount: 2.5")
    more = options("cans", greedy)
    path = write_world(tmp_path, more["files"], more["edits"])
    with pytest.raises(
        ConfigError, match=r"needs 7500 t/yr of 'metal' within the use of JPN, where 6000 t/yr are left"
    ):
        load(path, balanced=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("within_sectors: tinplate", "within_sectors: tinplat", "Did you mean 'tinplate'"),
        ("country: JPN, process", "country: CHN, process", "no consumer of 'metal' in CHN"),
        ("title: making of cans", "title: cans\n    follows: smelting", "give its 'host', too"),
        ("title: making of cans", "title: cans\n    host: tin\n    follows: can_making", "cannot be its own host"),
        ("title: making of cans", "title: cans\n    host: tin\n    follows: smelting", "a process with inputs"),
    ],
)
def test_what_cannot_be_coupled_is_named(old: str, new: str, message: str) -> None:
    assert old in CANS
    with pytest.raises(ConfigError, match=message):
        tiny_plan(**options("cans", CANS.replace(old, new)))


def growth_of(case: Case, path: str) -> tuple[Growth, Calendar]:
    network, _, _ = lay_out(case)
    draws = Draws(1, 0, 1, uncertain=False)
    base = balance(network, draws, 7.0, mean_availability(network, draws, False))
    return Growth(network, base, path, case.calendar, draws), case.calendar


def test_what_is_made_grows_with_all_who_need_it() -> None:
    """Cans treble in ten years, tin grows by 40 %: metal and ore follow both, weighted by use at the start."""
    edits = [("configs/minerals/tin.yaml", "2025: 100, 2035: 140", "2024: 100, 2034: 140")]
    growth, calendar = growth_of(case_of("cans", CANS, edits=edits), "growth")
    years = calendar.times / YEAR
    cans, tin = 3.0 ** (years / 10), 1.4 ** (years / 10)
    both = (1_500 * cans + 8_500 * tin) / 10_000
    names = list(growth.network.materials)
    for material, expected in (("cans", cans), ("metal", both), ("ore", both)):
        assert growth.paths[names.index(material), :, 0] == pytest.approx(expected, rel=1e-3), material
    followed = {
        (row.owner, row.material): growth.paths[path, :, 0]
        for row, path in zip(growth.network.buyers, growth.of_buyer, strict=True)
    }
    assert followed["JPN", "metal"] == pytest.approx(tin, rel=1e-3)
    assert followed["can_maker", "metal"] == pytest.approx(cans, rel=1e-3)
    assert followed["smelter", "ore"] == pytest.approx(both, rel=1e-3)


def test_uses_beside_plants_and_single_products_may_have_their_own_paths() -> None:
    """Cans treble though the mineral's path is flat; other tin falls by half where plants take their part."""
    text = CANS.replace("2034: 300}", "2034: 100}, materials: {cans: {2024: 100, 2034: 300}}")
    edits = [
        ("configs/minerals/tin.yaml", "2025: 100, 2035: 140}", "2024: 100, 2034: 140}, beside: {2024: 100, 2034: 50}")
    ]
    growth, calendar = growth_of(case_of("cans", text, edits=edits), "growth")
    years = calendar.times / YEAR
    cans, beside = 3.0 ** (years / 10), 0.5 ** (years / 10)
    names = list(growth.network.materials)
    followed = {
        (row.owner, row.material): growth.paths[path, :, 0]
        for row, path in zip(growth.network.buyers, growth.of_buyer, strict=True)
    }
    assert growth.paths[names.index("cans"), :, 0] == pytest.approx(cans, rel=1e-3)
    assert followed["can_maker", "metal"] == pytest.approx(cans, rel=1e-3)
    assert followed["JPN", "cans"] == pytest.approx(cans, rel=1e-3)
    assert followed["JPN", "metal"] == pytest.approx(beside, rel=1e-3)
    both = (1_500 * cans + 8_500 * beside) / 10_000
    assert growth.paths[names.index("ore"), :, 0] == pytest.approx(both, rel=1e-3)


def test_the_path_beside_plants_is_not_used_without_them() -> None:
    edits = [("configs/minerals/tin.yaml", "2035: 140}", "2035: 140}, beside: {2024: 100, 2034: 50}")]
    plain, _ = growth_of(cases_of(tiny_plan())["baseline"], "growth")
    beside, _ = growth_of(cases_of(tiny_plan(edits=edits))["baseline"], "growth")
    assert np.array_equal(plain.paths, beside.paths)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("materials: {metl: {2024: 1, 2034: 2}}", "got 'metl'. Not a material of tin. Did you mean 'metal'"),
        ("materials: {metal: {2024: 1}}", "got 1 year. Give two or more"),
        ("beside: {2024: 1, 2034: 0}", "demand must be above 0 in every year"),
    ],
)
def test_a_wrong_path_is_named(more: str, message: str) -> None:
    edits = [("configs/minerals/tin.yaml", "2035: 140}", f"2035: 140}}, {more}")]
    with pytest.raises(ConfigError, match=message):
        tiny_plan(edits=edits)


def test_one_path_for_all_is_left_as_it_is() -> None:
    growth, _ = growth_of(cases_of(tiny_plan())["baseline"], "growth")
    assert growth.paths.shape[0] == len(growth.network.materials)


def test_mixed_growth_leaves_prices_nearly_still() -> None:
    """Cans grow by 4 % a year, other tin by 2 %: |v| stays below 0.02, as under one path (design, section 6)."""
    text = CANS.replace("2034: 300", "2034: 148")
    edits = [("configs/minerals/tin.yaml", "2025: 100, 2035: 140", "2024: 100, 2034: 122")]
    case = case_of("cans", text, edits=edits, overrides=["demand=growth", "horizon.end=2028-12-31"])
    assert max(watch(case, lambda _, book: float(np.abs(book.delivered).max()), replications=1)) < 0.02


OUTAGE = {
    "stop": {
        "type": "facility_outage",
        "facility": "smelter",
        "severity": 0.5,
        "start": "2025-04-01",
        "end": "2025-07-01",
        "source": "assumption",
        "note": "half of it down for a quarter",
    }
}


def test_a_by_product_falls_with_its_host() -> None:
    """With half the smelter down, indium comes at the rate at which the smelter runs."""
    case = case_of("indium", INDIUM, policies=OUTAGE)
    seen = watch(case, lambda world, _: world.throughput[:, 0] / world.baseline.throughput[:, 0], replications=1)
    mine, smelter, indium = np.array(seen).T
    assert smelter.min() < 0.75
    assert np.abs(indium - smelter).max() < 1e-12
    assert mine.min() <= 1.0


def test_a_by_product_whose_host_is_not_loaded_keeps_to_its_own_path() -> None:
    edits = [("experiments/tiny.yaml", "world: [tin]", "world: [indium]")]
    (case,) = cases_of(tiny_plan(files={"configs/minerals/indium.yaml": INDIUM}, edits=edits)).values()
    seen = watch(case, lambda world, _: float(world.throughput[0, 0]), replications=1)
    assert np.ptp(seen) < 1e-12
