"""The how-to on adding a mineral works as it is written: a tenth mineral needs no code."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sim.cases import load
from sim.engine import run_block
from sim.provenance import entries

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/add-a-mineral.md"


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the files of the page, each below the name in its first line."""
    root = tmp_path_factory.mktemp("tantalum")
    shutil.copytree(ROOT / "configs", root / "configs")
    (root / "experiments").mkdir()
    for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
        name = re.match(r"# ([\w/.]+)", block)
        assert name is not None, block.splitlines()[0]
        with (root / name[1]).open("a", encoding="utf-8") as file:
            file.write(block)
    return root / "experiments/tantalum.yaml"


def test_it_runs_and_the_ban_is_felt(experiment: Path) -> None:
    plan, cases = load(experiment, balanced=True)
    assert {entry.grade for entry in entries(plan, cases)} == {"official", "assumption"}
    calm, border = (run_block(case, 1, 0, 8) for case in cases)
    usa = calm.recorder.network.groups.index(("tantalum_powder", "USA"))
    peak = border.recorder.price_peak[usa].mean() / calm.recorder.price_peak[usa].mean()
    assert peak > 1.1  # 40 % of ore is gone for half a year
    assert calm.unconverged == border.unconverged == 0


def test_it_runs_beside_another_mineral(experiment: Path) -> None:
    both = experiment.with_name("both.yaml")
    both.write_text(experiment.read_text(encoding="utf-8").replace("[tantalum]", "[rare_earths, tantalum]"), "utf-8")
    _, cases = load(both, balanced=True)
    assert {"magnets", "tantalum_powder"} <= set(cases[0].world.materials)
    sea = cases[0].world.transit["tantalum_freight"]
    assert sea.material == ("tantalum_concentrate", "tantalum_powder")
