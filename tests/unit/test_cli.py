"""The command line: what it takes, what it prints, and one plain message for what is wrong."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

import sim
from sim.cli import INTERRUPTED, USER_ERROR, app
from sim.results import MANIFEST, Results
from tests.small_run import SHORT, write_experiment

ROOT = Path(__file__).parents[2]
SET = [word for change in SHORT for word in ("--set", change)]


def call(*words: object):
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


@pytest.fixture
def experiment(tmp_path):
    return write_experiment(tmp_path)


def test_run_prints_the_answer_and_writes_results(experiment, tmp_path):
    out = tmp_path / "elsewhere"
    done = call("run", experiment, "--replications", 2, "--workers", 1, "--seed", 7, "--out", out, "--no-figures", *SET)
    assert done.exit_code == 0, done.output
    assert "Does the smallest world hold together?" in done.output
    assert "fewer days" in done.output or "more days" in done.output
    results = Results.load(out)
    assert results.manifest["seed"] == 7 and results.manifest["replications"] == 2
    assert not (out / "figures").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["configs", "elsewhere", "experiments"]


def test_results_stand_beside_configs_unless_told(experiment, tmp_path):
    assert call("run", experiment, "--replications", 1, "--workers", 1, "--no-figures", *SET).exit_code == 0
    assert (tmp_path / "results" / "tiny" / MANIFEST).is_file()


def test_validate_runs_nothing(experiment, tmp_path):
    done = call("validate", experiment)
    assert done.exit_code == 0 and "tiny: 2 scenarios, no problems found." in done.output
    assert not (tmp_path / "results").exists()


def test_describe_shows_who_makes_uses_and_holds_what(experiment):
    done = call("describe", experiment)
    assert done.exit_code == 0, done.output
    for word in ("The mine", "The smelter", "The reserve", "10,000", "days of cover", "HHI", "CHN 100%", "The ban"):
        assert word in done.output, word


def test_describe_shows_who_leads_each_stage_and_what_is_left_without_it(experiment):
    done = call("describe", experiment)
    assert "left without the largest" in done.output and "HHI by owner" in done.output


def test_diff_says_what_differs_and_can_say_it_to_programs(experiment, tmp_path):
    scenarios = tmp_path / "configs" / "scenarios"
    done = call("diff", scenarios / "baseline.yaml", scenarios / "what_if.yaml")
    assert done.exit_code == 0, done.output
    assert "only in B  The ban (export ban, from China, of tin ore, from 2025-01-15)" in done.output
    plain = json.loads(call("diff", "--json", scenarios / "baseline.yaml", scenarios / "what_if.yaml").output)
    assert [each["address"] for each in plain["differences"]] == ["title", "policies.ban", "policies.release"]
    wrong = call("diff", experiment, scenarios / "what_if.yaml")
    assert wrong.exit_code == USER_ERROR and "Compare two files of one kind" in wrong.output


def test_what_is_set_is_named_in_the_answer_with_the_scenarios_that_have_it(experiment, tmp_path):
    words = ["--set", "policies.ban.coverage=0.5", "--set", "behaviour.theta=0.2", *SET]
    done = call("run", experiment, "--replications", 2, "--workers", 1, "--no-figures", *words)
    assert done.exit_code == 0, done.output
    results = Results.load(tmp_path / "results" / "tiny")
    assert (
        "- `policies.ban.coverage`: not given -> 0.5, in What if; the other scenario does not have it" in results.answer
    )
    assert "- `behaviour.theta`: 0.15 -> 0.2, in all scenarios" in results.answer
    assert "- `horizon.end`: 2025-12-31, of the run itself" in results.answer
    assert results.manifest["changes"]["baseline"] != results.manifest["changes"]["what_if"]
    assert any("policies.ban.coverage" in change for change in results.manifest["changes"]["what_if"])


def test_what_is_set_is_an_assumption_whatever_the_source_of_its_policy(experiment, tmp_path):
    file = tmp_path / "configs" / "scenarios" / "what_if.yaml"
    file.write_text(file.read_text().replace("source: assumption", "source: survey", 1))
    table = tmp_path / "numbers.csv"
    done = call("sources", experiment, "--csv", table, "--set", "policies.ban.coverage=0.5")
    assert done.exit_code == 0, done.output
    lines = pd.read_csv(table).set_index("address")
    assert lines.loc["policies.ban.coverage", "source"] == "assumption"
    assert lines.loc["policies.ban.coverage", "note"] == "set by command line"
    assert lines.loc["policies.ban.start", "source"] == "survey"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("policies.bann.coverage=0.5", "No scenario here has such a policy. Did you mean 'ban'?"),
        ("policies.ban.coverge=0.5", "unknown key 'coverge'. Did you mean 'coverage'?"),
        ("policies.ban=0.5", "A policy is a mapping; name one value in it."),
        ("policies.ban.coverage=2", "policies.ban.coverage"),
    ],
)
def test_a_policy_key_that_cannot_be_set_is_refused(experiment, setting, said):
    done = call("validate", experiment, "--set", setting)
    assert done.exit_code == USER_ERROR and said in done.output


def test_sources_prints_every_number_with_its_grade(experiment, tmp_path):
    table = tmp_path / "numbers.csv"
    done = call("sources", experiment, "--csv", table)
    assert done.exit_code == 0, done.output
    assert "Numbers by grade of their source" in done.output and "materials.ore.price" in done.output
    lines = pd.read_csv(table)
    assert not lines.duplicated(["address", "value", "low", "high"]).any()
    assert set(lines.grade) <= {"official", "industry", "secondary", "assumption"}
    assert lines.loc[lines.address == "materials.ore.price", "unit"].item() == "USD/t"


def test_sources_that_cannot_be_written_are_told(experiment, tmp_path):
    done = call("sources", experiment, "--csv", tmp_path / "nowhere" / "numbers.csv")
    assert done.exit_code == USER_ERROR and "cannot be written" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--replications", "0"], "--replications: got 0. Give 1 or more."),
        (["--workers", "-1"], "--workers: got -1. Give 1 or more."),
        (["--max-replications", "0"], "--max-replications: got 0. Give 1 or more."),
        (["--precision", "shortage_day=1"], "Did you mean 'shortage_days'?"),
        (["--set", "behaviour.thta=0.2"], "Did you mean 'theta'?"),
        (["--set", "behaviour.theta"], "Write ADDRESS=VALUE"),
        (["--set", "policies.ban.from=CHM"], "Did you mean 'CHN'?"),
    ],
)
def test_wrong_options_give_one_message_and_no_results(experiment, tmp_path, words, said):
    done = call("run", experiment, "--no-figures", *words)
    assert done.exit_code == USER_ERROR == 2
    assert said in done.output and "Traceback" not in done.output
    assert not (tmp_path / "results").exists()


def test_a_cluster_needs_its_extra(experiment, monkeypatch):
    monkeypatch.setitem(sys.modules, "sim.cluster", None)
    done = call("run", experiment, "--cluster", "tcp://127.0.0.1:1", "--no-figures")
    assert done.exit_code == USER_ERROR and "pip install 'drawdown[cluster]'" in done.output


def test_a_file_that_is_not_there_is_told(experiment):
    done = call("validate", experiment.with_name("tinny.yaml"))
    assert done.exit_code == USER_ERROR and "Did you mean 'tiny'?" in done.output


def test_wrong_file_is_told_with_its_line(experiment, tmp_path):
    file = tmp_path / "configs" / "scenarios" / "what_if.yaml"
    file.write_text(file.read_text().replace("from: CHN", "from: CHM"))
    done = call("run", experiment, "--no-figures")
    assert done.exit_code == USER_ERROR
    assert "configs/scenarios/what_if.yaml, 1 problem:\n  line" in done.output


def test_results_are_not_written_over_something_else(experiment, tmp_path):
    done = call("run", experiment, "--out", tmp_path, "--no-figures")
    assert done.exit_code == USER_ERROR and "holds something other than results" in done.output


def test_an_interrupt_leaves_nothing_half_written(experiment, tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sim.study.Simulator.run", interrupt)
    done = call("run", experiment, "--no-figures")
    assert done.exit_code == INTERRUPTED and "Interrupted" in done.output
    assert not (tmp_path / "results" / "tiny").exists()


def test_usage_errors_exit_with_two():
    for words in (["runn"], ["run"], ["run", "x.yaml", "--replications", "many"]):
        assert call(*words).exit_code == USER_ERROR


def test_python_function_gives_the_same_results(experiment, tmp_path):
    results = sim.run(
        experiment, replications=2, workers=1, seed=7, out=tmp_path / "by_python", overrides=SHORT, figures=False
    )
    assert results.summary["n"].max() == 2
    assert results.directory == tmp_path / "by_python"


def test_a_polite_kill_ends_a_run_and_its_workers(experiment, tmp_path):
    """SIGTERM in the middle of a run with workers: exit code 130, no results, no processes left."""
    command = [sys.executable, "-m", "sim", "run", str(experiment), "--replications", "20000", "--workers", "2"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    parts = tmp_path / "results" / ".tiny.parts"
    deadline = time.monotonic() + 90
    while not list(parts.glob("*.part")) and time.monotonic() < deadline:
        time.sleep(0.2)
    run.send_signal(signal.SIGTERM)
    _, said = run.communicate(timeout=60)
    assert run.returncode == INTERRUPTED, said
    assert "Traceback" not in said and "Interrupted" in said
    assert not (tmp_path / "results" / "tiny").exists()
    with pytest.raises(ProcessLookupError):
        for _ in range(50):
            os.killpg(run.pid, 0)
            time.sleep(0.2)
