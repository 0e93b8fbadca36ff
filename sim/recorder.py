"""What is kept of a block: totals per buyer, price statistics per group, and weekly series on fixed bins.

A group is a (material, country) pair. A country's price is the mean over its buyers, weighted by baseline
requirement; its shortage days are the mean over its buyers (plants and users with thin and thick shelves)
with the same weights. `metrics` turns what is kept here into the reported metrics.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sim.balance import Baseline
from sim.calendar import Calendar
from sim.compiled import logarithm, njit
from sim.network import Network
from sim.sectors import Sectors, count_use
from sim.sums import sum_by_supplier

Array = NDArray[np.float64]
Index = NDArray[np.int64]

SERIES = ("price_pressure", "days_of_cover", "fill_rate")

PRICE_LEVELS = (1.5, 2.0, 5.0)
"""Multiples of the baseline price whose days are counted."""


class Bins:
    """Fixed bins of the weekly series, so that blocks merge exactly.

    price_pressure in 1 % steps of the log from exp(-2) to exp(5); days_of_cover in half days up to 400;
    fill_rate in steps of 0.002. The outermost bins take what lies beyond.
    """

    counts: ClassVar[dict[str, int]] = {"price_pressure": 700, "days_of_cover": 800, "fill_rate": 501}

    @classmethod
    def middles(cls, series: str) -> Array:
        """Return the value each bin stands for."""
        index = np.arange(cls.counts[series], dtype=np.float64)
        if series == "price_pressure":
            return np.asarray(np.exp(-2.0 + (index + 0.5) * 0.01))
        return np.asarray((index + 0.5) * 0.5 if series == "days_of_cover" else index * 0.002)


@njit(cache=True, error_model="numpy")
def bin_series(level: Array, cover: Array, fill: Array, tops: Array, review: int, bins: NDArray[np.uint16],
               sums: Array) -> None:  # fmt: skip
    """Fill the bins of one review and the sums over replications of what is finite (see `Bins` and `Recorder`).

    Parameters
    ----------
    level, cover, fill : (group, replication) float
        In the order of `SERIES`; NaN falls into the top bin like inf.
    tops : (series,) float
        Last bin of each series.
    bins : (series, group, review, replication) uint16
    sums : (series, group, review) float
    """
    groups, reps = level.shape
    place, strands = np.empty(reps), np.empty(4)
    for i, values in enumerate((level, cover, fill)):
        top = tops[i]
        for g in range(groups):
            if i == 0:
                for r in range(reps):
                    place[r] = (logarithm(min(max(values[g, r], 1e-6), 1e300)) + 2.0) / 0.01
            elif i == 1:
                for r in range(reps):
                    place[r] = values[g, r] / 0.5
            else:
                for r in range(reps):
                    place[r] = values[g, r] / 0.002 + 0.5
            for r in range(reps):
                held = place[r] if place[r] < top else top
                bins[i, g, review, r] = np.uint16(max(held, 0.0))
            strands[:] = 0.0
            for r in range(reps):
                strands[r % 4] += values[g, r] if abs(values[g, r]) < np.inf else 0.0
            sums[i, g, review] = (strands[0] + strands[1]) + (strands[2] + strands[3])


@njit(cache=True, error_model="numpy")
def sum_review(
    group: Index,
    price: Array,
    weight: Array,
    price0: Array,
    on_hand: Array,
    requirement: Array,
    want: Array,
    use: Array,
    bought: Array,
    independent: Array,
    traced: bool,
    review: float,
    levels: tuple[float, ...],
    level: Array,
    cover: Array,
    fill: Array,
    min_cover: Array,
    price_sum: Array,
    price_peak: Array,
    days_above: Array,
    bill: Array,
    independent_sum: Array,
) -> None:
    """Sum one review's prices, cover, fill and bills by group, and add them to the totals, in place.

    Parameters
    ----------
    group : (buyer,) int
        -1 for stockpiles, which are left out.
    price to bought, independent : (buyer, replication) float
    levels : tuple of float
        Multiples of the normal price above which days count.
    level, cover, fill : (group, replication) float
        Overwritten: price against normal, days of cover (inf without need), use over want (1 without).
    """
    groups, reps = level.shape
    held, needed, wanted, used = (
        np.zeros((groups, reps)), np.zeros((groups, reps)), np.zeros((groups, reps)), np.zeros((groups, reps))
    )  # fmt: skip
    level[:] = 0.0
    for b in range(group.size):
        g = group[b]
        if g < 0:
            continue
        for r in range(reps):
            level[g, r] += price[b, r] * weight[b, r]
            held[g, r] += on_hand[b, r]
            needed[g, r] += requirement[b, r]
            wanted[g, r] += want[b, r]
            used[g, r] += use[b, r]
            bill[g, r] += bought[b, r] * (price[b, r] - 1.0) * price0[b, r]
        if traced:
            for r in range(reps):
                independent_sum[g, r] += use[b, r] * independent[b, r]
    for g in range(groups):
        for r in range(reps):
            cover[g, r] = held[g, r] / needed[g, r] if needed[g, r] > 0.0 else np.inf
            fill[g, r] = used[g, r] / wanted[g, r] if wanted[g, r] > 0.0 else 1.0
            min_cover[g, r] = min(min_cover[g, r], cover[g, r])
            price_sum[g, r] += level[g, r] * review
            price_peak[g, r] = max(price_peak[g, r], level[g, r])
        for i in range(len(levels)):
            for r in range(reps):
                days_above[i, g, r] += review if level[g, r] > levels[i] else 0.0


class Recorder:
    """Collects one block of one scenario.

    Attributes
    ----------
    short_days, unmet, used, wanted, curtailed, destroyed : (buyer, replication) float
        Sums over the run; days or t.
    longest : (buyer, replication) float, d
    min_cover : (group, replication) float, d
    price_sum, price_peak : (group, replication) float
    days_above : (level, group, replication) float, d
    bill : (group, replication) float, USD
        Extra cost of purchases over the baseline price.
    planned, not_built : (group, replication) float
        End products of a company, the same in all its groups; 0 elsewhere.
    first_short, last_short : (group, replication) float, d
        First shortage after the disruption starts (inf: none) and end of the last one (-inf: none).
    bins : (series, group, review, replication) uint16
    sums : (series, group, review) float
        Sum over replications, for exact means.
    sectors : Sectors
        Use by sector, of groups that a policy follows.
    """

    def __init__(self, network: Network, baseline: Baseline, calendar: Calendar, replications: int) -> None:
        buyers, groups, reps = len(network.buyers), len(network.groups), replications
        self.network, self.calendar = network, calendar
        self.group = network.buyer_group
        # Where nobody buys at the start, the classes of later plants count; elsewhere such plants add nothing.
        idle = self._by_group(baseline.requirement)[self.group] <= 0
        weight = np.where(idle, baseline.class_share[:, None], baseline.requirement)
        self.weight = weight / self._by_group(weight)[self.group]
        self.weight[self.group < 0] = 0.0
        self.price0 = baseline.price[network.buyer_material]
        self.short_days, self.unmet, self.used, self.wanted, self.curtailed, self.destroyed = (
            np.zeros((buyers, reps)) for _ in range(6)
        )
        self.streak, self.longest = np.zeros((buyers, reps)), np.zeros((buyers, reps))
        self.was_short = np.zeros((buyers, reps), dtype=bool)
        self.min_cover = np.full((groups, reps), np.inf)
        self.price_sum, self.price_peak, self.bill = (np.zeros((groups, reps)) for _ in range(3))
        self.days_above = np.zeros((len(PRICE_LEVELS), groups, reps))
        self.independent = np.zeros((groups, reps))
        self.planned, self.not_built = np.zeros((groups, reps)), np.zeros((groups, reps))
        self.first_short, self.last_short = np.full((groups, reps), np.inf), np.full((groups, reps), -np.inf)
        self.any_short = np.full((groups, reps), np.inf)
        self.disruption_start = np.full(reps, np.inf)
        self.bins = np.zeros((len(SERIES), groups, calendar.reviews, reps), dtype=np.uint16)
        self.sums = np.zeros((len(SERIES), groups, calendar.reviews))
        self.cause_names: tuple[str, ...] = ()
        self.causes = np.zeros((groups, 0, calendar.reviews))
        self._signals = {
            "price_pressure": np.ones((groups, reps)),
            "days_of_cover": np.full((groups, reps), np.inf),
        }
        self._signals |= {"fill_rate": np.ones((groups, reps)), "shortage": np.zeros((groups, reps))}
        self.sectors = Sectors(network, self.weight, float(calendar.review))
        self._tops = np.array([Bins.counts[name] - 1.0 for name in SERIES])
        self._use = np.zeros((buyers, reps))
        self._want = np.zeros((buyers, reps))

    def _by_group(self, values: Array) -> Array:
        """Sum buyer rows by group; stockpile rows fall into a last row that is dropped."""
        out = np.empty((len(self.network.groups) + 1, values.shape[1]))
        return sum_by_supplier(np.ascontiguousarray(values), self.group, out)[:-1]

    # -- during the review ----------------------------------------------------------------------------

    def note_use(
        self,
        rows: NDArray[np.int64],
        use: Array,
        want: Array,
        threshold: Array,
        curtailed: Array,
        destroyed: Array,
        day: float,
    ) -> None:
        """Record what buyers used of what they wanted in a review; (row, replication), t.

        Parameters
        ----------
        rows : (row,) int
        use, want : float
        threshold : float
            Use below which the review counts as short.
        curtailed, destroyed : float
            Use given up to price and demand lost to slow adaptation, where positive; never part of a shortage.
        """
        count_use(
            rows, self.group, use, want, threshold, curtailed, destroyed, day, float(self.calendar.review),
            self.disruption_start, self._use, self._want, self.used, self.wanted, self.unmet,
            self.curtailed, self.destroyed, self.was_short, self.short_days, self.streak, self.longest,
            self.any_short, self.first_short, self.last_short,
        )  # fmt: skip

    def note_built(self, rows: NDArray[np.int64], plan: Array, built: Array) -> None:
        """Record what companies planned to build in a review and what they built, in products.

        Parameters
        ----------
        rows : (company,) int
            A buyer row of each, whose group it is reported with.
        plan, built : (company, replication) float
        """
        groups = [
            [g for g, key in enumerate(self.network.groups) if key[1] == self.network.buyers[b].place] for b in rows
        ]
        for place, members in enumerate(groups):
            self.planned[members] += plan[place]
            self.not_built[members] += plan[place] - built[place]

    def note_discount(self, rows: NDArray[np.int64], money: Array) -> None:
        """Take what buyers saved against the market's price, (row, replication) USD, off their extra cost.

        Parameters
        ----------
        rows : (row,) int
            Buyer rows, none of them of a stockpile.
        """
        for row, saved in zip(rows, money, strict=True):
            self.bill[self.group[row]] -= saved

    def close_review(
        self,
        review: int,
        price: Array,
        on_hand: Array,
        requirement: Array,
        bought: Array,
        independent: Array | None,
    ) -> None:
        """Record prices, cover and fill of the review.

        Parameters
        ----------
        price : (buyer, replication) float
            Reported price over baseline.
        on_hand : (buyer, replication) float, t
        requirement : (buyer, replication) float, t/d
        bought : (buyer, replication) float, t
        independent : (buyer, replication) float or None
            Share of use whose whole chain avoids the named country.
        """
        groups, reps = self.min_cover.shape
        level, cover, fill = (np.empty((groups, reps)) for _ in range(3))
        traced = self._use if independent is None else independent
        sum_review(
            self.group, price, self.weight, self.price0, on_hand, requirement, self._want, self._use, bought, traced,
            independent is not None, float(self.calendar.review), PRICE_LEVELS, level, cover, fill,
            self.min_cover, self.price_sum, self.price_peak, self.days_above, self.bill, self.independent,
        )  # fmt: skip
        self._signals = {
            "price_pressure": level,
            "days_of_cover": cover,
            "fill_rate": fill,
            "shortage": 1.0 - fill,
        }
        bin_series(level, cover, fill, self._tops, review, self.bins, self.sums)

    # -- for triggers ---------------------------------------------------------------------------------

    def signal(self, metric: str, material: str, country: str) -> Array:
        """Return a reported quantity of the previous review.

        Parameters
        ----------
        metric : {'price_pressure', 'days_of_cover', 'fill_rate', 'shortage'}

        Returns
        -------
        (replication,) float

        Raises
        ------
        KeyError
            If the country buys none of the material.
        """
        return np.asarray(self._signals[metric][self.network.groups.index((material, country))])

    # -- causes of prices -----------------------------------------------------------------------------

    def expect_causes(self, names: tuple[str, ...]) -> None:
        """Make room for the causes of prices, in this order."""
        self.cause_names = names
        self.causes = np.zeros((len(self.network.groups), len(names), self.calendar.reviews))

    def note_causes(self, review: int, parts: Array) -> None:
        """Keep the mean causes of each group's log price.

        Parameters
        ----------
        parts : (buyer, cause) float
            Weighted sum over replications; over causes it is the delivered log price, without market noise.
        """
        out = np.empty((len(self.network.groups) + 1, parts.shape[1]))
        self.causes[:, :, review] = sum_by_supplier(parts, self.group, out)[:-1]
