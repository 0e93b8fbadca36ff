"""What must hold at the end of every review of every world, checked from outside the engine's own books."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.nodes.markets import Book
from sim.world import World

Array = NDArray[np.float64]

MASS = 1e-9
ADDS_UP = 1e-6


class Ledger:
    """Counts metal by material and replication, slot by slot, and holds it against what was mined and used."""

    def __init__(self) -> None:
        self.start: Array | None = None
        self.worst = 0.0

    def __call__(self, world: World, book: Book) -> None:
        """Check one review."""
        stocks, network = world.stocks, world.network
        rows = len(network.materials)
        here = np.zeros((rows, world.draws.replications))
        np.add.at(here, network.supplier_material, stocks.supplier)
        np.add.at(here, network.buyer_material, stocks.buyer)
        for slot in stocks.pipeline:
            np.add.at(here, network.buyer_material, slot)
        for slot in stocks.returning:
            np.add.at(here, network.supplier_material, slot)
        if stocks.tracked is not None:
            for slot in stocks.tracked.held:
                np.add.at(here, network.buyer_material[network.lane_buyer[stocks.tracked.lanes]], slot)
        moved = np.zeros_like(here)
        np.add.at(moved, network.supplier_material, stocks.made - stocks.left)
        np.add.at(moved, network.buyer_material, -stocks.used)
        if self.start is None:
            self.start = here - moved
        total = np.maximum(here, self.start + np.abs(moved))
        self.worst = max(self.worst, float(np.max(np.abs(here - self.start - moved) / np.maximum(total, 1e-12))))
        assert self.worst < MASS


def assert_sane(world: World, book: Book) -> None:
    """No NaN, nothing negative, prices at most the choke price, expected goods are the goods under way."""
    stocks, beliefs = world.stocks, world.beliefs
    for name, values in {**vars(beliefs), **vars(stocks)}.items():
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            assert np.isfinite(values).all(), f"{name} on day {world.day}"
    scale = max(float(stocks.supplier.max()), 1.0)
    for values in (stocks.supplier, stocks.buyer, stocks.pipeline, stocks.returning, book.flow):
        assert values.min() > -1e-9 * scale
    assert book.delivered.max() <= world.habits.v_max + 1e-9
    assert np.allclose(stocks.under_way(), stocks.in_transit, rtol=1e-9, atol=1e-9 * scale)
    assert np.allclose(stocks.returning.sum(axis=0), stocks.in_return, rtol=1e-9, atol=1e-9 * scale)


def assert_causes_add_up(world: World, book: Book) -> None:
    """The parts of every buyer's price sum to it, and those of every input cost to that cost."""
    assert np.abs(book.parts.sum(axis=1) - book.delivered).max() < ADDS_UP
    smooth = book.parts_smooth.sum(axis=1) - world.beliefs.price_smooth
    assert np.abs(smooth[book.is_traced]).max(initial=0.0) < ADDS_UP
    traced = np.array([s for s, _ in book.inputs_of], dtype=np.int64)
    if traced.size:
        assert np.abs(book.input_parts[traced].sum(axis=1) - world.beliefs.input_cost[traced]).max() < ADDS_UP


class Promises:
    """All of the above at once."""

    def __init__(self) -> None:
        self.ledger = Ledger()

    def __call__(self, world: World, book: Book) -> None:
        """Check one review."""
        self.ledger(world, book)
        assert_sane(world, book)
        assert_causes_add_up(world, book)
        assert book.unconverged == 0
