"""The numbers of a balanced start: throughputs, coefficients, trade flows and lead times per replication.

Closes each material (supply = demand) with the rule its record names, then balances the trade matrix by
iterative proportional fitting (Deming and Stephan 1940) to the margins. Everything is drawn per
replication, so every replication starts in its own exact equilibrium (docs/model.md, section 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.config import schema
from sim.draws import Draws
from sim.errors import ConfigError, Problem
from sim.network import BuyerRow, Index, Network, Offtake, SupplierRow

Array = NDArray[np.float64]

FIT_TOLERANCE = 1e-12
"""Relative error of a supplier's sales at which balancing stops."""

ACCEPTED = 1e-10
"""Largest relative error that still counts as balanced."""

FIT_ROUNDS = 20_000


def _fail(address: str, message: str) -> ConfigError:
    return ConfigError([Problem(address, message)])


@dataclass
class Closure:
    """Throughputs and recipe coefficients of a world in balance.

    Attributes
    ----------
    throughput : dict of (replication,) float
        Per facility, in units of its process per day.
    takes, makes : dict of (replication,) float
        Per (process, material), t per unit of throughput.
    use : dict of (replication,) float
        Per (country, material), t/d.
    total : dict of (replication,) float
        Per material, t/d.
    moved : dict of (replication,) float
        Per address, balanced over given value.
    """

    network: Network
    draws: Draws
    throughput: dict[str, Array] = field(default_factory=dict)
    takes: dict[tuple[str, str], Array] = field(default_factory=dict)
    makes: dict[tuple[str, str], Array] = field(default_factory=dict)
    use: dict[tuple[str, str], Array] = field(default_factory=dict)
    total: dict[str, Array] = field(default_factory=dict)
    moved: dict[str, Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = self.network.world
        self.present = {
            name: facility for name, facility in self.network.blueprint.facilities.items() if not self.network.blueprint.opens_later(name)
        }
        self._read()
        self._close()

    # -- what is given ------------------------------------------------------------------------------

    def _read(self) -> None:
        zero = np.zeros(self.draws.replications)
        for name, facility in self.network.blueprint.facilities.items():
            if name not in self.present:
                self.throughput[name] = zero
            elif facility.throughput is not None:
                self.throughput[name] = self.draws.number(facility.throughput)
        for name, process in self.world.processes.items():
            for material, taken in process.inputs.items():
                if isinstance(taken.amount, schema.Number):
                    self.takes[name, material] = self.draws.number(taken.amount)
            for material, made in process.outputs.items():
                if isinstance(made, schema.Number):
                    self.makes[name, material] = self.draws.number(made)
        for country, uses in self.world.consumers.items():
            for material, consumer in uses.items():
                self.use[country, material] = self.draws.number(consumer.use)
        self._fill_remainders()

    def _fill_remainders(self) -> None:
        for name, process in self.world.processes.items():
            for material, made in process.outputs.items():
                others = [other for other in process.outputs if other != material]
                if made == "remainder" and all((name, other) in self.makes for other in others):
                    self.makes[name, material] = 1.0 - sum((self.makes[name, other] for other in others), np.zeros(self.draws.replications))

    def _makers(self, material: str) -> list[str]:
        return [f for f, facility in self.present.items() if material in self.world.processes[facility.process].outputs]

    def _takers(self, material: str) -> list[str]:
        return [f for f, facility in self.present.items() if material in self.world.processes[facility.process].inputs]

    # -- closing ------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Close material by material, as their numbers become known."""
        waiting = {(m, side) for m in self.world.materials for side in ("supply", "demand")}
        while waiting:
            done = {task for task in sorted(waiting) if self._close_side(*task)}
            if not done:
                names = ", ".join(sorted({m for m, _ in waiting}))
                raise _fail("materials", f"the balance of {names} cannot be closed: a throughput, share, total or closer is missing.")
            waiting -= done
            self._fill_remainders()
        for (process, material), amount in {**self.takes, **self.makes}.items():
            if np.any(amount < 0):
                raise _fail(f"processes.{process}", f"the balance of '{material}' needs a negative amount ({amount.min():.4g} t per unit).")

    def _close_side(self, material: str, side: str) -> bool:
        record = self.world.materials[material]
        if record.total is not None and material not in self.total:
            self.total[material] = self.draws.number(record.total)
        closer = record.supply_closed_by if side == "supply" else record.demand_closed_by
        parts = self._parts(material, side)
        if parts is None:
            return False
        fixed, unknown = parts
        total = self.total.get(material)
        if total is None:
            if unknown or any(self._is_share(name) for name in fixed):
                return False
            self.total[material] = sum(fixed.values(), np.zeros(self.draws.replications))
            return True
        return self._apply(material, side, closer, fixed, unknown, total)

    def _is_share(self, name: str) -> bool:
        return name in self.present and name not in self.throughput

    def _coefficient(self, facility: str, material: str, side: str) -> Array | None:
        book = self.makes if side == "supply" else self.takes
        return book.get((self.present[facility].process, material))

    def _parts(self, material: str, side: str) -> tuple[dict[str, Array], list[str]] | None:
        """Return known flows (t/d) by facility or country, and facilities whose flow is unknown; None: not yet."""
        known: dict[str, Array] = {}
        unknown: list[str] = []
        for name in self._makers(material) if side == "supply" else self._takers(material):
            coefficient, facility = self._coefficient(name, material, side), self.present[name]
            if name in self.throughput and coefficient is not None:
                known[name] = self.throughput[name] * coefficient
            elif facility.share is not None and coefficient is not None and material in self.total:
                known[name] = self.draws.number(facility.share) * self.total[material]
            else:
                unknown.append(name)
        if side == "demand":
            known |= {country: use for (country, m), use in self.use.items() if m == material}
        return known, unknown

    def _apply(self, material: str, side: str, closer: str, known: dict[str, Array], unknown: list[str], total: Array) -> bool:
        kind, _, name = closer.partition(":")
        flows = sum(known.values(), np.zeros_like(total))
        if kind == "scale":
            if unknown:
                return False
            self._scale(material, side, known, total / flows)
            return True
        if kind == "facility":
            coefficient = self._coefficient(name, material, side)
            if unknown != [name] or coefficient is None:
                return False
            self._solve_facility(material, name, (total - flows) / coefficient)
            return True
        members = [f for f in unknown if self.present[f].process == name]
        if members != unknown or not all(f in self.throughput for f in members):
            return False
        book = self.makes if side == "supply" else self.takes
        book[name, material] = (total - flows) / sum((self.throughput[f] for f in members), np.zeros_like(total))
        return True

    def _solve_facility(self, material: str, name: str, throughput: Array) -> None:
        if np.any(throughput <= 0):
            raise _fail(
                f"facilities.{name}", f"what is left of '{material}' for it is {throughput.min():.4g} t/d; the given numbers exceed the total."
            )
        self.throughput[name] = throughput

    def _scale(self, material: str, side: str, known: Mapping[str, Array], factor: Array) -> None:
        for name, flow in known.items():
            if name in self.present:
                coefficient = self._coefficient(name, material, side)
                assert coefficient is not None
                self.throughput[name] = flow * factor / coefficient
                self.moved[f"facilities.{name}"] = factor
            else:
                self.use[name, material] = flow * factor
                self.moved[f"consumers.{name}.{material}.use"] = factor


@dataclass(frozen=True)
class Baseline:
    """Numbers of the balanced start, replication last.

    Attributes
    ----------
    throughput, capacity : (facility, replication) float, units of the process per day
        Capacity is what the facility can make when nothing is down (nameplate).
    utilisation : (facility, replication) float
    sales : (supplier, replication) float, t/d
    made : (supplier, replication) float, t per unit of throughput; 0 for stockpiles
    supplier_cover : (supplier, replication) float, d
    requirement : (buyer, replication) float, t/d
    taken : (buyer, replication) float, t per unit of the facility's throughput, times the class share; 0 for others
    class_share : (buyer,) float
    cover : (buyer, replication) float, d
    value_share : (buyer, replication) float
        chi of a processor's input; 0 for others.
    thrift : (buyer, replication) float
        1 for consumers.
    flow : (lane, replication) float, t/d
        K0.
    lead_time : (lane, replication) float, d
    price : (material, replication) float, USD/t
    offtake : (offtake lane, replication) float, t/d
    """

    throughput: Array
    capacity: Array
    utilisation: Array
    sales: Array
    made: Array
    supplier_cover: Array
    requirement: Array
    taken: Array
    class_share: Array
    cover: Array
    value_share: Array
    thrift: Array
    flow: Array
    lead_time: Array
    price: Array
    holding: Array
    closure: Closure
    moved_lanes: dict[str, float]


def balance(network: Network, draws: Draws, review: float, availability: Array) -> Baseline:
    """Return the balanced start of a network.

    Parameters
    ----------
    network : Network
    draws : Draws
    review : float, d
        No lead time is below one review.
    availability : (facility, replication) float
        Mean availability under ordinary outages: nameplate = output / (utilisation x availability).

    Raises
    ------
    ConfigError
        If a material cannot be closed, or no trade matrix on the given lanes has the given margins.
    """
    closure = Closure(network, draws)
    reps = draws.replications
    world = network.world
    throughput = np.array([closure.throughput[f] for f in network.facilities]).reshape(-1, reps)
    utilisation = np.array([draws.number(f.utilisation or world.behaviour.utilisation) for f in network.blueprint.facilities.values()])
    class_share = np.array([world.behaviour.class_shares[r.cover_class] if r.classes > 1 else 1.0 for r in network.buyers])
    taken = np.array([_taken(network, closure, row, reps) for row in network.buyers]) * class_share[:, None]
    made = np.array([_made(network, closure, row, reps) for row in network.suppliers])
    supplier_facility = [network.facility_index.get(row.owner, -1) for row in network.suppliers]
    sales = np.where(np.array([row.stockpile for row in network.suppliers])[:, None], 0.0, made * throughput[supplier_facility])
    requirement = _requirement(network, closure, throughput, taken, class_share)
    flow, moved = trade_matrix(network, draws, sales, requirement)
    return Baseline(
        throughput=throughput,
        capacity=throughput / (utilisation * availability),
        utilisation=utilisation,
        sales=sales,
        made=made,
        supplier_cover=np.array([draws.number(world.materials[row.material].supplier_cover) for row in network.suppliers]),
        requirement=requirement,
        taken=taken,
        class_share=class_share,
        cover=np.array([_cover(network, draws, row) for row in network.buyers]),
        value_share=np.array([_input_number(network, draws, row, "value_share", 0.0) for row in network.buyers]),
        thrift=np.array([_input_number(network, draws, row, "thrift", 1.0) for row in network.buyers]),
        flow=flow,
        lead_time=lead_times(network, draws, review),
        price=np.array([draws.number(world.materials[m].price) for m in network.materials]),
        holding=_holding(network, draws, requirement),
        closure=closure,
        moved_lanes=moved,
    )


def _input_record(network: Network, row: BuyerRow) -> schema.Input | None:
    if row.kind != "processor":
        return None
    facility = network.blueprint.facilities[row.owner]
    return network.world.processes[facility.process].inputs[row.material]


def _input_number(network: Network, draws: Draws, row: BuyerRow, name: str, other: float) -> Array:
    record = _input_record(network, row)
    return np.full(draws.replications, other) if record is None else draws.number(getattr(record, name))


def _taken(network: Network, closure: Closure, row: BuyerRow, reps: int) -> Array:
    if _input_record(network, row) is None:
        return np.zeros(reps)
    process = network.blueprint.facilities[row.owner].process
    return closure.takes[process, row.material]


def _made(network: Network, closure: Closure, row: SupplierRow, reps: int) -> Array:
    if row.stockpile:
        return np.zeros(reps)
    process = network.blueprint.facilities[row.owner].process
    return closure.makes[process, row.material]


def _requirement(network: Network, closure: Closure, throughput: Array, taken: Array, class_share: Array) -> Array:
    rows = []
    for i, row in enumerate(network.buyers):
        if row.kind == "processor":
            rows.append(taken[i] * throughput[network.facility_index[row.owner]])
        elif row.kind == "consumer":
            rows.append(closure.use[row.owner, row.material] * class_share[i])
        else:
            rows.append(np.zeros(throughput.shape[1]))
    return np.array(rows)


def _cover(network: Network, draws: Draws, row: BuyerRow) -> Array:
    """Mean cover of a buyer times the factor of its cover class; zero for stockpiles."""
    behaviour = network.world.behaviour
    factor = behaviour.class_covers[row.cover_class] if row.classes > 1 else 1.0
    record = _input_record(network, row)
    if record is not None:
        return factor * draws.number(record.cover)
    if row.kind == "consumer":
        return factor * draws.number(network.world.consumers[row.owner][row.material].cover)
    return np.zeros(draws.replications)


def _holding(network: Network, draws: Draws, requirement: Array) -> Array:
    """(supplier, replication) float, t: what stockpiles hold at the start."""
    held = np.zeros((len(network.suppliers), draws.replications))
    for i, row in enumerate(network.suppliers):
        if not row.stockpile:
            continue
        pile = network.world.stockpiles[row.owner]
        if pile.tonnes is not None:
            held[i] = draws.number(pile.tonnes)
        elif pile.holding is not None:
            users = [b for b, buyer in enumerate(network.buyers) if (buyer.material, buyer.country) == (row.material, row.country)]
            held[i] = draws.number(pile.holding) * requirement[users].sum(axis=0)
    return held


# -- trade matrix -------------------------------------------------------------------------------------


def trade_matrix(network: Network, draws: Draws, sales: Array, requirement: Array) -> tuple[Array, dict[str, float]]:
    """Return baseline flows K0 (lane, replication) in t/d, balanced to sales and requirements.

    The prior of a lane is the stated share of its supplier in the buyer's purchases (a country's share
    is split over its facilities by sales), or, where nothing is stated, the supplier's sales weighted by
    home preference. The second value says how far balancing moved each stated share.
    """
    prior = np.array(
        [_prior(network, draws, s, b, sales) * requirement[b] for s, b in zip(network.lane_supplier, network.lane_buyer, strict=True)]
    ).reshape(-1, draws.replications)
    flow = np.zeros_like(prior)
    lane_material = network.buyer_material[network.lane_buyer]
    for m, material in enumerate(network.materials):
        lanes = np.flatnonzero(lane_material == m)
        if lanes.size and requirement[network.lane_buyer[lanes]].any():
            flow[lanes] = _fit(material, network, lanes, prior[lanes], sales, requirement)
    return flow, _moved_shares(network, prior, flow)


def _prior(network: Network, draws: Draws, s: int, b: int, sales: Array) -> Array:
    supplier, buyer = network.suppliers[s], network.buyers[b]
    opens = network.blueprint.opens_later
    if supplier.stockpile or opens(supplier.owner) or buyer.kind == "stockpile" or (buyer.kind == "processor" and opens(buyer.owner)):
        return np.zeros(draws.replications)
    weight = network.prior_weight(supplier, buyer)
    if weight is None:
        return np.zeros(draws.replications)
    if isinstance(weight, float):
        return weight * sales[s]
    share = draws.number(weight)
    if weight.address.endswith(f".{supplier.owner}"):
        return share
    peers = [i for i, other in enumerate(network.suppliers) if other.material == supplier.material and other.country == supplier.country]
    total = sales[peers].sum(axis=0)
    return share * np.divide(sales[s], total, out=np.zeros_like(total), where=total > 0)


def _fit(material: str, network: Network, lanes: Index, prior: Array, sales: Array, requirement: Array) -> Array:
    """Scale a prior to its margins, rows and columns in turn, until both hold."""
    suppliers, row = np.unique(network.lane_supplier[lanes], return_inverse=True)
    buyers, column = np.unique(network.lane_buyer[lanes], return_inverse=True)
    flow = prior.copy()
    worst, error = fit_margins(flow, row, column, sales[suppliers], requirement[buyers], FIT_ROUNDS, FIT_TOLERANCE)
    if error > ACCEPTED:
        raise _fail(
            f"trade.{material}",
            f"no trade on the given lanes lets '{network.suppliers[suppliers[worst]].owner}' sell what it makes (off by {error:.2%}); "
            "add a source to a buyer, or change its share.",
        )
    return flow


@njit(cache=True)
def fit_margins(
    flow: Array, row: Index, column: Index, supply: Array, demand: Array, rounds: int, tolerance: float
) -> tuple[int, float]:
    """Balance flows to their margins in place, by iterative proportional fitting (Deming and Stephan 1940).

    Parameters
    ----------
    flow : (lane, replication) float
        Prior; overwritten.
    row, column : (lane,) int
        Supplier and buyer of each lane.
    supply : (supplier, replication) float
    demand : (buyer, replication) float

    Returns
    -------
    int, float
        The supplier whose sales are furthest off in any replication, and by which share.
    """
    worst_row, worst = 0, 0.0
    rows, columns = np.empty(supply.shape[0]), np.empty(demand.shape[0])
    for r in range(flow.shape[1]):
        small = supply[:, r].max() * 1e-9
        error, at = np.inf, 0
        for _ in range(rounds):
            rows[:] = 0.0
            for lane in range(row.size):
                rows[row[lane]] += flow[lane, r]
            error = 0.0
            for i in range(rows.size):
                off = abs(rows[i] - supply[i, r]) / max(supply[i, r], small)
                if off > error:
                    error, at = off, i
                rows[i] = supply[i, r] / rows[i] if rows[i] > 0.0 else 0.0
            columns[:] = 0.0
            for lane in range(row.size):
                flow[lane, r] *= rows[row[lane]]
                columns[column[lane]] += flow[lane, r]
            for lane in range(row.size):
                total = columns[column[lane]]
                flow[lane, r] *= demand[column[lane], r] / total if total > 0.0 else 0.0
            if error < tolerance:
                break
        if error > worst:
            worst_row, worst = at, error
    return worst_row, worst


def _moved_shares(network: Network, prior: Array, flow: Array) -> dict[str, float]:
    moved: dict[str, float] = {}
    for lane, (s, b) in enumerate(zip(network.lane_supplier, network.lane_buyer, strict=True)):
        weight = network.prior_weight(network.suppliers[s], network.buyers[b])
        if isinstance(weight, schema.Number) and prior[lane].mean() > 0:
            moved[weight.address] = float(flow[lane].mean() / prior[lane].mean())
    return moved


def lead_times(network: Network, draws: Draws, review: float) -> Array:
    """Return days from order to receipt per lane: transit plus the buyer's time in process.

    Time in process stands before the transformation, so that goods in process at home are not counted as
    exported; no lead time is shorter than one review.

    Returns
    -------
    (lane, replication) float, d
    """
    days = np.zeros((network.lane_buyer.size, draws.replications))
    for lane, (s, b) in enumerate(zip(network.lane_supplier, network.lane_buyer, strict=True)):
        supplier, buyer = network.suppliers[s], network.buyers[b]
        rule = None
        for candidate in network.world.transit.values():
            if _rule_matches(network, candidate, supplier, buyer):
                rule = candidate
        if rule is None:
            raise _fail("transit", f"no rule gives the days from '{supplier.owner}' to '{buyer.owner}' for '{buyer.material}'.")
        days[lane] = draws.number(rule.days)
        if buyer.kind == "processor":
            time = network.world.processes[network.blueprint.facilities[buyer.owner].process].processing_time
            days[lane] += 0.0 if time is None else draws.number(time)
    return np.maximum(days, review)


def _rule_matches(network: Network, rule: schema.TransitRule, supplier: SupplierRow, buyer: BuyerRow) -> bool:
    def named(names: tuple[str, ...] | None, row: SupplierRow | BuyerRow) -> bool:
        return names is None or any(network.matches(name, row.owner, row.country) for name in names)

    material = rule.material is None or supplier.material in rule.material
    return material and named(rule.origin, supplier) and named(rule.destination, buyer)


def offtake_volumes(network: Network, draws: Draws, baseline: Baseline) -> tuple[Index, Index, Array]:
    """Return lanes, offtake numbers and full volumes of all trade that starts later.

    Returns
    -------
    lanes, offtakes : (entry,) int
    volume : (entry, replication) float, t/d
        At full ramp; a plant's own offtakes come from its capacity.
    """
    lanes, offtakes, volumes = [], [], []
    for number, offtake in enumerate(network.blueprint.offtakes):
        for customer, share in offtake.customers.items():
            entries = _offtake_lanes(network, offtake, customer)
            if not entries.size:
                raise _fail(f"facilities.{offtake.name}", f"no buyer of '{offtake.material}' matches '{customer}'.")
            total = _offtake_total(network, draws, baseline, offtake) * draws.number(share)
            weight = _offtake_weight(network, baseline, entries)
            lanes += list(entries)
            offtakes += [number] * entries.size
            volumes += list(total * weight / weight.sum(axis=0))
    shape = (len(lanes), draws.replications)
    return np.array(lanes, dtype=np.int64), np.array(offtakes, dtype=np.int64), np.array(volumes).reshape(shape)


def _offtake_lanes(network: Network, offtake: Offtake, customer: str) -> Index:
    found = []
    for lane in network.lanes([offtake.material]):
        supplier, buyer = network.suppliers[network.lane_supplier[lane]], network.buyers[network.lane_buyer[lane]]
        if supplier.stockpile or buyer.kind == "stockpile" or (buyer.owner != customer and _later_plant(network, buyer)):
            continue
        sells = any(network.matches(name, supplier.owner, supplier.country) for name in offtake.suppliers)
        opened = offtake.plant in (supplier.owner, buyer.owner) or not network.blueprint.opens_later(supplier.owner)
        if sells and opened and network.matches(customer, buyer.owner, buyer.country):
            found.append(lane)
    return np.array(found, dtype=np.int64)


def _later_plant(network: Network, buyer: BuyerRow) -> bool:
    return buyer.kind == "processor" and network.blueprint.opens_later(buyer.owner)


def _offtake_total(network: Network, draws: Draws, baseline: Baseline, offtake: Offtake) -> Array:
    if offtake.volume is not None:
        return draws.number(offtake.volume)
    assert offtake.plant is not None
    facility = network.blueprint.facilities[offtake.plant]
    assert facility.throughput is not None
    capacity = draws.number(facility.throughput)
    row = network.supplier_row.get((offtake.plant, offtake.material)) if offtake.plant in offtake.suppliers else None
    if row is not None:
        return capacity * baseline.made[row]
    rows = network.buyer_rows[(offtake.plant, offtake.material)]
    return capacity * baseline.taken[rows].sum(axis=0)


def _offtake_weight(network: Network, baseline: Baseline, lanes: Index) -> Array:
    """Requirement of the buyer (class share for a plant that opens later) times sales of the supplier."""
    buyers, suppliers = network.lane_buyer[lanes], network.lane_supplier[lanes]
    need = baseline.requirement[buyers]
    need = np.where(need.sum(axis=0) > 0, need, baseline.class_share[buyers][:, None])
    sold = baseline.sales[suppliers]
    sold = np.where(sold.sum(axis=0) > 0, sold, 1.0)
    return need * sold
