"""Use by sector, where a policy tells sectors apart: who is served first, and whose the metal of a reserve is.

Sectors of a consumer share its shelves, so that without such a policy each uses, and lacks, its share. Here what all
of them use together stays as it is; only who goes without changes. Followed is only what a policy asks for, and counted
by the kernel that counts buyers. Figures of a replication in which nobody was preferred are never used (`metrics`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit
from sim.errors import did_you_mean
from sim.network import Network

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def count_use(
    rows: Index, group: Index, use: Array, want: Array, threshold: Array, curtailed: Array, destroyed: Array,
    day: float, review: float, disruption_start: Array, last_use: Array, last_want: Array, used: Array, wanted: Array,
    unmet: Array, curtailed_total: Array, destroyed_total: Array, was_short: NDArray[np.bool_], short_days: Array,
    streak: Array, longest: Array, any_short: Array, first_short: Array, last_short: Array,
) -> None:  # fmt: skip
    """Add one review's use of some buyers to the totals, in place (docs/model.md, section 8).

    Of the review in which a shelf runs empty only the days after that count, ``D (1 - use / want)``; every
    following review below the threshold counts whole.

    Parameters
    ----------
    rows : (row,) int
    group : (buyer,) int
    use, want, threshold, curtailed, destroyed : (row, replication) float, t
    last_use and following : (buyer, replication); any_short, first_short, last_short : (group, replication)
    """
    reps = use.shape[1]
    for i in range(rows.size):
        b = rows[i]
        lacking, restrained, lost, short, before = 0, 0, 0, 0, 0
        for r in range(reps):
            last_use[b, r], last_want[b, r] = use[i, r], want[i, r]
            used[b, r] += use[i, r]
            wanted[b, r] += want[i, r]
        for r in range(reps):
            lacking += want[i, r] > use[i, r]
            restrained += curtailed[i, r] > 0.0
            lost += destroyed[i, r] > 0.0
            short += use[i, r] < threshold[i, r]
            before += was_short[b, r]
        if lacking > 0:
            for r in range(reps):
                unmet[b, r] += max(want[i, r] - use[i, r], 0.0)
        if restrained > 0:
            for r in range(reps):
                curtailed_total[b, r] += max(curtailed[i, r], 0.0)
        if lost > 0:
            for r in range(reps):
                destroyed_total[b, r] += max(destroyed[i, r], 0.0)
        if short > 0 or before > 0:
            _count_days(
                use[i], want[i], threshold[i], day, review, disruption_start, was_short[b], short_days[b], streak[b],
                longest[b], any_short[group[b]], first_short[group[b]], last_short[group[b]],
            )  # fmt: skip


@njit(error_model="numpy")
def _count_days(
    use: Array, want: Array, threshold: Array, day: float, review: float, disruption_start: Array,
    was_short: NDArray[np.bool_], short_days: Array, streak: Array, longest: Array, any_short: Array,
    first_short: Array, last_short: Array,
) -> None:  # fmt: skip
    """Count the days of shortage of one buyer, each (replication,), in place."""
    for r in range(use.size):
        if not use[r] < threshold[r]:
            was_short[r] = False
            streak[r] = 0.0
            continue
        days = review if was_short[r] or want[r] <= 0.0 else review * (1.0 - use[r] / want[r])
        was_short[r] = True
        short_days[r] += days
        streak[r] += days
        longest[r] = max(longest[r], streak[r])
        onset = day + review - days
        any_short[r] = min(any_short[r], onset)
        if day + review > disruption_start[r]:
            first_short[r] = min(first_short[r], max(onset, disruption_start[r]))
            last_short[r] = max(last_short[r], day + review)


def sector_shares(network: Network, material: str, country: str) -> dict[str, float]:
    """Return the sectors of a group with their shares of use; none where a plant buys the material too."""
    kinds = {row.kind for row in network.buyers if (row.material, row.place) == (material, country)}
    if kinds - {"stockpile"} != {"consumer"}:
        return {}
    shares = {name: number.value for name, number in network.world.consumers[country][material].sectors.items()}
    rest = 1.0 - sum(shares.values())
    return {**shares, "other": rest} if rest > 1e-9 else shares


def sector_problems(network: Network, groups: Iterable[tuple[str, str]], named: Iterable[str], key: str) -> list[str]:
    """Return what is wrong with sectors that a policy names under a key: each must be one of some group's."""
    named, known = list(named), list(dict.fromkeys(name for pair in groups for name in sector_shares(network, *pair)))
    if named and not known:
        return [f"{key}: got '{named[0]}'. Sectors are told apart only where no plant buys the material."]
    return [
        f"{key}: got '{name}'. Not a sector there.{did_you_mean(name, known)} Allowed are {', '.join(known)}."
        for name in named
        if name not in known
    ]


class Sectors:
    """Use by sector of one block.

    Attributes
    ----------
    followed : dict of Group
        By number of the group.
    """

    def __init__(self, network: Network, weight: Array, review: float) -> None:
        self.network, self.weight, self.review = network, weight, review
        self.followed: dict[int, Group] = {}

    def follow(self, material: str, country: str) -> int:
        """Follow a group from now on, and return its number."""
        number = self.network.groups.index((material, country))
        if number not in self.followed:
            rows = np.flatnonzero(self.network.buyer_group == number)
            shares = sector_shares(self.network, material, country)
            self.followed[number] = Group(rows, shares, self.weight[rows], self.review)
        return number

    def note_use(
        self,
        rows: Index,
        use: Array,
        want: Array,
        threshold: Array,
        curtailed: Array,
        destroyed: Array,
        left: Array,
        first: Iterable[tuple[int, tuple[str, ...], Array]],
        day: float,
        disruption_start: Array,
    ) -> None:
        """Share what buyers used in a review out among their sectors.

        Parameters
        ----------
        rows : (row,) int, ascending
        use to destroyed : (row, replication) float, t
            As `Recorder.note_use` has them.
        left : (buyer, replication) float, t
            On hand after use.
        first : list of (group, sectors, level)
            As `Levers.first` has it.
        day : float
        disruption_start : (replication,) float, d
        """
        for number, group in self.followed.items():
            if group.rows[0] not in rows:
                continue
            here = np.searchsorted(rows, group.rows)
            orders = [(sectors, level) for owner, sectors, level in first if owner == number]
            given = group.share_out(use[here], want[here], left[group.rows], orders)
            group.count(given, want[here], threshold[here], curtailed[here], destroyed[here], day, disruption_start)


class Earmark:
    """Metal that reserves have sold for some sectors: what is on its way to a group's shelves, and what is on them.

    Attributes
    ----------
    ring : (slot, row, replication) float, t
        Slot `head` lands at the next consumption.
    held : (row, replication) float, t
    """

    def __init__(self, rows: int, replications: int) -> None:
        self.ring, self.head = np.zeros((1, rows, replications)), 0
        self.held = np.zeros((rows, replications))

    def send(self, row: int, amount: Array, steps: Array) -> None:
        """Put an amount (replication,) that was shipped in the last review on its way, for ``steps`` reviews."""
        most = int(steps.max()) + 2
        if most > self.ring.shape[0]:
            self.ring = np.concatenate([np.roll(self.ring, -self.head, axis=0), np.zeros((most, *self.held.shape))])
            self.head = 0
        for ahead in range(max(int(steps.min()), 1), most):
            share = np.clip(np.minimum(1.0 - (steps - ahead), steps - (ahead - 1)), 0.0, None)
            self.ring[(self.head + ahead - 1) % self.ring.shape[0], row] += amount * share

    def land(self) -> None:
        """Let what is due reach the shelves."""
        self.held += self.ring[self.head]
        self.ring[self.head] = 0.0
        self.head = (self.head + 1) % self.ring.shape[0]


class Group:
    """Sectors of one (material, country); rows are its cover classes.

    Attributes
    ----------
    touched : (replication,) bool
        Where anybody was ever preferred.
    used, wanted, unmet, curtailed, destroyed, short_days, longest : (row and sector, replication) float
        As in `Recorder`, sectors of one row lying together.
    first_short, last_short : (sector, replication) float, d
    """

    def __init__(self, rows: Index, shares: Mapping[str, float], weight: Array, review: float) -> None:
        reps = weight.shape[1]
        self.rows, self.names, self.share = rows, tuple(shares), np.array(list(shares.values()))
        self.weight, self.review = weight, review
        count = rows.size * len(shares)
        self.touched = np.zeros(reps, dtype=bool)
        self.virtual = np.arange(count)
        self.sector = np.tile(np.arange(len(shares)), rows.size)
        self.used, self.wanted, self.unmet, self.curtailed, self.destroyed = (np.zeros((count, reps)) for _ in range(5))
        self.short_days, self.streak, self.longest = (np.zeros((count, reps)) for _ in range(3))
        self.was_short = np.zeros((count, reps), dtype=bool)
        self._last = np.zeros((count, reps)), np.zeros((count, reps))
        self.any_short, self.first_short = (np.full((len(shares), reps), np.inf) for _ in range(2))
        self.last_short = np.full((len(shares), reps), -np.inf)
        self.earmarks: dict[tuple[int, ...], Earmark] = {}

    def places(self, sectors: Iterable[str]) -> tuple[int, ...]:
        """Return where sectors stand among its own; those it does not have are left out."""
        return tuple(self.names.index(name) for name in sectors if name in self.names)

    def earmark(self, sectors: Iterable[str]) -> Earmark:
        """Return the metal that is set aside for these sectors, in this order."""
        return self.earmarks.setdefault(self.places(sectors), Earmark(self.rows.size, self.touched.size))

    def share_out(self, use: Array, want: Array, left: Array, orders: Iterable[tuple[tuple[str, ...], Array]]) -> Array:
        """Return what each sector uses, (row, sector, replication) t, of what its row does.

        Metal without an owner is used first. Of the rest, set aside, the sectors it was sold for take what they still
        lack, in order; what they leave goes to all by what they lack.
        """
        wants = want[:, None] * self.share[:, None]
        spent = self._draw_earmarks(use, left)
        free = use.copy()
        for amount in spent.values():
            free -= amount
        free = np.maximum(free, 0.0)
        given = self._set_aside(free[:, None] * self.share[:, None], wants, spent)
        for sectors, level in orders:
            ranked = self._set_aside(self._in_order(free, wants, self.places(sectors)), wants, spent)
            given = given + level * (ranked - given)
            self.touched |= level > 0
        return np.where((use >= want).all(axis=0), wants, given)

    def _draw_earmarks(self, use: Array, left: Array) -> dict[tuple[int, ...], Array]:
        """Return what is used of the metal set aside, (row, replication) t; it stays on the shelf as long as it can."""
        spent, before, after = {}, use + left, left
        for order, mark in self.earmarks.items():
            mark.land()
            held = np.minimum(mark.held, before)
            mark.held = np.minimum(held, after)
            before, after = before - held, after - mark.held
            spent[order] = held - mark.held
            self.touched |= (held > 0).any(axis=0)
        return spent

    def _in_order(self, use: Array, wants: Array, order: tuple[int, ...]) -> Array:
        """Serve sectors in order, out of the use of all rows; the others share what is left in each row."""
        given, left = np.zeros_like(wants), use.copy()
        for s in order:
            given[:, s] = np.minimum(wants[:, s], left)
            left = left - given[:, s]
            lack = wants[:, s] - given[:, s]
            needed, spare = _sum(lack), _sum(left)
            moved = np.minimum(needed, spare)
            given[:, s] += lack * _ratio(moved, needed)
            left = np.maximum(left * (1.0 - _ratio(moved, spare)), 0.0)
        rest = np.array([0.0 if s in order else share for s, share in enumerate(self.share)])
        if rest.any():
            given += left[:, None] * (rest / rest.sum())[:, None]
        return given

    def _set_aside(self, given: Array, wants: Array, spent: Mapping[tuple[int, ...], Array]) -> Array:
        """Add what is used of metal set aside, first to the sectors it was sold for."""
        for order, amount in spent.items():
            for s in order:
                taken = np.minimum(amount, np.maximum(wants[:, s] - given[:, s], 0.0))
                given[:, s] += taken
                amount = amount - taken
            lack = np.maximum(wants - given, 0.0)
            missing = np.zeros_like(amount)
            for s in range(self.share.size):
                missing += lack[:, s]
            given += lack * _ratio(amount, missing)[:, None]
        return given

    def count(
        self, given: Array, want: Array, threshold: Array, curtailed: Array, destroyed: Array, day: float,
        disruption_start: Array,
    ) -> None:  # fmt: skip
        """Add a review to the totals, each sector as if it were a buyer of its own."""
        want, threshold, curtailed, destroyed = (
            (values[:, None] * self.share[:, None]).reshape(self.virtual.size, -1)
            for values in (want, threshold, curtailed, destroyed)
        )
        count_use(
            self.virtual, self.sector, given.reshape(self.virtual.size, -1), want, threshold, curtailed, destroyed, day,
            self.review, disruption_start, *self._last, self.used, self.wanted, self.unmet, self.curtailed,
            self.destroyed, self.was_short, self.short_days, self.streak, self.longest, self.any_short,
            self.first_short, self.last_short,
        )  # fmt: skip

    def by_sector(self, values: Array) -> Array:
        """Sum what is counted by row and sector over rows, (sector, replication)."""
        return _sum(values.reshape(self.rows.size, self.share.size, -1))

    @property
    def mean_short_days(self) -> Array:
        """Days of shortage, the mean over rows by requirement, (sector, replication)."""
        return self.by_sector(self.short_days * np.repeat(self.weight, self.share.size, axis=0))

    @property
    def longest_of_any(self) -> Array:
        """Longest shortage of any row, (sector, replication) d."""
        return np.asarray(self.longest.reshape(self.rows.size, self.share.size, -1).max(axis=0))


def _sum(values: Array) -> Array:
    """Sum over the first axis, in order: the same bits for one replication as for many."""
    total = np.zeros(values.shape[1:])
    for each in values:
        total += each
    return total


def _ratio(part: Array, whole: Array) -> Array:
    """Return part / whole, 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
