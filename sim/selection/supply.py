"""Normal trade of a case, and what its projects may add to it: expected output, claims on feed, ways round.

Mean-field: plants count by their odds; the path of demand and prices do not count. Leaves the count of the gap to
`count`, and which projects are picked to `pick`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.balance import balance
from sim.blueprint import BuyerRow
from sim.config import schema
from sim.draws import BLOCK_SIZE, Draws
from sim.engine import Case, lay_out
from sim.hazards import mean_availability
from sim.network import Index
from sim.policies.investment import Investment
from sim.policies.logistics_project import LogisticsProject
from sim.policies.recycling_programme import RecyclingProgramme
from sim.policies.route_closure import RouteClosure
from sim.policies.substitution_programme import SubstitutionProgramme

Array = NDArray[np.float64]

POINTS = 24
"""Points in time at which trade is looked at between the start and the date."""


@dataclass(frozen=True)
class Claim:
    """What a new plant asks of one supplier of an input: (point,) t/d."""

    plant: str
    material: str
    supplier: int
    amount: Array


@dataclass(frozen=True)
class Plant:
    """A plant that is not there at the start: its expected output, its products and who buys them.

    Attributes
    ----------
    output : (point,) float, units of its process per day
        Capacity x odds x share of full output reached.
    products : tuple of (supplier row, t per unit, ((buyer rows, weights), ...))
    """

    output: Array
    foreign: bool
    products: tuple[tuple[int, float, tuple[tuple[Index, Array], ...]], ...]


class Supply:
    """Normal trade of a case and what its projects may add to it; the last axis is time.

    Parameters
    ----------
    case : Case
        With all candidates among its policies.
    candidates : iterable of str
        Every other project of the case, and every plant that opens anyway, is taken as decided.
    """

    def __init__(self, case: Case, selection: schema.Selection, candidates: Iterable[str], seed: int) -> None:
        self.case, self.selection, self.candidates = case, selection, tuple(candidates)
        self.network, _, _ = lay_out(case)
        self.draws = Draws(seed, 0, BLOCK_SIZE, case.switches.uncertainty)
        self._normal_trade(seed)
        end = selection.by or case.horizon.end
        self.days = float((end - case.horizon.start).days)
        self.times = (np.arange(POINTS) + 0.5) * self.days / POINTS
        buyers, wanted = self.network.buyers, self.network.expand(selection.beneficiaries)
        found: dict[str, list[int]] = {}
        for b, row in enumerate(buyers):
            if row.country in wanted and self.need[b] > 0 and self._counts(row):
                found.setdefault(row.material, []).append(b)
        self.counted = {material: np.array(rows, dtype=np.int64) for material, rows in found.items()}
        self.open = self._open()
        self.plants = {name: self._plant(name) for name in self._later()}
        self.decided = frozenset(self.plants) - frozenset(self.candidates)
        self.decided |= {n for n, p in case.policies.items() if isinstance(p, Investment) and n not in self.candidates}

    def _counts(self, row: BuyerRow) -> bool:
        """Whether a buyer's need is part of the gap: end users, or all buyers of the materials that are named."""
        named = self.selection.materials
        return row.material in named if named else row.kind == "consumer"

    # -- normal trade -----------------------------------------------------------------------------------

    def _normal_trade(self, seed: int) -> None:
        """Balance the world at central values, and find what its independent plants could make beyond it."""
        network, central = self.network, Draws(seed, 0, 1, False)
        up = mean_availability(network, central, self.case.switches.hazards)
        base = balance(network, central, self.case.calendar.review, up, compiled=False)
        self.flow, self.need, self.sales = base.flow[:, 0], base.requirement[:, 0], base.sales[:, 0]
        self.made, self.taken, self.class_share = base.made[:, 0], base.taken[:, 0], base.class_share
        self.price = dict(zip(network.materials, base.price[:, 0].tolist(), strict=True))
        against = network.expand(self.selection.against)
        self.abroad = np.array([row.country not in against and not row.stockpile for row in network.suppliers])
        spare = np.maximum(base.capacity[:, 0] * up[:, 0] - base.throughput[:, 0], 0.0)
        self.room = np.zeros(len(network.suppliers))
        for rows in network.process_rows:
            process = network.world.processes.get(rows.process)
            if process is None or process.host is not None or process.follows is not None:
                continue  # a by-product follows its host
            more = spare[rows.facility].copy()
            for buyers in rows.inputs:
                for member in range(more.size):
                    feed, taken = self._room_of(buyers[member]), self.taken[buyers[member]].sum()
                    more[member] = min(more[member], feed / taken) if taken > 0 else more[member]
            for suppliers in rows.outputs:
                self.room[suppliers] = more * self.made[suppliers]

    def _room_of(self, buyers: Index) -> float:
        """Return what a plant's suppliers could send it beyond normal trade, in the shares of their sales."""
        total = 0.0
        for b in buyers:
            lanes = np.arange(self.network.lane_ptr[b], self.network.lane_ptr[b + 1])
            sellers = self.network.lane_supplier[lanes]
            share = np.divide(
                self.flow[lanes], self.sales[sellers], out=np.zeros(lanes.size), where=self.sales[sellers] > 0
            )
            total += float((share * self.room[sellers]).sum())
        return total

    def _open(self) -> Array:
        """Return the expected share of each lane that is open without projects, (lane, point)."""
        network, central = self.network, Draws(0, 0, 1, False)
        opened = np.ones((self.flow.size, POINTS))
        if self.case.switches.hazards:
            for risk in network.world.hazards.routes.values():
                mtbf, mttr = (central.number(law.mean)[0] for law in (risk.time_to_failure, risk.repair_time))
                opened[network.lanes(None, risk.origin, risk.destination)] *= mtbf / (mtbf + mttr)
        for policy in self.case.policies.values():
            if isinstance(policy, RouteClosure) and policy.start is not None:
                opened[policy.lanes(network)] *= 1.0 - self._shut(policy)
        return opened

    def _shut(self, policy: RouteClosure) -> Array:
        """Return the share of traffic that a dated closure stops, (point,)."""
        assert policy.start is not None
        first = self.case.calendar.day(policy.start.value)
        last = np.inf if policy.end is None else self.case.calendar.day(policy.end.value)
        last = last if policy.duration is None else first + policy.duration.value
        share = policy.share.value if policy.share is not None else float(policy.detour is None)
        return np.asarray(share * ((self.times >= first) & (self.times < last)))

    # -- what is not there at the start ---------------------------------------------------------------------

    def _later(self) -> Iterator[str]:
        yield from (name for name in self.network.blueprint.facilities if self.network.blueprint.opens_later(name))

    def level(self, name: str) -> Array:
        """Return the expected share of full effect, odds included, (draw, point)."""
        policy = self.case.policies.get(name)
        if isinstance(policy, Investment):
            assert policy.start is not None
            day = self.case.calendar.day
            start = np.asarray(day(self.draws.number(policy.start)))  # type: ignore[arg-type]
            _, ready = policy.opening(self.draws, start, name)
            odds, ramp = policy.odds(self.draws), self.draws.number(policy.ramp)
        else:
            plant = self.network.blueprint.facilities[name]
            assert plant.opens is not None
            ready = np.asarray(self.case.calendar.day(self.draws.number(plant.opens)))  # type: ignore[arg-type]
            odds = np.ones(BLOCK_SIZE)
            ramp = np.zeros(BLOCK_SIZE) if plant.ramp is None else self.draws.number(plant.ramp)
        reached = np.clip((self.times - ready[:, None]) / np.maximum(ramp, 1e-9)[:, None], 0.0, 1.0)
        return np.asarray(reached * odds[:, None])

    def _plant(self, name: str) -> Plant:
        network, plant = self.network, self.network.blueprint.facilities[name]
        assert plant.throughput is not None
        capacity = self.draws.number(plant.throughput)
        policy = self.case.policies.get(name)
        if isinstance(policy, RecyclingProgramme) and policy.recovered is not None:
            row = network.supplier_row[name, str(policy.material)]
            capacity = self.draws.number(policy.recovered) * self.need[policy.users(network)].sum() / self.made[row]
        products = []
        for material in network.world.processes[plant.process].outputs:
            row = network.supplier_row[name, material]
            parts = [
                self._customers(material, place, share.value)
                for place, share in plant.customers.get(material, {}).items()
                if place not in network.blueprint.facilities or not network.blueprint.opens_later(place)
            ]
            products.append((row, float(self.made[row]), tuple(parts)))
        foreign = plant.country in network.expand(self.selection.against)
        return Plant((self.level(name) * capacity[:, None]).mean(axis=0), foreign, tuple(products))

    def _customers(self, material: str, place: str, share: float) -> tuple[Index, Array]:
        """Return the buyers that a customer stands for, and the part of the sales each takes."""
        network = self.network
        rows = np.array(
            [
                b
                for b, row in enumerate(network.buyers)
                if row.material == material and row.kind != "stockpile" and self.need[b] > 0
                and network.matches(place, row.owner, row.country)
            ],
            dtype=np.int64,
        )  # fmt: skip
        total = self.need[rows].sum()
        return rows, share * self.need[rows] / total if total > 0 else np.zeros(rows.size)

    def claims(self, present: frozenset[str]) -> list[Claim]:
        """Return what the plants that are present ask of suppliers, shares of absent ones going to the others."""
        network, found = self.network, []
        for name in self.plants:
            if name not in present:
                continue
            record = network.blueprint.facilities[name]
            for material, wanted in self.needs(name).items():
                stated = {p: s.value for p, s in record.suppliers.get(material, {}).items()}
                stated = {p: s for p, s in stated.items() if p not in self.plants or p in present}
                total = sum(stated.values())
                for place, share in stated.items():
                    rows = self._sellers(material, place)
                    weight = np.where(self.room[rows].sum() > 0, self.room[rows], 1.0)
                    for row, part in zip(rows, weight / weight.sum(), strict=True):
                        found.append(Claim(name, material, int(row), wanted * share / total * part))
        return found

    def needs(self, name: str) -> dict[str, Array]:
        """Return what a new plant would take of each input at its expected output, (point,) t/d."""
        network = self.network
        inputs = network.world.processes[network.blueprint.facilities[name].process].inputs
        taken = {material: float(self.taken[network.buyer_rows[name, material]].sum()) for material in inputs}
        return {material: amount * self.plants[name].output for material, amount in taken.items()}

    def _sellers(self, material: str, place: str) -> Index:
        network = self.network
        rows = [
            s
            for s, row in enumerate(network.suppliers)
            if row.material == material and not row.stockpile and network.matches(place, row.owner, row.country)
            and (row.owner == place or not network.blueprint.opens_later(row.owner))
        ]  # fmt: skip
        return np.array(rows, dtype=np.int64)

    def expected(self, name: str) -> float:
        """Return what a project makes, replaces or carries until the date if it is fed, t: capacity x odds x time."""
        policy = self.case.policies[name]
        if isinstance(policy, LogisticsProject):
            return self.days * float((self.carried(name, policy) * (1.0 - self.open)).mean(axis=1) @ self.flow)
        if isinstance(policy, SubstitutionProgramme):
            return self.days * float(self.replaced(name, policy).mean(axis=1).sum())
        _, made, _ = self.plants[name].products[0]
        return self.days * made * float(self.plants[name].output.mean())

    def carried(self, name: str, policy: LogisticsProject) -> Array:
        """Return the share of what is closed that a project carries round, (lane, point)."""
        share = (self.level(name) * self.draws.number(policy.capacity_share)[:, None]).mean(axis=0)
        found = np.zeros_like(self.open)
        found[policy.lanes(self.network)] = share
        return found

    def replaced(self, name: str, policy: SubstitutionProgramme) -> Array:
        """Return the need that a project does away with, (buyer, point) t/d."""
        share = (self.level(name) * self.draws.number(policy.share)[:, None]).mean(axis=0)
        found = np.zeros((self.need.size, POINTS))
        for kind in ("consumer", "processor"):
            rows = policy.rows(self.network, kind)
            found[rows] = self.need[rows, None] * share
        return found
