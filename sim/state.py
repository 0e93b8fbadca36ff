"""Stocks, goods under way, the mass ledger, and what buyers and sellers believe. Metal is moved, never set.

Only this module writes stocks, through verbs; each call enters a ledger that closes at every review in every
replication: initial + made = used + left unrecovered + stocks + under way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.balance import Baseline
from sim.errors import EngineError
from sim.network import Index, Network
from sim.pipeline import Courses, fill_pipeline, landing_within, reviews_under_way, ship
from sim.sums import add_by_material, enter, part, sum_rows, take
from sim.under_way import UnderWay, go_on, stop

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MASS_TOLERANCE = 1e-9
"""Largest relative error of the ledger (docs/model.md, section 9)."""


class Stocks:
    """Metal of one block, in tonnes of contained material.

    Parameters
    ----------
    network : Network
    baseline : Baseline
    review : float, d
    longest_delay : float, d
        Longest border delay any policy may hold, so that the ring of slots is long enough.

    Attributes
    ----------
    supplier : (supplier, replication) float
        Output stocks and stockpiles.
    buyer : (buyer, replication) float
        On hand.
    in_transit : (buyer, replication) float
        Under way and expected to arrive.
    pipeline : (slot, buyer, replication) float
        What arrives at each of the next reviews; a ring that starts at `head`.
    in_hold : (buyer, replication) float
        Stopped on the way; not expected until it is let go.
    """

    def __init__(self, network: Network, baseline: Baseline, review: float, longest_delay: float) -> None:
        self.network, self.review = network, float(review)
        x, q, flow = baseline.sales, baseline.requirement, baseline.flow
        self.supplier = baseline.supplier_cover * x - x * review + baseline.holding
        self.buyer = q * baseline.cover
        reps = x.shape[1]
        slots = int(np.ceil(baseline.lead_time.max(initial=review) / review) + np.ceil(longest_delay / review)) + 3
        self.pipeline = np.zeros((slots, *q.shape))
        self.returning = np.zeros((slots, x.shape[0], reps))
        self.in_transit = np.zeros_like(q)
        self.in_return = np.zeros_like(x)
        self.in_hold = np.zeros_like(q)
        self.tracked: UnderWay | None = None
        self._start = flow, baseline.lead_time
        self.head = 0
        self._received = np.empty_like(q)
        self._shipped, self._back = np.empty_like(x), np.empty_like(x)
        self._steps, self._reach = np.empty_like(flow), np.empty((flow.shape[0], 2), dtype=np.int64)
        self._lead_time: Array | None = None
        self._courses: Courses | None = None
        self._fill_pipeline(flow, baseline.lead_time)
        self.made, self.left, self.used = np.zeros_like(x), np.zeros_like(x), np.zeros_like(q)
        self._initial = self._present()

    def _fill_pipeline(self, flow: Array, lead_time: Array) -> None:
        """Fill the ring with baseline flow; the first shipment arrives at the first review."""
        fill_pipeline(self.pipeline, flow, lead_time, self.review, self.network.lane_buyer)
        self.in_transit[:] = self.under_way()

    # -- verbs --------------------------------------------------------------------------------------

    def arrive(self) -> None:
        """Land what is due: at its buyer, into the stockpile it was bought for, or back at its seller."""
        due = self.pipeline[self.head]
        self.buyer += due
        self.in_transit -= due
        np.maximum(self.in_transit, 0.0, out=self.in_transit)
        back = self.returning[self.head]
        self.supplier += back
        self.in_return -= back
        due.fill(0.0)
        back.fill(0.0)
        if self.tracked is not None:
            self.tracked.ring[self.head] = 0.0
        self.head = (self.head + 1) % self.pipeline.shape[0]

    def make(self, rows: Index, amount: Array) -> None:
        """Add new output to suppliers' stocks."""
        enter(rows, amount, self.supplier, self.made)

    def use(self, rows: Index, amount: Array) -> None:
        """Use metal on hand; never more than there is."""
        take(rows, amount, self.buyer, self.used)

    def leave(self, rows: Index, amount: Array) -> None:
        """Leave part of an output unrecovered."""
        part(rows, amount, self.supplier, self.left)

    def hand_over(self, rows: Index, to: int, amount: Array) -> None:
        """Move metal from suppliers' stocks into a reserve of the same material, (row, replication) t."""
        self.supplier[rows] -= amount
        self.supplier[to] += sum_rows(amount)

    def store(self, docks: Index, reserves: Index) -> None:
        """Move what stockpiles have bought from their receiving docks, buyer rows, into reserves, supplier rows."""
        self.supplier[reserves] += self.buyer[docks]
        self.buyer[docks] = 0.0

    def send(
        self, flow: Array, lead_time: Array, border_days: Array, border_share: Array, refused: Array,
        waiting: Mask | None = None,
    ) -> tuple[Array, Array]:  # fmt: skip
        """Ship lane flows out of suppliers' stocks; refused goods are on their way back at once.

        Parameters
        ----------
        flow : (lane, replication) float, t
        lead_time : (lane, replication) float, d
            Looked at again only where another array is given.
        border_days, border_share, refused : (lane, replication) float
            Wait at the border, the share that waits, and the share of that which is refused.
        waiting : (lane,) bool, optional
            Lanes on which anything may wait; looked for unless given.

        Returns
        -------
        shipped : (supplier, replication) float, t
        received : (buyer, replication) float, t
            What will reach each buyer. Both are overwritten by the next call.
        """
        network = self.network
        if self._courses is None or lead_time is not self._lead_time:
            reviews_under_way(lead_time, self.review, self._steps, self._reach)
            self._lead_time, self._courses = lead_time, Courses(lead_time, network.lane_buyer, self.review)
        courses = self._courses
        if waiting is None:
            waiting = np.asarray((border_share > 0).any(axis=1))
        longest = ship(
            self.pipeline, self.returning, self.head, flow, courses.lane, courses.ptr, courses.steps, courses.reach,
            self.review, waiting, border_days, border_share, refused, network.lane_supplier,
            network.lane_buyer, self._shipped, self._received, self._back,
        )  # fmt: skip
        if longest > self.pipeline.shape[0] - 1:
            raise EngineError(
                f"a shipment takes {longest:.1f} reviews, longer than the pipeline of {self.pipeline.shape[0]}"
            )
        if self.tracked is not None:
            self.tracked.ship(self.head, flow, self._steps, border_share)
        self.supplier -= self._shipped
        self.in_transit += self._received
        self.in_return += self._back
        return self._shipped, self._received

    def track(self, lanes: Index) -> None:
        """Follow some lanes one by one, so that what is under way on them can be stopped; before the run only."""
        known = self.tracked.lanes if self.tracked is not None else lanes
        flow, lead_time = self._start
        reviews_under_way(lead_time, self.review, self._steps, self._reach)
        self.tracked = UnderWay(np.union1d(known, lanes), self.pipeline.shape[0], flow, lead_time, self.review)

    def stop(self, lanes: Index, share: Array, rule: str, weight: Array) -> float:
        """Stop a share of what is under way on tracked lanes.

        Parameters
        ----------
        share : (stopped lane, replication) float
        rule : {'hold', 'divert', 'return'}
            Hold until `let_go`; send on to the seller's other buyers, or back if there are none; send back to the
            seller, which takes as long as the goods have been under way.
        weight : (lane, replication) float
            Trade in whose proportions goods are sent on.

        Returns
        -------
        float
            Tonnes stopped, over all replications.
        """
        assert self.tracked is not None
        network, track = self.network, self.tracked
        if not lanes.size:
            return 0.0
        onward = [
            np.setdiff1d(np.flatnonzero(network.lane_supplier == network.lane_supplier[lane]), lanes) for lane in lanes
        ]
        ptr = np.cumsum([0, *(each.size for each in onward)]).astype(np.int64)
        return float(
            stop(
                track.ring, track.held, self.pipeline, self.returning, self.head, track.row[lanes], lanes, share,
                self._steps, network.lane_supplier, network.lane_buyer, ptr, np.concatenate(onward).astype(np.int64),
                weight, ("hold", "divert", "return").index(rule), track.row, self.in_transit, self.in_hold,
                self.in_return,
            )
        )  # fmt: skip

    def let_go(self, lanes: Index, free: NDArray[np.bool_]) -> None:
        """Let goods held on tracked lanes go on where ``free`` (replication,), with the way they still had to go."""
        assert self.tracked is not None
        track = self.tracked
        go_on(
            track.ring, track.held, self.pipeline, self.head, track.row[lanes], lanes, free, self.network.lane_buyer,
            self.in_transit, self.in_hold,
        )  # fmt: skip

    # -- views --------------------------------------------------------------------------------------

    def landing(self, days: Array, out: Array) -> Array:
        """Return goods (buyer, replication), t, that land within some days."""
        ahead = min(int(np.ceil(days.max(initial=0.0) / self.review)), self.pipeline.shape[0])
        return landing_within(self.pipeline, self.head, days, self.review, ahead, out)

    def _present(self) -> Array:
        """Return what is in stock or under way, (material, replication)."""
        network, out = self.network, np.zeros((len(self.network.materials), self.supplier.shape[1]))
        add_by_material((self.supplier, self.in_return), network.supplier_material, out)
        add_by_material((self.buyer, self.in_transit, self.in_hold), network.buyer_material, out)
        return out

    def imbalance(self) -> Array:
        """Return the relative error of the ledger, (material, replication)."""
        network, given = self.network, self._initial.copy()
        gone = np.zeros_like(given)
        add_by_material((self.made,), network.supplier_material, given)
        add_by_material((self.left, self.supplier, self.in_return), network.supplier_material, gone)
        add_by_material((self.used, self.buyer, self.in_transit, self.in_hold), network.buyer_material, gone)
        return np.asarray(np.abs(given - gone) / np.maximum(np.maximum(given, gone), 1e-12))

    def check(self, day: float) -> None:
        """Raise if metal was made or lost out of nothing.

        Raises
        ------
        EngineError
            Naming day, material, replication and amount.
        """
        error = self.imbalance()
        if not (error <= MASS_TOLERANCE).all():
            m, r = np.unravel_index(int(np.nanargmax(error)), error.shape)
            raise EngineError(
                f"mass of {self.network.materials[m]} does not close on day {day:g}, replication {r}: "
                f"off by {error[m, r]:.3g} of it"
            )

    def under_way(self) -> Array:
        """Return tonnes in the pipeline, (buyer, replication), counted slot by slot."""
        return np.asarray(self.pipeline.sum(axis=0))


class Beliefs:
    """Prices, smoothed values and habits that carry over from one review to the next.

    Attributes
    ----------
    sales : (supplier, replication) float, t/d
        x, smoothed.
    shadow : (supplier, replication) float
        Log shadow price lam; `shadow_smooth` is its EWMA.
    scarcity, input_cost, caution : (supplier, replication) float
        Parts of the reserve price.
    price : (buyer, replication) float
        Delivered log price p; `price_smooth` is its EWMA.
    bid : (buyer, replication) float
        v, the buyer's own log price.
    adaptation : (buyer, replication) float
        a of consumers, b of processors' inputs.
    hoarding : (buyer, replication) float
        h, the risk signal.
    structure : (buyer, replication) float
        S, the structural risk.
    urgency : (buyer, replication) float
        60-day EWMA of the gap on the shelf.
    lead : (buyer, replication) float, d
        Smoothed mean lead time with the border delay in force.
    relation : (lane, replication) float, t/d
        K before growth and rescaling.
    requirement : (buyer, replication) float, t/d
        q.
    settled : (buyer, replication) bool
        Whether a plant that opened after the start has filled its shelf once; until then an empty one is no shortage.
    world_caution : (material, replication) float
        Smoothed demand-weighted mean of h.
    """

    def __init__(self, network: Network, baseline: Baseline) -> None:
        suppliers, buyers = baseline.sales, baseline.requirement
        self.sales = suppliers.copy()
        self.shadow, self.shadow_smooth = np.zeros_like(suppliers), np.zeros_like(suppliers)
        self.scarcity, self.input_cost, self.caution = (np.zeros_like(suppliers) for _ in range(3))
        self.price, self.price_smooth, self.bid = (np.zeros_like(buyers) for _ in range(3))
        self.adaptation, self.hoarding, self.structure, self.urgency = (np.zeros_like(buyers) for _ in range(4))
        self.lead = np.zeros_like(buyers)
        self.relation = baseline.flow.copy()
        self.requirement = buyers.copy()
        later = np.array(
            [row.kind == "processor" and network.blueprint.opens_later(row.owner) for row in network.buyers]
        )
        self.settled = np.repeat(~later[:, None], buyers.shape[1], axis=1)
        self.world_caution = np.zeros((len(network.materials), buyers.shape[1]))
