"""A run that goes on until it is sure: what is asked, when it stops, and that nothing else decides it."""

from __future__ import annotations

import json
import math
from io import StringIO
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from sim.draws import BLOCK_SIZE
from sim.errors import ConfigError
from sim.precision import GROWTH, Target, Widest, first_count, next_count, read_targets
from sim.study import Options, run_study
from sim.tables import COLUMNS
from tests.small_run import SHORT, run_small, write_experiment

DIFFERENCES = "differences.price_mean=0.3"


def read(text, references=("a",)):
    return read_targets(text, SimpleNamespace(references=references), ["a", "b"])


def test_an_amount_alone_is_for_the_usual_metrics():
    assert read("2%") == (Target("shortage_days", 0.02, True, False), Target("price_mean", 0.02, True, False))
    assert [target.differences for target in read("differences=2 %")] == [True, True]


def test_amounts_may_be_given_by_metric():
    assert read("shortage_days=0.5, differences.price_peak=3%") == (
        Target("shortage_days", 0.5, False, False),
        Target("price_peak", 0.03, True, True),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2", "An amount without '%' needs its metric"),
        ("shortage_day=2", "Did you mean 'shortage_days'?"),
        ("0%", "Write an amount above 0"),
        ("shortage_days=much", "Write an amount above 0"),
        ("=2", "Name a metric"),
        ("", "Write an amount above 0"),
    ],
)
def test_what_cannot_be_asked_is_told(text, said):
    with pytest.raises(ConfigError, match="command line") as caught:
        read(text)
    assert said in str(caught.value)


def test_differences_need_references():
    with pytest.raises(ConfigError, match="nothing to compare"):
        read("differences=2%", references=())


def test_a_share_of_days_is_of_one_review_at_least():
    target = Target("shortage_days", 0.1, True, False)
    assert target.allowed(np.array([0.0, 3.0, 50.0]), 7.0) == pytest.approx([0.7, 0.7, 5.0])
    assert Target("price_mean", 0.1, True, True).allowed(np.array([-2.0]), 7.0) == pytest.approx([0.2])


def widest(half, allowed=1.0):
    return Widest("a", None, "metal", "JPN", "shortage_days", 10.0, half, allowed)


def test_the_next_number_follows_from_the_width():
    """The width falls with the square root: half of it takes four times as many."""
    assert next_count(1280, widest(1.0), 10**6) == 1280
    assert next_count(1280, widest(1.2), 10**6) == 16 * BLOCK_SIZE  # 1280 * 1.44 * 1.05, in whole blocks
    assert next_count(1280, widest(1.001), 10**6) == 11 * BLOCK_SIZE
    assert next_count(1280, widest(50.0), 10**6) == GROWTH * 1280
    assert next_count(1280, widest(50.0), 2000) == 15 * BLOCK_SIZE
    assert next_count(1280, None, 10**6) == 1280
    assert widest(0.0, 0.0).excess == 0.0 and widest(1.0, 0.0).excess == math.inf


def test_the_first_number_is_whole_blocks():
    assert first_count(None, 10**5) == 2 * BLOCK_SIZE
    assert first_count(300, 10**5) == 3 * BLOCK_SIZE
    assert first_count(300, 200) == BLOCK_SIZE == first_count(1, 1)


@pytest.fixture(scope="module")
def sure(tmp_path_factory):
    """A run that needs more than its first two blocks."""
    return run_small(tmp_path_factory.mktemp("sure"), replications=None, precision=DIFFERENCES, max_replications=2000)


def test_a_run_goes_on_until_it_is_sure_and_says_so(sure):
    told = sure.manifest["precision"]
    counts = [each["replications"] for each in told["rounds"]]
    assert told["reached"] and counts[0] == 256 < counts[-1] and all(count % BLOCK_SIZE == 0 for count in counts)
    assert [each["widest"]["half_width"] > 0.3 for each in told["rounds"]] == [True] * (len(counts) - 1) + [False]
    assert sure.manifest["replications"] == counts[-1] == sure.summary["n"].max()
    row = sure.comparison[sure.comparison["metric"] == "price_mean"]
    focus = row[(row["sector"] == "all") & row["country"].isin(["JPN", "USA"])]
    half = ((focus["ci_high"] - focus["ci_low"]) / 2).max()
    assert half == pytest.approx(told["rounds"][-1]["widest"]["half_width"]) and half <= 0.3
    assert f"took {counts[-1]:,} replications of each scenario" in sure.answer
    assert "against " in sure.answer and f"--replications {counts[-1]} " in sure.manifest["command"] + " "


def test_neither_workers_nor_interruptions_decide(sure, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.study.next_count", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_small(tmp_path, replications=None, precision=DIFFERENCES, workers=2)
    again = run_small(tmp_path, replications=None, precision=DIFFERENCES, max_replications=2000, workers=2)
    assert again.manifest["precision"] == sure.manifest["precision"]
    for name in COLUMNS:
        assert (again.directory / name).read_bytes() == (sure.directory / name).read_bytes(), name


def test_the_number_it_took_gives_the_same_without_asking(sure, tmp_path):
    plain = run_small(tmp_path, replications=sure.manifest["replications"])
    for name in COLUMNS:
        assert (plain.directory / name).read_bytes() == (sure.directory / name).read_bytes(), name
    assert "precision" not in plain.manifest


def test_a_run_that_ends_before_it_is_sure_says_what_is_left(tmp_path):
    said = Console(record=True, width=400, file=StringIO())
    options = Options(
        None, overrides=SHORT, workers=1, figures=False, precision="price_mean=0.01%", max_replications=130
    )
    results = run_study(write_experiment(tmp_path), options, said)
    told = results.manifest["precision"]
    assert not told["reached"] and results.manifest["replications"] == 128
    assert "not reached within the 128 replications" in said.export_text()
    assert json.loads((results.directory / "manifest.json").read_text())["precision"] == told
