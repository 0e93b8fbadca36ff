"""What policies and hazards hold on the world: caps, delays, factors. Held anew each review, dropped by itself.

Nothing is saved and restored, so overlapping policies cannot corrupt each other: the tightest cap and the
longest delay count, factors multiply, wedges add. A lever that nobody holds is neutral to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.compiled import njit
from sim.gates import Cap, Gates
from sim.network import Index, Network
from sim.offers import Bid, Mask, Offer, meet

Array = NDArray[np.float64]


NEUTRAL = {
    **dict.fromkeys(("licence_cap", "gate_cap", "limit"), np.inf),
    **dict.fromkeys(("licence_holder", "gate_holder"), -1),
    **dict.fromkeys(("risk", "wedge", "border_days", "border_share", "refused", "ramp"), 0.0),
    **dict.fromkeys(("release", "release_reserve", "release_lane", "fill", "fill_limit"), 0.0),
    "bypass": 0.0,
    **dict.fromkeys(("open", "available", "demand", "recipe"), 1.0),
    "floor": -np.inf,
    "backed": 0.0,
}
"""What each lever is while nobody holds it."""


@dataclass(frozen=True)
class Spending:
    """Money of one policy, for one material and country that pays.

    Attributes
    ----------
    policy, material, country : str
    public, private : (replication,) float, USD
    """

    policy: str
    material: str
    country: str
    public: Array
    private: Array


LANES = {
    **dict.fromkeys(("border_days", "border_share", "refused"), "waiting"),
    **dict.fromkeys(("open", "bypass"), "shut"),
    "release_lane": "offered",
    "risk": "warned",
    "wedge": "costly",
}
"""Levers on lanes, and the mark of a lane that something may hold; the others are neutral and need no look."""


class Levers:
    """Levers of one block; shapes end in the replication axis.

    Attributes
    ----------
    licence_cap, gate_cap : (constraint, replication) float, t per review
        inf where nothing limits.
    licence_holder, gate_holder : (constraint, replication) int
        Number of the policy whose cap is the tightest; -1 for none.
    open : (lane, replication) float
        Share of the review in which the lane can be used.
    bypass : (lane, replication) float
        Share of what is closed that goes another way all the same; see `passable`.
    risk : (lane, replication) float
        Level of an announced or active control.
    border_days : (lane, replication) float, d
    border_share, refused : (lane, replication) float
    wedge : (lane, replication) float
        Log cost since the start.
    available : (facility, replication) float
        Share of capacity that policies and hazards leave.
    limit : (facility, replication) float, units of the process per day
        Most that may be made, whatever the capacity; inf where nothing limits.
    demand : (buyer, replication) float
        Factor on requirement.
    recipe : (buyer, replication) float
        Factor on what plants take per unit of throughput.
    floor : (supplier, replication) float
        Log price below which the price that a plant goes by does not fall; -inf where nobody backs it.
    backed : (supplier, replication) float, t/d
        Sales that a plant may count on beside those in the market.
    ramp : (offtake, replication) float
    release : (supplier, replication) float, t per review
        What a stockpile offers; 0 while idle.
    release_reserve : (supplier, replication) float
        Log reserve price of the release.
    release_lane : (lane, replication) float, t/d
        Prior flow of release lanes.
    fill : (buyer, replication) float, t per review
    fill_limit : (buyer, replication) float
        Log price above which a stockpile stops buying.
    marks : dict of (lane,) bool
        Which lanes are held, by the names in `LANES`.
    first : list of (group, sectors, (replication,) float)
        Sectors of a group that are served before the others, in order, and for which share of the review.
    """

    def __init__(self, network: Network, gates: Gates, replications: int) -> None:
        reps, lanes = replications, network.lane_buyer.size
        self.network, self.gates = network, gates
        self.licence_cap, self.gate_cap = (
            np.empty((len(gates.licences), reps)),
            np.empty((len(gates.gates), reps)),
        )
        self.licence_holder = np.empty((len(gates.licences), reps), dtype=np.int64)
        self.gate_holder = np.empty((len(gates.gates), reps), dtype=np.int64)
        self.risk, self.wedge, self.open = (np.empty((lanes, reps)) for _ in range(3))
        self.border_days, self.border_share, self.refused = (np.empty((lanes, reps)) for _ in range(3))
        self.bypass = np.empty((lanes, reps))
        self.available = np.empty((len(network.facilities), reps))
        self.limit = np.empty((len(network.facilities), reps))
        self.demand, self.recipe = (np.empty((len(network.buyers), reps)) for _ in range(2))
        self.floor, self.backed = (np.empty((len(network.suppliers), reps)) for _ in range(2))
        self.ramp = np.empty((len(network.blueprint.offtakes), reps))
        self.release, self.release_reserve = (
            np.empty((len(network.suppliers), reps)),
            np.empty((len(network.suppliers), reps)),
        )
        self.release_lane = np.empty((lanes, reps))
        self.fill, self.fill_limit = (
            np.empty((len(network.buyers), reps)),
            np.empty((len(network.buyers), reps)),
        )
        self.spending: list[Spending] = []
        self.first: list[tuple[int, tuple[str, ...], Array]] = []
        self._offers: dict[int, list[Offer]] = {}
        self._bids: dict[int, list[Bid]] = {}
        self._sought: dict[tuple[str, int], Mask] = {}
        self.marks = {mark: np.ones(lanes, dtype=np.bool_) for mark in LANES.values()}
        self.held = set(NEUTRAL)
        self.drop()

    def drop(self) -> None:
        """Let go of every lever that is held; called once before policies act in a review."""
        for name in self.held:
            lever = getattr(self, name)
            if name in LANES:
                lever[self._held_lanes(name)] = NEUTRAL[name]
            else:
                lever.fill(NEUTRAL[name])
        for mark in {LANES[name] for name in self.held if name in LANES}:
            self.marks[mark].fill(False)
        self.held.clear()
        self.first = []
        self._offers, self._bids, self._sought = {}, {}, {}

    def _hold(self, *names: str) -> None:
        self.held.update(names)

    def _hold_lanes(self, lanes: Index, *names: str) -> None:
        self.held.update(names)
        self.marks[LANES[names[0]]][lanes] = True

    def _held_lanes(self, name: str) -> Index | slice:
        """Return the lanes that may be away from neutral."""
        mark = self.marks[LANES[name]]
        return slice(None) if mark.all() else np.flatnonzero(mark)

    def holds(self, name: str) -> bool:
        """Whether anything holds a lever away from neutral."""
        if name not in self.held:
            return False
        lever = getattr(self, name)
        held = lever[self._held_lanes(name)] if name in LANES else lever
        return bool((held != NEUTRAL[name]).any())

    # -- what a policy may hold -----------------------------------------------------------------------

    def cap(self, cap: Cap, amount: Array, policy: int) -> None:
        """Limit the flow of each group of a cap.

        Parameters
        ----------
        amount : (group, replication) float, t per review
            inf where the policy does not act.
        """
        self._hold("licence_cap", "gate_cap", "licence_holder", "gate_holder")
        for rows, caps, holders in zip(
            self.gates.rows(cap),
            (self.licence_cap, self.gate_cap),
            (self.licence_holder, self.gate_holder),
            strict=True,
        ):
            _tighten(rows, amount, policy, caps, holders)

    def warn(self, lanes: Index, level: Array) -> None:
        """Raise the risk signal of lanes to at least ``level`` (replication,)."""
        self._hold_lanes(lanes, "risk")
        _raise(lanes, self._by_lane(lanes, level), self.risk)

    def delay(self, lanes: Index, days: Array, share: Array, refused: Array) -> None:
        """Hold a share of what is shipped at the border; of several delays the longest counts."""
        self._hold_lanes(lanes, "border_days", "border_share", "refused")
        share = self._by_lane(lanes, share)
        _hold_goods(lanes, days, share, refused, self.border_days, self.border_share, self.refused)

    def _by_lane(self, lanes: Index, values: Array) -> Array:
        return np.ascontiguousarray(np.broadcast_to(values, (lanes.size, self.risk.shape[1])))

    def cost(self, lanes: Index, wedge: Array) -> None:
        """Add a log cost (replication,) on lanes."""
        self._hold_lanes(lanes, "wedge")
        self.wedge[lanes] += wedge

    def close(self, lanes: Index, share: Array) -> None:
        """Close lanes for a share (replication,) of the review."""
        self._hold_lanes(lanes, "open")
        self.open[lanes] *= 1.0 - share

    def go_round(self, lanes: Index, share: Array) -> None:
        """Let a share (replication,) of what is closed on lanes go another way; several ways add up to all of it."""
        self._hold_lanes(lanes, "bypass")
        self.bypass[lanes] = np.minimum(self.bypass[lanes] + share, 1.0)

    def passable(self) -> Array:
        """Return what of each lane can be used, (lane, replication): ``1 - (1 - open) (1 - bypass)``."""
        if not self.holds("bypass"):
            return self.open
        passable, shut = self.open.copy(), self._held_lanes("open")
        passable[shut] = 1.0 - (1.0 - self.open[shut]) * (1.0 - self.bypass[shut])
        return passable

    def stop(self, facilities: Index, share: Array) -> None:
        """Take a share (replication,) of capacity out of facilities; several stops multiply."""
        self._hold("available")
        self.available[facilities] *= 1.0 - share

    def run(self, share: Array) -> None:
        """Leave a share (facility, replication) of capacity to every facility."""
        self._hold("available")
        self.available *= share

    def limit_output(self, facilities: Index, amount: Array) -> None:
        """Limit throughput, (facility, replication) units per day; of several limits the tightest counts."""
        self._hold("limit")
        self.limit[facilities] = np.minimum(self.limit[facilities], amount)

    def shift_demand(self, buyers: Index, factor: Array) -> None:
        """Multiply the requirement of buyers by a factor (buyer or 1, replication)."""
        self._hold("demand")
        self.demand[buyers] *= factor

    def substitute(self, buyers: Index, factor: Array) -> None:
        """Multiply what plants take per unit of throughput by a factor (buyer or 1, replication)."""
        self._hold("recipe")
        self.recipe[buyers] *= factor

    def back_price(self, suppliers: Index, log_price: Array) -> None:
        """Keep the price that plants go by at least at a log price (supplier or 1, replication)."""
        self._hold("floor")
        self.floor[suppliers] = np.maximum(self.floor[suppliers], log_price)

    def back_sales(self, suppliers: Index, amount: Array) -> None:
        """Let plants count on sales beside those in the market, (supplier or 1, replication) t/d."""
        self._hold("backed")
        self.backed[suppliers] += amount

    def open_offtake(self, offtake: int, level: Array) -> None:
        """Set how far an offtake has ramped up, (replication,) in [0, 1]."""
        self._hold("ramp")
        np.maximum(self.ramp[offtake], level, out=self.ramp[offtake])

    def open_offtakes(self, offtakes: Index, level: Array) -> None:
        """Set how far several offtakes, each once, have ramped up, (offtake, replication) in [0, 1]."""
        self._hold("ramp")
        self.ramp[offtakes] = np.maximum(self.ramp[offtakes], level)

    def offer(
        self, supplier: int, amount: Array, reserve: Array, lanes: Index, prior: Array, sought: Mask | None = None
    ) -> Offer:
        """Offer stockpiled metal to the buyers at the end of lanes.

        Several offers out of one stockpile, in whatever order: those whose price the market paid in the last review
        stand together at the highest of their prices; where there is none, the cheapest stands alone.

        Parameters
        ----------
        amount : (replication,) float, t per review
        reserve : (replication,) float
            Log reserve price.
        lanes : (lane,) int, ascending
        prior : (lane, replication) float, t/d
        sought : (replication,) bool, optional
            Where the market paid the reserve price in the last review; nowhere unless given.
        """
        self._hold("release", "release_reserve")
        self._hold_lanes(lanes, "release_lane")
        prior = np.array(np.broadcast_to(prior, (lanes.size, amount.size)))
        fellows = self._offers.setdefault(supplier, [])
        key, standing = ("release", supplier), (self.release[supplier], self.release_reserve[supplier])
        joins, replaces, self._sought[key] = meet(*standing, self._sought.get(key), amount, reserve, sought, 1.0)
        if fellows:
            for other in fellows:
                other.prior[:, replaces] = 0.0
                self.release_lane[np.ix_(other.lanes, replaces)] = 0.0
            prior[:, ~(joins | replaces)] = 0.0
        self.release_lane[lanes] += prior
        fellows.append(Offer(lanes, prior, fellows))
        return fellows[-1]

    def buy(self, buyer: int, amount: Array, limit: Array, sought: Mask | None = None) -> Bid:
        """Let a stockpile buy up to an amount (replication,) t per review below a log price limit.

        Several bids for one stockpile meet as offers do: those at or above the market together at the lowest of
        their limits (``sought``), else the highest alone.
        """
        self._hold("fill", "fill_limit")
        fellows = self._bids.setdefault(buyer, [])
        amount = np.array(amount)
        key, standing = ("fill", buyer), (self.fill[buyer], self.fill_limit[buyer])
        joins, replaces, self._sought[key] = meet(*standing, self._sought.get(key), amount, limit, sought, -1.0)
        if fellows:
            for other in fellows:
                other.amount[replaces] = 0.0
            amount[~(joins | replaces)] = 0.0
        fellows.append(Bid(amount, fellows))
        return fellows[-1]

    def serve_first(self, group: int, sectors: tuple[str, ...], level: Array) -> None:
        """Serve sectors of a group before the others, for a share (replication,) of the review."""
        self.first.append((group, sectors, level))

    def spend(self, spending: Spending) -> None:
        """Record money spent by a policy."""
        self.spending.append(spending)


@njit(cache=True, error_model="numpy")
def _tighten(rows: Index, amount: Array, policy: int, caps: Array, holders: Index) -> None:
    """Lower caps to amounts where these are tighter, and note who holds them; rows of -1 are others'."""
    for i in range(rows.size):
        row = rows[i]
        if row >= 0:
            for r in range(amount.shape[1]):
                tighter = amount[i, r] < caps[row, r]
                caps[row, r] = amount[i, r] if tighter else caps[row, r]
                holders[row, r] = policy if tighter else holders[row, r]


@njit(cache=True, error_model="numpy")
def _raise(lanes: Index, level: Array, out: Array) -> None:
    """Raise rows of ``out`` to at least a level."""
    for i in range(lanes.size):
        for r in range(level.shape[1]):
            out[lanes[i], r] = max(out[lanes[i], r], level[i, r])


@njit(cache=True, error_model="numpy")
def _hold_goods(
    lanes: Index, days: Array, share: Array, refused: Array, border_days: Array, border_share: Array,
    border_refused: Array,
) -> None:  # fmt: skip
    """Let goods of lanes wait at least some days, where any do."""
    for i in range(lanes.size):
        lane = lanes[i]
        for r in range(share.shape[1]):
            if share[i, r] > 0.0:
                border_days[lane, r] = max(border_days[lane, r], days[r])
                border_refused[lane, r] = max(border_refused[lane, r], refused[r])
                border_share[lane, r] = max(border_share[lane, r], share[i, r])
