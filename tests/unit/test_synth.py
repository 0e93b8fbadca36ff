"""Synthetic worlds: balanced by construction, the same for the same seed, never over anything that is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.cases import load
from sim.config.load import iter_numbers
from sim.engine import build, run_block
from sim.errors import ConfigError
from sim.synth import STAGES, Synthesis, write_world

SIZES = [(1, 1, 1), (7, 4, 2), (40, 6, 6), (90, 2, 3)]
"""Facilities, materials, degree."""


def files(directory: Path) -> dict[str, bytes]:
    return {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("facilities", "materials", "degree"), SIZES)
def test_a_world_validates_and_nothing_is_moved_to_balance_it(
    tmp_path: Path, facilities: int, materials: int, degree: int
) -> None:
    plan, cases = load(write_world(tmp_path / "world", facilities, materials, degree), balanced=True)
    world = plan.scenarios[0].world
    assert (len(world.facilities), len(world.materials)) == (facilities, materials)
    baseline = build(cases[0], 1, 0, 1)[0].baseline
    assert np.allclose(list(baseline.moved_lanes.values()), 1.0, rtol=1e-9)
    for factor in baseline.closure.moved.values():
        assert factor == pytest.approx(1.0, abs=1e-9)


def test_nothing_happens_until_the_ban(tmp_path: Path) -> None:
    quiet = ["switches.hazards=false", "switches.noise=false"]
    _, (calm, banned) = load(write_world(tmp_path / "world", 40, 6), quiet)
    before, after = run_block(calm, 1, 0, 2), run_block(banned, 1, 0, 2)
    assert before.unconverged == after.unconverged == 0
    assert not before.recorder.unmet.any()
    assert before.recorder.price_peak.max() < 1.01
    assert after.recorder.price_peak.max() > 1.1


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one", "same", "other"))
    write_world(one, 30, 5, 4, seed=7)
    write_world(same, 30, 5, 4, seed=7)
    write_world(other, 30, 5, 4, seed=8)
    assert files(one) == files(same)
    assert files(one) != files(other)


def test_no_number_is_drawn_and_every_one_says_that_it_is_synthetic(tmp_path: Path) -> None:
    plan, _ = load(write_world(tmp_path / "world", 30, 6))
    numbers = list(iter_numbers(plan.scenarios[0].world))
    assert numbers
    assert not any(number.uncertain for number in numbers)
    assert {(number.source, number.note) for number in numbers} == {("assumption", "synthetic")}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_flows_meet_at_every_stage(data: st.DataObject) -> None:
    materials = data.draw(st.integers(1, 8))
    facilities = data.draw(st.integers(materials, 120))
    degree = data.draw(st.integers(1, 9))
    world = Synthesis(facilities, materials, degree, data.draw(st.integers(0, 5)))
    stages = [stage for chain in world.chains for stage in chain]
    assert sum(len(stage.makers) for stage in stages) == facilities
    assert len(stages) == materials
    for stage in stages:
        assert np.bincount(stage.lane_buyer, stage.share) == pytest.approx(1.0)
        assert np.bincount(stage.lane_maker, stage.flow) == pytest.approx(stage.throughput)
        assert (stage.throughput > 0).all()
        lanes = np.bincount(stage.lane_buyer)
        assert (lanes >= min(degree, len(stage.makers))).all()
        assert stage.lane_buyer.size <= degree * len(stage.buyers) + len(stage.makers)
    for chain, recipe in zip(world.chains, world.recipes, strict=True):
        for below, above, name in zip(chain, chain[1:], STAGES[1:], strict=False):
            assert below.throughput.sum() == pytest.approx(above.throughput.sum() * recipe[name])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((3, 6, 6, 1), "facilities: got '3'"),
        ((3, 0, 6, 1), "materials: got '0'"),
        ((9, 3, 0, 1), "degree: got '0'"),
        ((9, 3, 6, -1), "seed: got '-1'"),
    ],
)
def test_arguments_out_of_range_are_refused(tmp_path: Path, arguments: tuple[int, int, int, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        write_world(tmp_path / "world", *arguments)
    assert list(tmp_path.iterdir()) == []


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        write_world(tmp_path / "world", 3, 6, 0, -1)
    assert len(caught.value.problems) == 3


def test_what_is_there_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="Holds something already"):
        write_world(tmp_path, 9, 3)
    with pytest.raises(ConfigError, match="Holds something already"):
        write_world(tmp_path / "notes.txt", 9, 3)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_directory_may_be_filled(tmp_path: Path) -> None:
    assert write_world(tmp_path, 9, 3).is_file()


def test_after_an_error_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sim.synth._yaml", broken)
    with pytest.raises(ConfigError, match="No space left"):
        write_world(tmp_path / "world", 9, 3)
    assert list(tmp_path.iterdir()) == []
