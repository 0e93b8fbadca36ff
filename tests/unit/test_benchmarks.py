"""The benchmarks run, with sizes that say nothing about speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import history, measure, parallel, run, scaling, scenarios
from benchmarks.layers import LAYERS
from benchmarks.worlds import WORLDS, Measured
from sim.synth import write_world

TINY = Measured("tiny", facilities=6, materials=3, degree=2, overrides=("horizon.end=2025-02-28",))


def test_a_row_has_all_its_figures_and_goes_into_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "N30", TINY)
    row = measure.measure(TINY, replications=2, reference=2, beside=2)
    assert (row.facilities, row.replications, row.unconverged) == (6, 2, 0)
    assert min(row.seconds, row.clearings_per_second, row.speedup, row.over_bare, row.over_n30_reference, row.peak) > 0
    assert tuple(row.share) == LAYERS
    assert sum(row.share.values()) == pytest.approx(1.0)
    assert min(row.share.values()) >= 0
    json.dumps(measure.as_values(row))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{run.BEGIN}\nold\n{run.END}\nafter\n", encoding="utf-8")
    lines = run.yardsticks([row])
    run.write_page(run.as_markdown([row], lines), page)
    written = page.read_text(encoding="utf-8")
    assert "old" not in written
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "| tiny |" in written
    run.show([row], lines)


def test_the_page_has_the_marks_of_the_table() -> None:
    text = run.PAGE.read_text(encoding="utf-8")
    assert text.index(run.BEGIN) < text.index(run.END)
    for column in run.COLUMNS:
        assert column in text


def test_the_project_s_own_worlds_load() -> None:
    for name in ("default", "controls", "nine"):
        case, _ = WORLDS[name].load()
        assert case.name == WORLDS[name].scenario


def test_one_size_and_one_scenario_are_measured() -> None:
    found = scaling.measure(6, 3, 2, 2, "baseline")
    assert found["run"] > 0
    case, seed = TINY.load()
    seconds, block, kernel = scenarios.run_case(case, seed, 2)
    assert seconds > 0
    assert kernel >= 0
    assert block.clearings > 0


@pytest.mark.slow
def test_a_run_and_its_start_are_timed(tmp_path: Path) -> None:
    experiment = write_world(tmp_path / "world", 6, 3)
    steps = parallel.start_up(experiment)
    parallel.show(steps, "tiny")
    walls = [wall for _, wall, _ in steps]
    assert walls == sorted(walls)
    wall, processor = parallel.timed_run(experiment, 2, 1)
    assert min(wall, processor) > 0


def test_history_keeps_ratios() -> None:
    extra = [{"world": "n30", "n30_references_per_replication": 0.05}]
    measured = {
        "datetime": "2025-01-01T00:00:00",
        "commit_info": {"id": "0123456789abcdef", "dirty": False},
        "benchmarks": [{"extra_info": each} for each in extra],
    }
    line = history.as_line(measured)
    assert json.loads(line)["n30_references_per_replication"] == {"n30": 0.05}
    assert "+0% since the last" in history.compared(line, line)
    assert "since" not in history.compared(line, None)
