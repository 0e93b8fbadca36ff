"""What variance reduction saves is measured, not claimed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from sim.certainty import saved_sentence
from sim.compare import Comparison
from sim.draws import BLOCK_SIZE
from sim.metrics import METRICS, Key
from sim.moments import Moments
from sim.variance import FEWEST_BLOCKS, reduction
from tests.small_run import small_results

KEY = Key("tin", "metal", "JPN")
EXPERIMENT = SimpleNamespace(focus=SimpleNamespace(countries=("JPN",), materials=()))


def measured(ours, theirs):
    """Return what is measured of two scenarios, (block, replication) each, the same for all metrics."""
    comparison = Comparison(["x", "ref"], ["ref"], {"x": [KEY], "ref": [KEY]})
    levels = {name: ([KEY], Moments((len(METRICS), 1))) for name in ("x", "ref")}
    blocks = {name: ([KEY], Moments((len(METRICS), 1))) for name in ("x", "ref")}
    for pair in zip(ours, theirs, strict=True):
        both = {name: np.broadcast_to(row, (len(METRICS), 1, row.size)) for name, row in zip(levels, pair, strict=True)}
        comparison.add({name: ([KEY], values) for name, values in both.items()})
        for name, values in both.items():
            levels[name][1].add(values)
            blocks[name][1].add(values.mean(axis=2)[..., None])
    return reduction(EXPERIMENT, comparison, levels, blocks)


def test_shared_luck_is_the_variance_it_takes_away():
    """Two scenarios with sd 1 whose difference has sd 0.1 need a 200th."""
    rng = np.random.default_rng(3)
    luck = rng.normal(size=(64, BLOCK_SIZE))
    found = measured(luck, luck + 0.1 * rng.normal(size=luck.shape))
    assert found["common_random_numbers"]["factor"] == pytest.approx(200, rel=0.1)
    # Independent draws save nothing; 63 degrees of freedom are good to 18 % (1 sd).
    assert found["latin_hypercube"]["factor"] == pytest.approx(1, rel=0.6)


def test_a_design_is_the_variance_between_blocks_it_takes_away():
    """A quantity linear in one Latin hypercube column: block means vary by 1/n^2 less (McKay et al. 1979)."""
    rng = np.random.default_rng(4)
    column = (rng.permuted(np.tile(np.arange(BLOCK_SIZE), (40, 1)), axis=1) + rng.random((40, BLOCK_SIZE))) / BLOCK_SIZE
    found = measured(column, rng.random((40, BLOCK_SIZE)))
    assert found["latin_hypercube"]["p95"] > 1000
    assert found["common_random_numbers"]["factor"] == pytest.approx(1, rel=0.1)


def test_too_few_blocks_measure_no_design():
    rng = np.random.default_rng(5)
    found = measured(*rng.normal(size=(2, FEWEST_BLOCKS - 1, BLOCK_SIZE)))
    assert found["latin_hypercube"] is None and found["common_random_numbers"] is not None


def test_what_never_varies_is_left_out():
    found = measured(np.zeros((9, BLOCK_SIZE)), np.zeros((9, BLOCK_SIZE)))
    assert found["common_random_numbers"] is None and list(saved_sentence(found)) == []


def test_manifest_and_answer_tell_it():
    results = small_results()
    saved = results.manifest["variance_reduction"]
    assert saved["common_random_numbers"]["factor"] > 0 and saved["latin_hypercube"] is None
    assert "the same luck in all scenarios about" in results.answer
    both = {"common_random_numbers": {"factor": 12.3}, "latin_hypercube": {"factor": 1.5}}
    (said,) = saved_sentence(both)
    assert "the same luck in all scenarios about 12.3 times for differences" in said
    assert "evenly spread draws (Latin hypercube) about 1.50 times for means." in said
