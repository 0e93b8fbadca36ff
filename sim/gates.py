"""Limits on groups of lanes: which constraints exist, and the topology the market kernel clears on.

A licence names its user: a cap on lanes that all end at one buyer is eliminated together with that buyer's
price. A cap on lanes of several buyers (a quota, a route) is a shared gate with a row of its own. Policies ask
for caps while the world is built; two that limit the same lanes share one constraint, and the tightest counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sim.market.topology import MarketTopology
from sim.network import Index, Network


@dataclass(frozen=True, eq=False)
class Cap:
    """Handle on one limit, or on one per buyer.

    Attributes
    ----------
    groups : tuple of (lane,) int
        Lanes of each constraint.
    """

    groups: tuple[Index, ...]

    @cached_property
    def lanes(self) -> Index:
        """Lanes of all groups, one group after the other."""
        return np.concatenate(self.groups) if self.groups else np.empty(0, dtype=np.int64)

    @cached_property
    def ptr(self) -> Index:
        """Group g holds ``lanes[ptr[g]:ptr[g + 1]]``."""
        return np.cumsum([0, *(group.size for group in self.groups)]).astype(np.int64)

    @cached_property
    def group_of(self) -> Index:
        """(member,) group of each of `lanes`."""
        return np.repeat(np.arange(len(self.groups)), np.diff(self.ptr))


class CapBook:
    """Collects the caps that policies ask for and lays them out for the kernel."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._licence: dict[frozenset[int], int] = {}
        self._gate: dict[frozenset[int], int] = {}
        self._licensed: set[int] = set()
        self._order_licences: list[int] | None = None

    def per_buyer(self, lanes: Index) -> Cap:
        """Return a cap for each buyer at the end of these lanes."""
        buyers = self.network.lane_buyer[lanes]
        groups = tuple(lanes[buyers == b] for b in np.unique(buyers))
        for group in groups:
            self._add(group)
        return Cap(groups)

    def shared(self, lanes: Index) -> Cap:
        """Return one cap over all these lanes, which must be of one material."""
        if np.unique(self.network.buyer_material[self.network.lane_buyer[lanes]]).size > 1:
            raise ValueError("one cap cannot span several materials")
        self._gate.setdefault(frozenset(lanes.tolist()), len(self._gate))
        return Cap((lanes,))

    def _add(self, group: Index) -> None:
        key = frozenset(group.tolist())
        if key in self._licence or key in self._gate:
            return
        if key & self._licensed:
            self._gate[key] = len(self._gate)
        else:
            self._licence[key] = len(self._licence)
            self._licensed |= key

    def freeze(self) -> Gates:
        """Return the constraints in the order the kernel wants: licences by buyer, gates by material."""
        licences = sorted(self._licence, key=lambda key: min(key))
        gates = sorted(
            self._gate,
            key=lambda key: (
                int(self.network.buyer_material[self.network.lane_buyer[min(key)]]),
                sorted(key),
            ),
        )
        return Gates(
            self.network,
            tuple(np.array(sorted(k)) for k in licences),
            tuple(np.array(sorted(k)) for k in gates),
        )


class Gates:
    """The constraints of one scenario.

    Attributes
    ----------
    licences, gates : tuple of (lane,) int
        Lanes of each constraint.
    topology : MarketTopology
    """

    def __init__(self, network: Network, licences: tuple[Index, ...], gates: tuple[Index, ...]) -> None:
        self.licences, self.gates = licences, gates
        self._rows: dict[Cap, tuple[Index, Index]] = {}
        self._licence_of = {frozenset(group.tolist()): i for i, group in enumerate(licences)}
        self._gate_of = {frozenset(group.tolist()): i for i, group in enumerate(gates)}
        self.topology = self._topology(network)

    def rows(self, cap: Cap) -> tuple[Index, Index]:
        """Return, for each group of a cap, its licence (or -1) and its gate (or -1)."""
        if cap in self._rows:
            return self._rows[cap]
        keys = [frozenset(group.tolist()) for group in cap.groups]
        licences = np.array([self._licence_of.get(key, -1) for key in keys], dtype=np.int64)
        self._rows[cap] = licences, np.array([self._gate_of.get(key, -1) for key in keys], dtype=np.int64)
        return self._rows[cap]

    def _topology(self, network: Network) -> MarketTopology:
        lanes = network.lane_buyer.size
        lane_licence = np.full(lanes, -1, dtype=np.int64)
        for i, group in enumerate(self.licences):
            lane_licence[group] = i
        passed: list[list[int]] = [[] for _ in range(lanes)]
        for i, group in enumerate(self.gates):
            for lane in group:
                passed[lane].append(i)
        licence_buyer = np.array([network.lane_buyer[group[0]] for group in self.licences], dtype=np.int64)
        gate_material = np.array(
            [network.buyer_material[network.lane_buyer[group[0]]] for group in self.gates], dtype=np.int64
        )
        return MarketTopology(
            supplier_ptr=network.ranges(network.supplier_material),
            buyer_ptr=network.ranges(network.buyer_material),
            gate_ptr=network.ranges(gate_material),
            lane_ptr=network.lane_ptr,
            lane_supplier=network.lane_supplier,
            lane_gate_ptr=np.concatenate([[0], np.cumsum([len(p) for p in passed])]).astype(np.int64),
            lane_gate=np.array([g for p in passed for g in p], dtype=np.int64),
            licence_ptr=np.searchsorted(licence_buyer, np.arange(len(network.buyers) + 1)).astype(np.int64),
            lane_licence=lane_licence,
        )
