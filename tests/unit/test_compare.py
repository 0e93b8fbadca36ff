"""Differences are paired by replication."""

import numpy as np
import pytest

from sim.compare import Comparison, aligned, pairs
from sim.metrics import METRICS, POLICY_COSTS, Key
from tests.small_run import REPLICATIONS, small_results

A, B = Key("tin", "metal", "JPN"), Key("tin", "metal", "USA")
COST = METRICS.index(POLICY_COSTS[0])


def metrics(*rows):
    return np.broadcast_to(np.array(rows, float), (len(METRICS), len(rows), len(rows[0]))).copy()


def test_every_scenario_is_compared_with_every_reference_but_itself():
    assert pairs(["a", "b", "c"], ["a", "b"]) == [("a", "b"), ("b", "a"), ("c", "a"), ("c", "b")]


def test_a_missing_group_has_no_metrics_and_no_policy_costs():
    found = aligned(([B], metrics([1.0, 2.0])), [A, B])
    assert np.isnan(found[0, 0]).all()
    assert found[COST, 0].tolist() == [0.0, 0.0]
    assert found[0, 1].tolist() == [1.0, 2.0]


def test_difference_is_that_of_pairs_whatever_the_blocks():
    rng = np.random.default_rng(1)
    ours, theirs = metrics(*rng.normal(size=(2, 9))), metrics(*rng.normal(size=(2, 9)))
    gathered = Comparison(["x", "ref"], ["ref"], {"x": [A, B], "ref": [A, B]})
    for part in (slice(0, 4), slice(4, 9)):
        gathered.add({"x": ([A, B], ours[..., part]), "ref": ([A, B], theirs[..., part])})
    moments = gathered.moments["x", "ref"]
    difference = ours - theirs
    assert moments.mean == pytest.approx(difference.mean(axis=2))
    assert moments.squares / 8 == pytest.approx(difference.var(axis=2, ddof=1))


def test_what_cannot_be_compared_has_no_row():
    gathered = Comparison(["x", "ref"], ["ref"], {"x": [A, B], "ref": [A]})
    gathered.add({"x": ([A, B], metrics([1.0, 2.0], [3.0, 4.0])), "ref": ([A], metrics([1.0, 1.0]))})
    rows = list(gathered.rows())
    assert {row[6] for row in rows if row[4] == "USA"} == set(POLICY_COSTS)
    assert {row[6] for row in rows if row[4] == "JPN"} == set(METRICS)


def test_table_is_the_difference_of_the_replications():
    results = small_results()
    wide = results.replications.set_index(["scenario", "replication", "material", "country", "sector"])
    difference = wide.loc["what_if", list(METRICS)] - wide.loc["baseline", list(METRICS)]
    mean = difference.groupby(level=["material", "country", "sector"], observed=True).mean()
    table = results.comparison
    assert set(table["scenario"]) == {"what_if"} and set(table["reference"]) == {"baseline"}
    assert (table["n"] <= REPLICATIONS).all()
    for row in table.itertuples():
        assert row.difference == pytest.approx(mean.loc[(row.material, row.country, row.sector), row.metric], abs=1e-6)
        assert row.ci_low <= row.difference <= row.ci_high
