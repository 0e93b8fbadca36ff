"""The page on companies shows the file that ships, and that file runs over the world it is written for."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from sim.cases import load
from sim.engine import run_block
from sim.metrics import block_metrics

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/lay-a-company-over-the-world.md"
FILE = ROOT / "configs/companies/motor_maker_japan.yaml"


def test_the_page_shows_the_file() -> None:
    shown = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    yaml = YAML(typ="safe", pure=True)
    assert yaml.load(shown) == yaml.load(FILE.read_text(encoding="utf-8"))


def test_the_example_runs_and_plans_half_a_million_motors_a_year() -> None:
    overrides = ["horizon.end=2025-12-31"]
    plan, cases = load(ROOT / "experiments/us_japan_framework.yaml", overrides, companies=[FILE])
    case = next(case for case in cases if case.name == "controls_suspended")
    keys, found = block_metrics(case, run_block(case, plan.experiment.seed, 0, 16))
    row = next(i for i, key in enumerate(keys) if key.country == "motor_maker_japan")
    planned, lost = found["products_planned"][row], found["products_not_built"][row]
    assert np.median(planned) / 500_000 == np.clip(np.median(planned) / 500_000, 0.9, 1.1)
    assert (lost >= 0).all() and (lost < planned).all()
    assert found["min_cover_days"][row].min() > 0
