"""Metal is moved, never set: the verbs of sim.state and its ledger."""

from __future__ import annotations

import numpy as np
import pytest

from sim.engine import build
from sim.errors import EngineError
from sim.state import Stocks
from tests.probe import Array, tiny_case


def stocks(days: str = "24 d", longest_delay: float = 70.0) -> Stocks:
    world, _ = build(tiny_case(overrides=[f"transit.everywhere.days={days}"]), 1, 0, 2)
    return Stocks(world.network, world.baseline, 7.0, longest_delay)


def per_lane(held: Stocks, value: float) -> Array:
    return np.full((held.network.lane_buyer.size, 2), value)


def total(held: Stocks) -> Array:
    return (held.supplier + held.in_return).sum(axis=0) + (held.buyer + held.in_transit).sum(axis=0)


def send(held: Stocks, flow: Array, lead: float, delay: float = 0.0, share: float = 0.0, refused: float = 0.0) -> None:
    """Ship as the markets do."""
    held.send(flow, per_lane(held, lead), per_lane(held, delay), per_lane(held, share), per_lane(held, refused))


def arrivals(held: Stocks, reviews: int) -> Array:
    """Return what lands at each buyer, (review, buyer, replication)."""
    landed = []
    for _ in range(reviews):
        before = held.buyer.copy()
        held.arrive()
        landed.append(held.buyer - before)
    return np.array(landed)


def emptied(days: str = "24 d") -> Stocks:
    """Return stocks with nothing under way."""
    held = stocks(days)
    arrivals(held, held.pipeline.shape[0])
    return held


def test_a_lane_starts_full_and_lands_its_flow_from_the_first_review_on() -> None:
    """In transit before shipping ``K0 (L - D)``, and one review's flow lands at t = 0."""
    held = stocks("24 d")
    flow = 10_000.0 / 365.25
    assert held.in_transit[0] == pytest.approx(flow * 24.0)
    landed = arrivals(held, 5)[:, 0, 0] / flow
    assert landed == pytest.approx([7.0, 7.0, 7.0, 3.0, 0.0])
    assert held.in_transit == pytest.approx(np.zeros_like(held.in_transit), abs=1e-9)


@pytest.mark.parametrize("lead", [7.0, 21.0, 24.0, 27.999])
def test_a_shipment_lands_on_its_day_on_average(lead: float) -> None:
    held = emptied("28 d")
    send(held, per_lane(held, 1.0), lead)
    landed = arrivals(held, 6)[:, 0, 0]
    when = 7.0 * np.arange(1, 7)
    assert landed.sum() == pytest.approx(1.0)
    assert (landed * when).sum() == pytest.approx(lead)
    assert np.count_nonzero(landed > 1e-12) <= 2


def test_the_border_holds_a_share_back_and_sends_the_refused_home() -> None:
    """Of 100 t, 60 wait 35 days; a fifth of those returns to the seller after the wait."""
    held = emptied("21 d")
    seller, whole = held.supplier[0, 0], total(held)[0]
    flow = per_lane(held, 0.0)
    flow[0] = 100.0
    send(held, flow, 21.0, delay=35.0, share=0.6, refused=0.2)
    assert held.in_transit[0, 0] == pytest.approx(88.0)
    assert held.in_return[0, 0] == pytest.approx(12.0)
    assert total(held)[0] == pytest.approx(whole)
    landed, home = [], []
    for _ in range(9):
        before, there = held.buyer[0, 0], held.supplier[0, 0]
        held.arrive()
        landed.append(held.buyer[0, 0] - before)
        home.append(held.supplier[0, 0] - there)
    assert landed == pytest.approx([0, 0, 40, 0, 0, 0, 0, 48, 0])
    assert home == pytest.approx([0, 0, 0, 0, 12, 0, 0, 0, 0])
    assert held.supplier[0, 0] == pytest.approx(seller - 88.0)
    assert held.in_return[0, 0] == pytest.approx(0.0, abs=1e-9)


def test_goods_about_to_land_count_by_the_day() -> None:
    held = emptied("28 d")
    send(held, per_lane(held, 7.0), 14.0)
    out = np.empty_like(held.buyer)
    assert held.landing(np.full_like(held.buyer, 7.0), out)[0, 0] == 0.0
    assert held.landing(np.full_like(held.buyer, 10.5), out)[0, 0] == pytest.approx(3.5)
    assert held.landing(np.full_like(held.buyer, 99.0), out)[0, 0] == pytest.approx(7.0)


def test_every_verb_keeps_the_books() -> None:
    held, mine = stocks(), np.array([0])
    before = total(held)
    held.make(mine, np.full((1, 2), 50.0))
    held.leave(mine, np.full((1, 2), 5.0))
    held.use(np.array([1]), np.full((1, 2), 30.0))
    assert total(held) == pytest.approx(before + 50.0 - 5.0 - 30.0)
    assert held.imbalance().max() < 1e-12
    held.check(7.0)


def test_nobody_uses_more_than_there_is() -> None:
    held = stocks()
    there = held.buyer[1].copy()
    held.use(np.array([1]), np.full((1, 2), 1e9))
    assert np.array_equal(held.buyer[1], np.zeros(2))
    assert held.used[1] == pytest.approx(there)
    assert held.imbalance().max() < 1e-12


def test_metal_from_nowhere_is_found() -> None:
    held = stocks()
    held.supplier[0, 1] += 1.0
    with pytest.raises(EngineError, match=r"mass of ore does not close on day 14, replication 1"):
        held.check(14.0)


def test_a_shipment_longer_than_the_ring_is_refused() -> None:
    held = stocks("21 d", longest_delay=0.0)
    with pytest.raises(EngineError, match="longer than the pipeline"):
        send(held, per_lane(held, 1.0), 21.0, delay=70.0, share=1.0)
