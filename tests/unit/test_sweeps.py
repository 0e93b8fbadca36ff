"""A sweep is read back from the resolved configuration, written to a table and drawn against its values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from sim.answer import answer
from sim.plots import figures
from sim.plots.saved import Saved
from sim.results import Results
from sim.study import Options, run_study
from sim.sweeps import COLUMNS, sweeps, variants
from tests.small_run import SHORT, quiet, write_experiment

SWEEP = """\
sweep:
  policies.ban.duration: [30 d, 250 d]
  consumers.JPN.metal.cover: [20 d, 90 d]
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Results:
    path = write_experiment(tmp_path_factory.mktemp("sweep"))
    path.write_text(path.read_text() + SWEEP)
    return run_study(path, Options(replications=12, workers=1, overrides=SHORT, figures=False), quiet())


def resolved(scenarios: list[str], **sweep: list[object]) -> dict[str, object]:
    world = {"world": {"behaviour": {"theta": {"value": 0.15}}}, "policies": {"a": {"start": "2025-01-01"}}}
    return {"experiment": {"sweep": sweep}, "scenarios": dict.fromkeys(scenarios, world)}


def test_variants_are_found_by_their_names(swept):
    first, second = sweeps(swept.manifest["resolved"])
    assert (first.address, first.base, first.unit) == ("policies.ban.duration", "what_if", "d")
    assert [(point.value, point.number) for point in first.points] == [("30 d", 30.0), ("250 d", 250.0)]
    assert first.before is not None and first.before.value == "250 d"
    assert [point.scenario for point in second.points] == ["what_if@cover=20 d", "what_if@cover=90 d"]
    assert len(variants(swept.manifest["resolved"])) == 4


def test_values_are_ordered_on_their_scale_and_words_are_left_as_written():
    found = sweeps(resolved(["s", "s@theta=0.3", "s@theta=0.1"], **{"behaviour.theta": [0.3, {"value": 0.1}]}))
    assert [point.number for point in found[0].points] == [0.1, 0.3] and found[0].before.number == 0.15
    words = sweeps(resolved(["s", "s@demand=flat", "s@demand=20 d"], **{"x.demand": ["flat", "20 d"]}))[0]
    assert not words.on_scale and [point.value for point in words.points] == ["flat", "20 d"]
    dates = sweeps(resolved(["s", "s@start=2025-01-02"], **{"policies.a.start": ["2025-01-02"]}))[0]
    assert dates.unit == "date" and dates.before.number == dates.points[0].number - 1


def test_the_table_has_the_numbers_of_the_summary(swept):
    table = pd.read_csv(swept.directory / "sweep.csv")
    assert list(table.columns) == COLUMNS
    row = table[(table["value"] == "30 d") & (table["country"] == "JPN") & (table["metric"] == "shortage_days")].iloc[0]
    s = swept.summary
    same = s[(s["scenario"] == row["scenario"]) & (s["country"] == "JPN") & (s["sector"] == "all")]
    same = same[(same["metric"] == "shortage_days") & (same["material"] == row["material"])].iloc[0]
    assert row["mean"] == same["mean"] and row["n"] == 12
    assert row["difference"] == pytest.approx(row["mean"])  # nobody goes short in the reference


def test_nothing_is_written_where_nothing_is_swept(tmp_path):
    run_study(write_experiment(tmp_path), Options(replications=1, workers=1, overrides=SHORT, figures=False), quiet())
    assert not (tmp_path / "results" / "tiny" / "sweep.csv").exists()


def test_the_finding_tells_the_ends_of_the_sweep(swept):
    text = answer(swept)
    assert "As the duration of “The ban” goes from 30 d to 250 d, under **What if**" in text
    assert "As the cover of tin metal in Japan goes from 20 d to 90 d" in text
    finding = text.partition("## Finding")[2].partition("\n## ")[0]
    assert "@" not in finding and "**What if, " not in finding  # variants are told as a sweep only


def texts(figure: Figure) -> str:
    found = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return " ".join(" ".join(found).split())


def test_the_figure_draws_each_point_and_the_reference(swept):
    saved = Saved(Path(swept.directory))
    drawn = figures(saved)
    figure = drawn["sweep_policies_ban_duration_metal"]()
    japan = figure.axes[0]
    rows = pd.read_csv(swept.directory / "sweep.csv").query(
        "address == 'policies.ban.duration' and country == 'JPN' and material == 'metal' and metric == 'shortage_days'"
    )
    points = [line for line in japan.get_lines() if len(line.get_xdata()) == 2 and line.get_marker() == "o"]
    assert any(
        np.allclose(line.get_xdata(), rows["number"]) and np.allclose(line.get_ydata(), rows["mean"]) for line in points
    )
    text = texts(figure)
    assert "duration of “The ban”" in text and "Baseline" in text and "What if (its own value: 250 d)" in text
    assert "shortage_days" not in text and "price_mean" not in text
