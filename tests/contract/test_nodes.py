"""What every physical process must do: keep its place in the review, own its rows, and leave the others alone."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module

import numpy as np
import pytest

import sim.nodes
from sim.calendar import Phase
from sim.nodes.markets import Book
from sim.world import World
from tests.examples import EXAMPLES, FULL_WORLD, ON, example
from tests.probe import Array, build_and_run, tiny_case, watch

MODULES = [import_module(f"sim.nodes.{info.name}") for info in pkgutil.iter_modules(sim.nodes.__path__)]


def test_phases_come_in_the_order_of_the_design() -> None:
    """Arrivals, policies, hazards, production, consumption, stockpile rules, markets, recording (design section 3)."""
    names = ["ARRIVALS", "POLICIES", "HAZARDS", "PRODUCTION", "CONSUMPTION", "STOCKPILES", "MARKETS", "RECORDING"]
    assert [phase.name for phase in sorted(Phase)] == names


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_a_process_explains_itself(module: object) -> None:
    assert inspect.getdoc(module)
    for name, member in inspect.getmembers(module, inspect.isfunction):
        if member.__module__ == getattr(module, "__name__", "") and not name.startswith("_"):
            assert inspect.getdoc(member), name


def test_stages_follow_the_phases_whatever_order_processes_start_in() -> None:
    """SimPy breaks ties by insertion; priorities must not leave any to break."""
    case = tiny_case(files=FULL_WORLD, policies={kind: example(kind) for kind in EXAMPLES}, overrides=ON)
    seen: list[tuple[float, int]] = []

    def spy(world: World) -> None:
        schedule = world.env.schedule

        def noted(event: object, priority: int = 1, delay: float = 0.0) -> None:
            seen.append((world.env.now + delay, int(priority)))
            schedule(event, priority=priority, delay=delay)  # type: ignore[arg-type]

        world.env.schedule = noted  # type: ignore[method-assign, assignment]

    def look(world: World, _: Book) -> None:
        if world.review == 0:
            spy(world)

    watch(case, look, replications=1)
    per_review: dict[float, list[int]] = {}
    for when, priority in seen:
        if priority >= 1000:
            per_review.setdefault(when, []).append(priority)
    repeated = {
        priority
        for priorities in per_review.values()
        for priority in priorities
        if priorities.count(priority) > 1 and priority // 1000 not in (Phase.CONSUMPTION,)
    }
    assert repeated == set()


def test_a_mine_makes_from_nothing_and_a_plant_from_its_input() -> None:
    """Metal made by smelters never exceeds ore used by them; ore is made by mines alone."""

    def look(world: World, _: Book) -> tuple[Array, Array, Array]:
        stocks, network = world.stocks, world.network
        ore = network.buyer_material == network.material_index["ore"]
        metal = network.supplier_material == network.material_index["metal"]
        mines = np.array([row.owner.startswith("mine") for row in network.suppliers])
        return stocks.used[ore].sum(axis=0), stocks.made[metal].sum(axis=0), stocks.made[mines].sum(axis=0)

    case = tiny_case(files=FULL_WORLD, policies={"ban": example("export_ban")}, overrides=ON)
    for used, smelted, mined in watch(case, look):
        assert smelted == pytest.approx(used, rel=1e-9)
        assert np.all(mined > 0)


def test_consumers_use_no_more_than_they_want_and_have() -> None:
    def look(world: World, _: Book) -> None:
        recorder = world.recorder
        assert np.all(recorder._use <= recorder._want * (1 + 1e-12))
        assert np.all(world.stocks.buyer >= 0)

    watch(tiny_case(files=FULL_WORLD, policies={"ban": example("export_ban")}, overrides=ON), look)


def test_a_stopped_clock_stops_the_world() -> None:
    """Every process waits for the next review: as many looks as reviews, on their days."""
    case = tiny_case(files=FULL_WORLD, overrides=ON)
    days = build_and_run(case, lambda world, _: world.day)
    assert days == [7.0 * i for i in range(case.calendar.reviews)]


def test_a_plant_without_one_input_makes_nothing() -> None:
    """Leontief: the scarcest input limits, whatever the others."""
    ban = {
        "type": "export_ban",
        "from": ["CHN", "USA"],
        "material": "ore",
        "start": "2025-01-02",
        "source": "assumption",
    }
    case = tiny_case(files=FULL_WORLD, policies={"ban": ban}, overrides=["horizon.end=2026-06-30"])

    def look(world: World, _: Book) -> tuple[float, float]:
        rows = world.network.buyer_rows["smelter", "ore"]
        row = world.network.supplier_row["smelter", "metal"]
        return float(world.stocks.buyer[rows, 0].sum()), float(world.stocks.made[row, 0])

    stock, made = np.array(watch(case, look, replications=1)).T
    empty = np.flatnonzero(stock == 0.0)
    assert empty.size > 5
    assert np.all(np.diff(made)[empty[:-1]] == 0.0)
