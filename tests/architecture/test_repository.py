"""The repository stands on its own: nothing in it knows the machine it was written on."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from sim.cases import prepare
from sim.config.load import load_plan

ROOT = Path(__file__).parents[2]
FOLDERS = ("sim", "configs", "experiments", "docs", "tests", "benchmarks", ".ci")
ENDINGS = {".py", ".yaml", ".yml", ".md", ".toml", ".cff", ".txt", ".lock", ".cfg", ".html", ""}
OUTSIDE = re.compile(r"(?<![\w.<])(?:/(?:work|tmp|home|Users|root)/\w|\.\./shared)")


def texts() -> list[Path]:
    named = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    top = [path for path in ROOT.iterdir() if path.is_file()]
    kept = [
        path
        for path in [*named, *top]
        if path.suffix in ENDINGS and "__pycache__" not in path.parts and path != Path(__file__)
    ]
    return sorted(path for path in kept if path.name not in (".git", ".gitignore"))


def test_no_file_names_a_place_outside() -> None:
    found = []
    for path in texts():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if OUTSIDE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert found == []


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (ROOT / "experiments").glob("*.yaml")))
def test_experiments_run_from_a_copy_of_configs_alone(experiment: str, tmp_path: Path) -> None:
    """Configs need nothing but configs/ and experiments/."""
    for folder in ("configs", "experiments"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    plan = load_plan(tmp_path / "experiments" / f"{experiment}.yaml")
    assert [case.name for case in prepare(plan)] == [scenario.name for scenario in plan.scenarios]
