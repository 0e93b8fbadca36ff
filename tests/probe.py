"""Runs of the engine that a test can look into: what the world holds at the end of every review."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.cases import prepare
from sim.config import schema
from sim.config.load import Plan, load_plan
from sim.engine import Block, Case, build, run_block, start_processes
from sim.nodes.markets import Book
from sim.world import World
from tests.worlds import tiny_plan

Array = NDArray[np.float64]
T = TypeVar("T")

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "us_japan_framework.yaml"

LAST_STAGE = 900
"""After everything else in the recording phase."""


def cases_of(plan: Plan) -> dict[str, Case]:
    """Return the cases of a plan by scenario."""
    return {case.name: case for case in prepare(plan)}


def tiny_case(**options: Any) -> Case:
    """Return one case of the tiny world: with policies the scenario that has them, else the baseline."""
    cases = cases_of(tiny_plan(**options))
    return cases["what_if" if options.get("policies") is not None else "baseline"]


def real_case(overrides: Iterable[str] = (), scenario: str = "baseline") -> Case:
    """Return a case of the rare-earth world as the repository ships it."""
    plan = load_plan(EXPERIMENT, list(overrides))
    wanted = tuple(each for each in plan.scenarios if each.name == scenario)
    return cases_of(replace(plan, scenarios=wanted))[scenario]


def reviewed_every(case: Case, days: int) -> Case:
    """Return the same case with another review interval."""
    return replace(case, horizon=case.horizon.model_copy(update={"review": schema.Number(float(days), dimension="d")}))


def until(case: Case, end: str) -> Case:
    """Return the same case with another last day."""
    return replace(case, horizon=case.horizon.model_copy(update={"end": dt.date.fromisoformat(end)}))


def switched(case: Case, **switches: bool) -> Case:
    """Return the same case with other switches."""
    return replace(case, switches=case.switches.model_copy(update=switches))


def watch(
    case: Case, look: Callable[[World, Book], T], seed: int = 1, block: int = 0, replications: int = 4
) -> list[T]:
    """Run one block and return what ``look`` sees at the end of every review."""
    return build_and_run(case, look, seed=seed, block=block, replications=replications)


def build_and_run(
    case: Case,
    look: Callable[[World, Book], T],
    more: Iterable[Callable[[World], Iterator[simpy.Event]]] = (),
    seed: int = 1,
    block: int = 0,
    replications: int = 4,
) -> list[T]:
    """Run one block as `run_block` does, with further processes of the test's own."""
    world, running = build(case, seed, block, replications)
    book = Book(world)
    start_processes(world, running, book)
    seen: list[T] = []

    def stand_by() -> Iterator[simpy.Event]:
        while True:
            yield world.next(Phase.RECORDING, LAST_STAGE)
            seen.append(look(world, book))

    for process in more:
        world.env.process(process(world))
    world.env.process(stand_by())
    world.env.run(until=world.calendar.horizon)
    return seen


def everything(block: Block) -> dict[str, Array]:
    """Return all that a block leaves, as arrays by name; equal blocks are equal in every one, bit by bit."""
    kept = vars(block.recorder).items()
    found = {name: value for name, value in kept if isinstance(value, np.ndarray) and not name.startswith("_")}
    for what, values in (("spending", block.spending), ("timeline", block.timeline), ("ranges", block.ranges)):
        for key, value in values.items():
            for i, part in enumerate(value if isinstance(value, tuple) else (value,)):
                found[f"{what} {key} {i}"] = part
    return found


def assert_same(one: Mapping[str, Array], other: Mapping[str, Array]) -> None:
    """Hold two sets of arrays to bit-identity."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.array_equal(value, other[name], equal_nan=value.dtype.kind == "f"), name


__all__ = [
    "assert_same",
    "build_and_run",
    "cases_of",
    "everything",
    "real_case",
    "reviewed_every",
    "run_block",
    "switched",
    "tiny_case",
    "until",
    "watch",
]
