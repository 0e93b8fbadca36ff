"""A company laid over the world: the world stays as it is, and what its shelves do not cover is not built."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.cases import load
from sim.engine import Case, run_block
from sim.errors import ConfigError
from sim.metrics import block_metrics
from sim.sums import sum_rows
from tests.probe import switched, watch
from tests.worlds import as_yaml, write_world

YEAR = 365.25

COMPANY = """\
company: can_maker
title: A maker of cans
country: JPN
source: assumption
note: values of the tests
product: {title: Cans, unit: can, output: 365250 /yr, price: 200 USD}
bill_of_materials:
  metal:
    amount: {value: 2 kg, low: 1 kg, high: 3 kg}
    stock: 20 d
    suppliers: {MYS: 1}
    within_sectors: tinplate
"""

BAN = {
    "ban": {
        "type": "export_ban", "title": "Ban", "from": "MYS", "material": "metal", "start": "2025-07-01",
        "source": "assumption", "note": "all of it",
    }
}  # fmt: skip


def case_of(tmp_path: Path, text: str = COMPANY, policies: dict[str, Any] | None = None) -> tuple[str, Case]:
    scenario = as_yaml({"title": "What if", "extends": "baseline", "policies": policies or {}})
    edits = [("experiments/tiny.yaml", "scenarios: [baseline]", "scenarios: [baseline, what_if]")]
    path = write_world(tmp_path, {"configs/scenarios/what_if.yaml": scenario}, edits)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    plan, cases = load(path, companies=[tmp_path / "mine.yaml"], balanced=True)
    return plan.name, cases[1]


def test_the_world_around_it_stays_as_it_is(tmp_path: Path) -> None:
    """1,000 cans a day of 2 kg are 730.5 t a year of the 6 kt that Japan uses."""
    name, case = case_of(tmp_path)
    assert name == "tiny_can_maker"
    (use,) = watch(case, lambda world, _: world.baseline.requirement[:, 0] * YEAR, replications=1)[:1]
    assert sorted(use) == pytest.approx([730.5, 4_000.0, 6_000.0 - 730.5, 10_000.0])
    moved = watch(case, lambda _, book: float(np.abs(book.delivered).max()), replications=1)
    assert max(moved) < 1e-9


def test_after_a_full_ban_it_builds_what_its_shelf_and_pipeline_cover(tmp_path: Path) -> None:
    """Sole supplier gone for good: 20 d of stock and 21 d at sea are built, and all of the plan after that is not."""
    _, case = case_of(tmp_path, policies=BAN)
    block = run_block(switched(case, uncertainty=False), 1, 0, 1)
    keys, found = block_metrics(case, block)
    row = next(i for i, key in enumerate(keys) if (key.material, key.country) == ("metal", "can_maker"))
    plan, lost = found["products_planned"][row, 0], found["products_not_built"][row, 0]
    banned = (case.horizon.end - case.horizon.start).days + 1 - 181
    assert plan == pytest.approx(1_000 * case.calendar.horizon)
    # Before its shelf is empty it buys ahead of none: the ban comes without notice.
    assert lost == pytest.approx(1_000 * (banned - 41), abs=8_000)


def test_only_companies_have_products(tmp_path: Path) -> None:
    _, case = case_of(tmp_path)
    keys, found = block_metrics(case, run_block(case, 1, 0, 1))
    for key, plan in zip(keys, found["products_planned"][:, 0], strict=True):
        assert np.isfinite(plan) == (key.country == "can_maker"), key


def test_its_recipe_is_drawn_and_mass_closes(tmp_path: Path) -> None:
    _, case = case_of(tmp_path, policies=BAN)
    case = switched(case, uncertainty=True, noise=True)
    taken = watch(case, lambda world, _: sum_rows(world.baseline.taken), replications=16)[0]
    assert taken.min() > 1e-3 and taken.max() < 3e-3 + 1  # the smelter takes 1 t a tonne
    assert np.ptp(taken) > 1e-4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("country: JPN", "country: JPM", r"mine.yaml[\s\S]*line 3, country: got 'JPM'.*Did you mean 'JPN'"),
        ("  metal:\n", "  mettal:\n", "line 8, bill_of_materials.mettal: .*Did you mean 'metal'"),
        ("within_sectors: tinplate", "within_sectors: tinplat", "Did you mean 'tinplate'"),
        ("stock: 20 d", "stock: 20", "A duration needs a unit; write '20 d'"),
        ("company: can_maker", "company: JPN", "'JPN' stands in countries already"),
        ("suppliers: {MYS: 1}", "suppliers: {MYS: 0.8, CHN: 0.4}", "add up to 1.2"),
        ("title: A maker of cans", "titel: A maker of cans", "titel"),
        ("output: 365250 /yr", "output: 3652500 /yr", "within the use of JPN"),
    ],
)
def test_what_does_not_fit_is_named_with_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert COMPANY.count(old) == 1
    with pytest.raises(ConfigError, match=message):
        case_of(tmp_path, COMPANY.replace(old, new))
