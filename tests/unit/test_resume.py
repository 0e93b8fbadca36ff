"""A run that is killed goes on, and ends bit-identical to one that nobody disturbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from sim.errors import ResultsError
from sim.parts import part_prefix, write_whole
from sim.results import Results, clear_up
from sim.tables import COLUMNS
from sim.unfinished import Unfinished
from tests.small_run import SHORT, run_small, write_experiment

ROOT = Path(__file__).parents[2]
COUNT = 3 * 128 + 20
"""Replications: four blocks of two scenarios."""


def start(experiment: Path, *words: str) -> subprocess.Popen[str]:
    """Start a run with two workers in a session of its own."""
    command = [sys.executable, "-m", "sim", "run", str(experiment), "--replications", str(COUNT), "--no-figures"]
    command += [word for change in SHORT for word in ("--set", change)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*command, "--workers", "2", *words], stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


def wait_until(happened) -> None:
    deadline = time.monotonic() + 120
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.01)


def ended(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def kill_when(experiment: Path, parts: Path, finished: int, later: float) -> None:
    """Kill a run outright, s after some of its blocks are there, and see its workers off."""
    run = start(experiment, "--resume")
    wait_until(lambda: run.poll() is not None or (parts.exists() and len(list(parts.glob("*.part"))) >= finished))
    time.sleep(later)
    run.kill()
    run.communicate()
    wait_until(lambda: ended(run.pid))
    assert ended(run.pid), "orphans"


@pytest.mark.slow
def test_a_run_that_is_killed_at_any_moment_goes_on_and_ends_the_same(tmp_path):
    """SIGKILL before, within and after blocks; finished parts stay as they are, and no process is left behind."""
    whole = run_small(tmp_path / "undisturbed", replications=COUNT)
    experiment = write_experiment(tmp_path / "killed")
    results = tmp_path / "killed" / "results"
    parts = results / ".tiny.parts"
    rng = np.random.default_rng()
    for finished in (0, 1, 4):
        kill_when(experiment, parts, finished, rng.uniform(0.0, 0.3))
        kept = list(parts.glob("*.part"))
        (parts / f"{part_prefix()}00.part.99.tmp").write_bytes(b"half")
    victims = start(experiment, "--resume")
    _, said = victims.communicate(timeout=300)
    assert victims.returncode == 0, said
    assert f"{len(kept)} of 8 blocks were finished by an earlier run" in said
    for name in COLUMNS:
        assert (results / "tiny" / name).read_bytes() == (whole.directory / name).read_bytes(), name
    assert [path.name for path in results.iterdir()] == ["tiny"]
    # And once more: nothing is left to do.
    again = start(experiment, "--resume")
    _, said = again.communicate(timeout=100)
    assert again.returncode == 0 and "completed before" in said


@pytest.fixture
def stopped(tmp_path):
    """A run of two blocks that was stopped before its tables, and the folder of its parts."""

    def stop(*_):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.study.Merger", stop)
        with pytest.raises(KeyboardInterrupt):
            run_small(tmp_path, replications=3)
    return tmp_path, Unfinished.beside(tmp_path / "results" / "tiny")


def stamps(unfinished: Unfinished) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in unfinished.directory.glob("*.part")}


@pytest.mark.parametrize("resume", [None, True])
def test_finished_blocks_are_used_with_and_without_resume(stopped, resume, monkeypatch):
    root, unfinished = stopped
    assert len(stamps(unfinished)) == 2
    monkeypatch.setattr("sim.montecarlo.run_block", None)  # nobody may call it
    assert run_small(root, replications=3, resume=resume).manifest["replications"] == 3
    assert not unfinished.directory.exists()


def test_blocks_are_run_again_where_that_is_asked_for(stopped):
    root, unfinished = stopped
    before = stamps(unfinished)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.study.Merger", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_small(root, replications=3, resume=False)
    after = stamps(unfinished)
    assert after.keys() == before.keys()
    assert all(after[name] > before[name] for name in before)


def test_finished_blocks_of_other_runs_stay(stopped):
    root, unfinished = stopped
    before = stamps(unfinished)
    (unfinished.directory / "0123abcd-ff.part").write_bytes(b"of an older version of the code")
    run_small(root, replications=2)
    assert stamps(unfinished) == before
    run_small(root, replications=3)
    assert not unfinished.directory.exists()


def test_results_that_are_complete_are_returned_only_for_the_same_run(tmp_path, monkeypatch):
    first = run_small(tmp_path, replications=2)
    stamp = (first.directory / "manifest.json").stat().st_mtime_ns
    again = run_small(tmp_path, replications=2, resume=True)
    assert (again.directory / "manifest.json").stat().st_mtime_ns == stamp
    assert run_small(tmp_path, replications=3, resume=True).manifest["replications"] == 3
    (Results(tmp_path / "results" / "tiny").directory / "summary.csv").unlink()
    assert len(run_small(tmp_path, replications=3, resume=True).summary)


def test_a_run_killed_while_it_wrote_leaves_nothing_for_good(tmp_path):
    first = run_small(tmp_path, replications=2).directory
    first.rename(first.with_name(".tiny.0123abcd.old"))
    first.with_name(".tiny.0123abcd.new").mkdir()
    first.with_name(".tiny.elsewhere").mkdir()
    clear_up(first)
    assert sorted(path.name for path in first.parent.iterdir()) == [".tiny.elsewhere", "tiny"]
    assert Results.load(first).manifest["replications"] == 2
    first.with_name(".tiny.0123abcd.new").mkdir()
    run_small(tmp_path, replications=3)
    assert sorted(path.name for path in first.parent.iterdir()) == [".tiny.elsewhere", "tiny"]


def test_two_runs_do_not_share_a_place(tmp_path):
    unfinished = Unfinished.beside(tmp_path / "out")
    with unfinished.held(), pytest.raises(ResultsError, match="another run is writing there"), unfinished.held():
        pass
    assert not unfinished.directory.exists()


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path, monkeypatch):
    def fail(_):
        raise OSError("no space left")

    monkeypatch.setattr("sim.parts.os.fsync", fail)
    with pytest.raises(OSError, match="no space"):
        write_whole(tmp_path / "a.part", b"content")
    assert not (tmp_path / "a.part").exists()


def test_manifest_names_the_run(tmp_path):
    one = run_small(tmp_path, replications=2).directory / "manifest.json"
    first = json.loads(one.read_text())["run"]
    assert run_small(tmp_path, replications=2, seed=5).manifest["run"] != first
