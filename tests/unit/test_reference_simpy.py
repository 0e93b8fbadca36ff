"""The yardsticks of speed are the network they claim to be: they agree with each other, with theory and the engine."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks.bare_kernel import lay_out, run_bare
from benchmarks.reference_simpy import Plan, read_plan, run_reference
from sim.cases import load
from sim.engine import Case, run_block
from sim.synth import write_world

CALM = ("switches.hazards=false", "switches.noise=false")
DAILY = ("horizon.end=2025-12-31", "horizon.review=1 d")


def case_of(folder: Path, *overrides: str, degree: int = 1) -> Case:
    return load(write_world(folder / "world", 30, 3, degree), (*DAILY, *overrides))[1][0]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Case:
    return case_of(tmp_path_factory.mktemp("tree"))


def fill_of_engine(case: Case, replications: int) -> float:
    """Use over need of the consumers, before they give way to prices."""
    recorder = run_block(case, 1, 0, replications).recorder
    rows = [b for b, row in enumerate(recorder.network.buyers) if row.kind == "consumer"]
    return float(recorder.used[rows].sum() / recorder.wanted[rows].sum())


def fill_of_reference(plan: Plan, replications: int) -> float:
    outcomes = [run_reference(plan, seed) for seed in range(replications)]
    return sum(outcome.used for outcome in outcomes) / sum(outcome.wanted for outcome in outcomes)


@pytest.mark.parametrize("degree", [1, 4])
def test_nobody_is_short_in_a_calm_world(tmp_path: Path, degree: int) -> None:
    case = case_of(tmp_path, *CALM, degree=degree)
    plan = read_plan(case)
    outcome = run_reference(plan, 1)
    fill, available = run_bare(plan, lay_out(plan), 1, 2)
    assert outcome.used == pytest.approx(outcome.wanted)
    assert fill == pytest.approx(1.0)
    assert fill_of_engine(case, 1) == pytest.approx(1.0)
    assert outcome.available == pytest.approx(1.0)
    assert available == pytest.approx(1.0)
    for shipped, site in zip(outcome.shipped, plan.sites, strict=True):
        assert shipped == pytest.approx(site.throughput * plan.growth[-1], rel=0.05)  # growth fills shelves, too


def test_the_compiled_loop_is_the_same_model(tmp_path: Path) -> None:
    plan = read_plan(case_of(tmp_path, *CALM, degree=3))
    worse = [
        dataclasses.replace(site, capacity=0.4 * site.throughput) if i % 2 == 0 else site
        for i, site in enumerate(plan.sites)
    ]
    plan = dataclasses.replace(plan, sites=worse)
    outcome = run_reference(plan, 1)
    fill, _ = run_bare(plan, lay_out(plan), 1, 2)
    assert outcome.used < 0.999 * outcome.wanted
    assert fill == pytest.approx(outcome.used / outcome.wanted, rel=1e-9)


def test_availability_is_that_of_theory(tree: Case) -> None:
    """MTBF / (MTBF + MTTR), Barlow and Proschan (1975)."""
    plan = read_plan(tree)
    (site, *_) = plan.sites
    assert site.outage is not None
    renewal = site.outage
    expected = 1.0 - site.severity * renewal.repair / (renewal.failure + renewal.repair)
    seen = np.array([run_reference(plan, seed).available for seed in range(20)])
    assert abs(seen.mean() - expected) < 4.0 * seen.std(ddof=1) / np.sqrt(seen.size)
    _, available = run_bare(plan, lay_out(plan), 1, 400)
    assert abs(available.mean() - expected) < 4.0 * available.std(ddof=1) / np.sqrt(available.size)


def test_fill_rates_agree_with_outages(tree: Case) -> None:
    """Markets find other suppliers, and prices spare stock; a tree leaves little of either."""
    plan = read_plan(tree)
    plain, engine = fill_of_reference(plan, 12), fill_of_engine(tree, 32)
    bare = float(run_bare(plan, lay_out(plan), 1, 200)[0].mean())
    assert plain == pytest.approx(bare, abs=0.02)
    assert engine == pytest.approx(bare, abs=0.02)
