"""The numbers of a balanced start, per replication: throughputs, covers, flows, lead times, prices.

Everything is drawn per replication, so every replication starts in its own exact equilibrium (docs/model.md,
section 5). `closure` makes supply equal demand, `trade` finds who buys from whom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.blueprint import BuyerRow, Offtake, SupplierRow
from sim.closure import Closure, add_up, fail
from sim.config import schema
from sim.draws import Draws
from sim.network import Index, Network
from sim.trade import lead_times, trade_matrix

Array = NDArray[np.float64]


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


def balance(network: Network, draws: Draws, review: float, availability: Array, *, compiled: bool = True) -> Baseline:
    """Return the balanced start of a network.

    Parameters
    ----------
    network : Network
    draws : Draws
    review : float, d
        No lead time is below one review.
    availability : (facility, replication) float
        Mean availability under ordinary outages: nameplate = output / (utilisation x availability).
    compiled : bool
        Whether trade is balanced by compiled code; without, to 1e-10 only, for a check that should not wait for it.

    Raises
    ------
    ConfigError
        If a material cannot be closed, or no trade matrix on the given lanes has the given margins.
    """
    closure = Closure(network, draws)
    reps = draws.replications
    world = network.world
    throughput = np.array([closure.throughput[f] for f in network.facilities]).reshape(-1, reps)
    utilisation = np.array(
        [draws.number(f.utilisation or world.behaviour.utilisation) for f in network.blueprint.facilities.values()]
    )
    class_share = np.array(
        [world.behaviour.class_shares[r.cover_class] if r.classes > 1 else 1.0 for r in network.buyers]
    )
    taken = np.array([_taken(network, closure, row, reps) for row in network.buyers]) * class_share[:, None]
    made = np.array([_made(network, closure, row, reps) for row in network.suppliers])
    supplier_facility = [network.facility_index.get(row.owner, -1) for row in network.suppliers]
    sales = np.where(
        np.array([row.stockpile for row in network.suppliers])[:, None],
        0.0,
        made * throughput[supplier_facility],
    )
    requirement = _requirement(network, closure, throughput, taken, class_share)
    flow, moved = trade_matrix(network, draws, sales, requirement, compiled=compiled)
    return Baseline(
        throughput=throughput,
        capacity=throughput / (utilisation * availability),
        utilisation=utilisation,
        sales=sales,
        made=made,
        supplier_cover=np.array(
            [draws.number(world.materials[row.material].supplier_cover) for row in network.suppliers]
        ),
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
            users = [
                b
                for b, buyer in enumerate(network.buyers)
                if (buyer.material, buyer.country) == (row.material, row.country)
            ]
            held[i] = draws.number(pile.holding) * add_up(requirement[users])
    return held


# -- trade that starts later -----------------------------------------------------------------------------


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
                raise fail(f"facilities.{offtake.name}", f"no buyer of '{offtake.material}' matches '{customer}'.")
            total = _offtake_total(network, draws, baseline, offtake) * draws.number(share)
            weight = _offtake_weight(network, baseline, entries)
            lanes += list(entries)
            offtakes += [number] * entries.size
            volumes += list(total * weight / add_up(weight))
    shape = (len(lanes), draws.replications)
    return (
        np.array(lanes, dtype=np.int64),
        np.array(offtakes, dtype=np.int64),
        np.array(volumes).reshape(shape),
    )


def _offtake_lanes(network: Network, offtake: Offtake, customer: str) -> Index:
    found = []
    for lane in network.lanes([offtake.material]):
        supplier, buyer = (
            network.suppliers[network.lane_supplier[lane]],
            network.buyers[network.lane_buyer[lane]],
        )
        if (
            supplier.stockpile
            or buyer.kind == "stockpile"
            or (buyer.owner != customer and _later_plant(network, buyer))
        ):
            continue
        sells = any(network.matches(name, supplier.owner, supplier.country) for name in offtake.suppliers)
        named = supplier.owner in offtake.suppliers or offtake.plant in (supplier.owner, buyer.owner)
        opened = named or not network.blueprint.opens_later(supplier.owner)
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
    return capacity * add_up(baseline.taken[rows])


def _offtake_weight(network: Network, baseline: Baseline, lanes: Index) -> Array:
    """Weigh a lane by its buyer's requirement (class share for a later plant) and its supplier's sales."""
    buyers, suppliers = network.lane_buyer[lanes], network.lane_supplier[lanes]
    need = baseline.requirement[buyers]
    need = np.where(need.sum(axis=0) > 0, need, baseline.class_share[buyers][:, None])
    sold = baseline.sales[suppliers]
    sold = np.where(sold.sum(axis=0) > 0, sold, 1.0)
    return need * sold
