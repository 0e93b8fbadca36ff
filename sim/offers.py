"""Several policies at one stockpile in one review: which of their offers or bids stand, and whose trade is whose.

A stockpile sells at one price and buys at one limit. Offers at different prices meet by a rule that does not depend on
the order in which policies act, and that sells nobody's metal below the price its policy asks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.network import Index

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Offer:
    """What one policy offers out of a stockpile in a review, beside what others offer out of the same.

    Attributes
    ----------
    lanes : (lane,) int, ascending
    prior : (lane, replication) float, t/d
        Zero where another offer stands in its place.
    fellows : list of Offer
        All offers out of the stockpile in this review, itself included.
    """

    lanes: Index
    prior: Array
    fellows: list[Offer]

    @property
    def part(self) -> Array | float:
        """Its part of what flows on each of its lanes, (lane, replication), or 1 where it is alone."""
        if len(self.fellows) == 1:
            return 1.0
        total = np.zeros_like(self.prior)
        for other in self.fellows:
            _, mine, theirs = np.intersect1d(self.lanes, other.lanes, return_indices=True)
            total[mine] += other.prior[theirs]
        return np.divide(self.prior, total, out=np.zeros_like(total), where=total > 0)


@dataclass(frozen=True)
class Bid:
    """What one policy lets a stockpile buy in a review, (replication,) t, beside what others let it buy."""

    amount: Array
    fellows: list[Bid]

    @property
    def part(self) -> Array | float:
        """Its part of what the stockpile buys, (replication,), or 1 where it is alone."""
        if len(self.fellows) == 1:
            return 1.0
        total = np.zeros_like(self.amount)
        for other in self.fellows:
            total += other.amount
        return np.divide(self.amount, total, out=np.zeros_like(total), where=total > 0)


def meet(
    amount: Array, price: Array, before: Mask | None, more: Array, at: Array, sought: Mask | None, sign: float
) -> tuple[Mask, Mask, Mask]:
    """Let an offer meet those that stand.

    Offers that the market sought in the last review stand together at the highest of their prices; where there is none,
    the cheapest stands alone, or those at the same price together. Of bids the same holds the other way round.

    Parameters
    ----------
    amount, price : (replication,) float
        What stands, changed in place.
    before, sought : (replication,) bool or None
        Whether what stands, and what is new, was sought in the last review; None: nowhere.
    more, at : (replication,) float
        Amount and log price of the new one.
    sign : float
        1 for offers, -1 for bids.

    Returns
    -------
    joins, replaces : (replication,) bool
        Where the new one joins what stands, and where it takes its place.
    standing : (replication,) bool
        Whether what stands now was sought.
    """
    nowhere = np.zeros(more.size, dtype=bool)
    old, new = nowhere if before is None else before, nowhere if sought is None else sought
    better = (new & ~old) | (~new & ~old & (sign * at < sign * price))
    replaces = (more > 0) & ((amount <= 0) | better)
    joins = (more > 0) & ~replaces & ((new & old) | (~new & ~old & (at == price)))
    price[:] = np.where(replaces, at, np.where(joins, sign * np.maximum(sign * price, sign * at), price))
    amount[:] = np.where(replaces, more, np.where(joins, amount + more, amount))
    return joins, replaces, np.where(replaces, new, old)
