"""The balance report: what is made and used, the stock change that given numbers imply, and days of cover."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from sim.cases import prepare
from sim.describe import describe
from tests.worlds import Edit, tiny_plan

FILE = "configs/minerals/tin.yaml"
USA = "USA:\n    metal: {use: 4 kt/yr, cover: 40 d, sectors: {solder: 60 %}"


def balances(*edits: Edit) -> dict[str, list[str]]:
    """Return the cells of the balance report by material."""
    plan = tiny_plan(edits=edits)
    console = Console(file=StringIO(), width=250)
    console.print(describe(plan, prepare(plan)))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    rows = text[text.index("How each material balances") :].splitlines()
    cells = [[cell.strip() for cell in row.strip("│").split("│")] for row in rows if row.startswith("│")]
    return {row[0]: row[1:] for row in reversed(cells) if len(row) == 9}


def test_a_closed_world_implies_no_stock_change() -> None:
    # 6 kt at 60 d and 4 kt at 40 d are 52 d; three weeks under way; 30 d at sellers.
    assert balances()["tin metal"] == ["t/yr", "10,000", "10,000", "0", "52", "21", "30", "0"]


def test_what_use_falls_short_by_is_an_implied_stock_change() -> None:
    total = (FILE, "    price: 30 USD/kg\n", "    price: 30 USD/kg\n    total: 10 kt/yr\n")
    found = balances(total, (FILE, USA, USA.replace("4 kt", "3 kt")))["tin metal"]
    assert found[1:4] == ["10,000", "10,000", "+1,000 (+10.0%)"]


def test_use_that_grows_stocks_is_one_too() -> None:
    found = balances((FILE, USA, USA.replace("solder: 60 %", "stock_building: 25 %")))["tin metal"]
    assert found[1:4] == ["10,000", "9,000", "+1,000 (+10.0%)"]


@pytest.mark.parametrize("unit", ["t", "million"])
def test_quantities_stand_in_the_materials_unit(unit: str) -> None:
    edit = (FILE, "    basis: t Sn\n", f"    basis: t Sn\n    unit: {unit}\n")
    assert balances(edit)["tin metal"][0] == f"{unit}/yr"
