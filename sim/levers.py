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

Array = NDArray[np.float64]


NEUTRAL = {
    **dict.fromkeys(("licence_cap", "gate_cap"), np.inf),
    **dict.fromkeys(("licence_holder", "gate_holder"), -1),
    **dict.fromkeys(("risk", "wedge", "border_days", "border_share", "refused", "ramp"), 0.0),
    **dict.fromkeys(("release", "release_reserve", "release_lane", "fill", "fill_limit"), 0.0),
    **dict.fromkeys(("open", "available", "demand"), 1.0),
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
    risk : (lane, replication) float
        Level of an announced or active control.
    border_days : (lane, replication) float, d
    border_share, refused : (lane, replication) float
    wedge : (lane, replication) float
        Log cost since the start.
    available : (facility, replication) float
        Share of capacity that policies and hazards leave.
    demand : (buyer, replication) float
        Factor on requirement.
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
        self.available = np.empty((len(network.facilities), reps))
        self.demand = np.empty((len(network.buyers), reps))
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
        self.held = set(NEUTRAL)
        self.drop()

    def drop(self) -> None:
        """Let go of every lever that is held; called once before policies act in a review."""
        for name in self.held:
            getattr(self, name).fill(NEUTRAL[name])
        self.held.clear()

    def _hold(self, *names: str) -> None:
        self.held.update(names)

    def holds(self, name: str) -> bool:
        """Whether anything holds a lever away from neutral."""
        return name in self.held and bool((getattr(self, name) != NEUTRAL[name]).any())

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
        self._hold("risk")
        _raise(lanes, self._by_lane(lanes, level), self.risk)

    def delay(self, lanes: Index, days: Array, share: Array, refused: Array) -> None:
        """Hold a share of what is shipped at the border; of several delays the longest counts."""
        self._hold("border_days", "border_share", "refused")
        share = self._by_lane(lanes, share)
        _hold_goods(lanes, days, share, refused, self.border_days, self.border_share, self.refused)

    def _by_lane(self, lanes: Index, values: Array) -> Array:
        return np.ascontiguousarray(np.broadcast_to(values, (lanes.size, self.risk.shape[1])))

    def cost(self, lanes: Index, wedge: Array) -> None:
        """Add a log cost (replication,) on lanes."""
        self._hold("wedge")
        self.wedge[lanes] += wedge

    def close(self, lanes: Index, share: Array) -> None:
        """Close lanes for a share (replication,) of the review."""
        self._hold("open")
        self.open[lanes] *= 1.0 - share

    def stop(self, facilities: Index, share: Array) -> None:
        """Take a share (replication,) of capacity out of facilities; several stops multiply."""
        self._hold("available")
        self.available[facilities] *= 1.0 - share

    def run(self, share: Array) -> None:
        """Leave a share (facility, replication) of capacity to every facility."""
        self._hold("available")
        self.available *= share

    def shift_demand(self, buyers: Index, factor: Array) -> None:
        """Multiply the requirement of buyers by a factor (buyer or 1, replication)."""
        self._hold("demand")
        self.demand[buyers] *= factor

    def open_offtake(self, offtake: int, level: Array) -> None:
        """Set how far an offtake has ramped up, (replication,) in [0, 1]."""
        self._hold("ramp")
        self.ramp[offtake] = np.maximum(self.ramp[offtake], level)

    def offer(self, supplier: int, amount: Array, reserve: Array, lanes: Index, prior: Array) -> None:
        """Offer stockpiled metal to the buyers at the end of lanes.

        Parameters
        ----------
        amount : (replication,) float, t per review
        reserve : (replication,) float
            Log reserve price.
        prior : (lane, replication) float, t/d
        """
        self._hold("release", "release_reserve", "release_lane")
        self.release[supplier] += amount
        self.release_reserve[supplier] = np.where(amount > 0, reserve, self.release_reserve[supplier])
        self.release_lane[lanes] += prior

    def buy(self, buyer: int, amount: Array, limit: Array) -> None:
        """Let a stockpile buy up to an amount (replication,) t per review below a log price limit."""
        self._hold("fill", "fill_limit")
        self.fill[buyer] += amount
        self.fill_limit[buyer] = np.where(amount > 0, limit, self.fill_limit[buyer])

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
