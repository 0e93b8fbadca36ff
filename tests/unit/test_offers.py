"""Offers out of one stockpile, and bids for one, meet in whatever order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sim.offers import Bid, Offer, meet

# Amount, price, and whether the market sought it.
OFFERS = {
    "one": [(3.0, 1.0, False)],
    "the cheaper": [(3.0, 1.0, False), (5.0, 2.0, False)],
    "what was sought before what was not": [(3.0, 1.0, False), (5.0, 0.5, True), (4.0, 2.0, False)],
    "all that were sought": [(3.0, 0.2, True), (5.0, 0.5, True), (4.0, 2.0, False), (1.0, 0.1, True)],
    "those at one price": [(3.0, 1.0, False), (5.0, 1.0, False), (9.0, 1.5, False)],
    "none of nothing": [(3.0, 1.0, False), (0.0, 0.0, True)],
}
STANDS = {"one": (3, 1), "the cheaper": (3, 1), "what was sought before what was not": (5, 0.5),
          "all that were sought": (9, 0.5), "those at one price": (8, 1), "none of nothing": (3, 1)}  # fmt: skip


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.parametrize("sign", [1.0, -1.0], ids=["offers", "bids"])
def test_what_stands_does_not_depend_on_the_order(name: str, sign: float) -> None:
    for order in itertools.permutations(OFFERS[name]):
        amount, price, standing = np.zeros(1), np.zeros(1), None
        for more, at, sought in order:
            given = np.array([more]), np.array([sign * at]), np.array([sought])
            _, _, standing = meet(amount, price, standing, *given, sign)
        assert (amount[0], sign * price[0]) == pytest.approx(STANDS[name])


def test_each_has_its_part_of_what_flows() -> None:
    fellows: list[Offer] = []
    fellows += [Offer(np.array([1, 4]), np.array([[1.0], [3.0]]), fellows)]
    assert fellows[0].part == 1.0
    fellows += [Offer(np.array([4, 7]), np.array([[1.0], [2.0]]), fellows)]
    assert np.asarray(fellows[0].part).ravel() == pytest.approx([1.0, 0.75])
    assert np.asarray(fellows[1].part).ravel() == pytest.approx([0.25, 1.0])


def test_each_has_its_part_of_what_is_bought() -> None:
    bids: list[Bid] = []
    bids += [Bid(np.array([3.0, 0.0]), bids)]
    assert bids[0].part == 1.0
    bids += [Bid(np.array([1.0, 0.0]), bids)]
    assert np.asarray(bids[0].part) == pytest.approx([0.75, 0.0])
    assert np.asarray(bids[1].part) == pytest.approx([0.25, 0.0])
