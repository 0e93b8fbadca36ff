"""A run is a set of pure functions of (scenario, seed, block), whoever runs them (design section 6)."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from sim.cases import prepare
from sim.draws import BLOCK_SIZE
from sim.errors import ConfigError, EngineError, Problem
from sim.moments import Moments, histogram_quantiles, quantiles, share_interval
from sim.montecarlo import Simulator, plan_jobs, warm_up
from sim.parts import PartFile
from sim.tables import COLUMNS
from tests.small_run import REPLICATIONS, SHORT, run_small, small_results
from tests.worlds import tiny_plan

floats = st.floats(-1e6, 1e6)


# -- blocks over workers --------------------------------------------------------------------------------


def test_one_and_two_workers_give_the_same_bytes():
    """Block invariance: bit-identical whatever the number of workers."""
    one, two = small_results(workers=1).directory, small_results(workers=2).directory
    for name in COLUMNS:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_some_replications_of_a_block_are_those_of_all(tmp_path):
    """Replication k is the same in a run of fewer."""
    few = run_small(tmp_path, replications=3).replications
    many = small_results().replications
    pd.testing.assert_frame_equal(few, many[many["replication"] < 3].reset_index(drop=True))


def test_every_replication_has_a_history_of_its_own():
    runs = small_results().replications
    assert runs["replication"].nunique() == REPLICATIONS
    one = runs[(runs["scenario"] == "baseline") & (runs["country"] == "JPN") & (runs["sector"] == "all")]
    assert one["price_mean"].nunique() == REPLICATIONS


def test_jobs_go_block_by_block_and_the_last_block_may_be_short(tmp_path):
    jobs = plan_jobs([{"name": "a"}, {"name": "b"}], 1, BLOCK_SIZE + 2, tmp_path)
    assert [(job.block, job.scenario, job.replications) for job in jobs] == [
        (0, 0, BLOCK_SIZE), (0, 1, BLOCK_SIZE), (1, 0, 2), (1, 1, 2)
    ]  # fmt: skip
    assert len({job.path for job in jobs}) == 4


@pytest.mark.parametrize("change", [{"seed": 2}, {"identity": {"name": "b"}}, {"replications": 5}])
def test_a_part_is_named_by_all_that_decides_what_is_in_it(tmp_path, change):
    def first(identity=None, seed=1, replications=4):
        (job,) = plan_jobs([identity or {"name": "a"}], seed, replications, tmp_path)
        return job.path

    assert first() == first() != first(**change)


def simulate(cases, jobs, told=lambda _: None, **how):
    with Simulator(cases, 1, **{"workers": 1, **how}) as simulator:
        return simulator.run(jobs, told)


@pytest.fixture
def small(tmp_path):
    cases = prepare(tiny_plan(overrides=SHORT))
    return cases, plan_jobs([{"name": case.name} for case in cases], 1, 2, tmp_path)


def test_finished_parts_are_not_run_again_and_damaged_ones_are(small):
    cases, jobs = small
    told = []
    simulate(cases, jobs, told.append)
    (job,) = jobs
    first = job.path.stat()
    simulate(cases, jobs, told.append)
    assert told == [2, 2] and job.path.stat().st_mtime_ns == first.st_mtime_ns
    job.path.write_bytes(b"half a file")
    simulate(cases, jobs, told.append)
    with PartFile(job.path) as part:
        assert part.array("metrics").shape[2] == 2
    assert not list(job.path.parent.glob("*.tmp"))


def test_a_block_that_fails_says_which(small, monkeypatch):
    cases, jobs = small

    def break_down(*_):
        raise EngineError("mass is missing")

    monkeypatch.setattr("sim.montecarlo.run_block", break_down)
    with pytest.raises(EngineError, match="scenario baseline, block 0: mass is missing"):
        simulate(cases, jobs)


def test_a_world_that_cannot_be_balanced_is_named(small, monkeypatch):
    cases, jobs = small

    def break_down(*_):
        raise ConfigError([Problem("trade.ore", "no trade fits.")])

    monkeypatch.setattr("sim.montecarlo.run_block", break_down)
    with pytest.raises(ConfigError, match=r"scenario baseline, trade\.ore: no trade fits"):
        simulate(cases, jobs)


def test_kernels_are_compiled_on_a_first_review(small, monkeypatch):
    seen = []
    monkeypatch.setattr("sim.montecarlo.run_block", lambda case, *rest: seen.append((case.calendar.reviews, rest)))
    warm_up(small[0][0], 1)
    assert seen == [(1, (1, 0, 1))]


# -- moments and quantiles ------------------------------------------------------------------------------


@given(st_numpy.arrays(float, st.tuples(st.just(3), st.integers(1, 30)), elements=floats), st.data())
def test_moments_of_blocks_are_those_of_all(values, data):
    """Merging as in Chan, Golub and LeVeque (1983), NaN left out."""
    holes = data.draw(st_numpy.arrays(bool, values.shape))
    values = np.where(holes, np.nan, values)
    cut = data.draw(st.integers(0, values.shape[1]))
    moments = Moments((3,))
    moments.add(values[:, :cut])
    moments.add(values[:, cut:])
    for row in range(3):
        there = values[row][~np.isnan(values[row])]
        assert moments.count[row] == there.size
        if there.size:
            assert moments.mean[row] == pytest.approx(there.mean(), rel=1e-9, abs=1e-6)
            assert moments.squares[row] == pytest.approx(((there - there.mean()) ** 2).sum(), rel=1e-6, abs=1e-3)


def test_interval_is_students():
    moments = Moments((2,))
    moments.add(np.array([[1.0, 2.0, 3.0, 4.0], [5.0, np.nan, np.nan, np.nan]]))
    mean, low, high = moments.interval()
    # t(3) at 97.5 % is 3.18245; the standard error sqrt(5/3)/2.
    assert (mean[0], low[0], high[0]) == pytest.approx((2.5, 2.5 - 2.054261, 2.5 + 2.054261), abs=1e-5)
    assert mean[1] == 5.0 and np.isnan(low[1]) and np.isnan(high[1])
    assert np.isnan(Moments((1,)).interval()[0]).all()


def test_equal_values_have_no_spread():
    moments = Moments((1,))
    moments.add(np.zeros((1, 5)))
    assert [end.tolist() for end in moments.interval()] == [[0.0], [0.0], [0.0]]


@given(st_numpy.arrays(float, st.tuples(st.just(2), st.integers(1, 20)), elements=st.one_of(floats, st.just(np.nan))))
def test_quantiles_are_linear_and_leave_out_nan(values):
    found = quantiles(values, (0.05, 0.5, 0.95))
    for row in range(2):
        there = values[row][~np.isnan(values[row])]
        expected = np.quantile(there, (0.05, 0.5, 0.95)) if there.size else [np.nan] * 3
        assert found[:, row] == pytest.approx(expected, rel=1e-9, abs=1e-6, nan_ok=True)


def test_quantiles_of_a_histogram_are_middles_of_bins():
    counts = np.array([[0, 2, 2, 0], [4, 0, 0, 0]], dtype=np.uint32)
    found = histogram_quantiles(counts, np.array([0.5, 1.5, 2.5, 3.5]), (0.05, 0.5, 0.95))
    assert found.T.tolist() == [[1.5, 1.5, 2.5], [0.5, 0.5, 0.5]]


def test_interval_of_a_share_holds_at_its_ends():
    """Wilson (1927): 0 of 10 leaves up to 27.8 %."""
    share, low, high = share_interval(np.array([0, 5, 10]), 10)
    assert share.tolist() == [0.0, 0.5, 1.0]
    assert low == pytest.approx([0.0, 0.2366, 0.7225], abs=1e-4)
    assert high == pytest.approx([0.2775, 0.7634, 1.0], abs=1e-4)
