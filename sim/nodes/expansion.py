"""Capacity where it does not follow demand by itself: what prices let people build (docs/model.md, section 5.2).

Of each facility that exists at the start, with capacity Q and its own log price c smoothed over a year,

    starts per year = g Q clip(c - c_h, 0, 1),

on line after the lead time, which is spread; some is under way at the start. What comes on line adds to the facility.
c is the product's shadow price less what inputs add to it, so that a plant does not expand because its ore is scarce,
or what prices downstream say, if that is more, so that mines and plants are built together. By-products follow their
hosts, recyclers what was used before. Needs follow their own path, lanes what exists. Nothing is closed for good.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.compiled import exponential, njit
from sim.config import schema
from sim.network import ProcessRows
from sim.nodes.mines import Host
from sim.sums import add_by_material, sum_rows
from sim.world import Steps, World

Array = NDArray[np.float64]
Index = NDArray[np.int64]

YEAR = 365.25

PHASES = 2
"""Lead times are spread as an Erlang law of so many phases: an old mine grows sooner than a new one is built."""


def expansion(world: World) -> Steps:
    """Bring capacity on line at each review, after plants that open by themselves and before lanes follow."""
    habits = world.network.world.behaviour.expansion
    assert habits is not None
    present = [rows for rows in world.network.process_rows if not _opens_later(world, rows) and not rows.final]
    building = Building(world, habits, [rows for rows in present if _answers_prices(world, rows)])
    followers: list[Scrap | Hosted] = [Scrap(world, habits, rows) for rows in present if _recycles(world, rows)]
    followers += [Hosted(world, habits, rows) for rows in present if _process(world, rows).host is not None]
    existing = Existing(world)
    while True:
        yield world.next(Phase.POLICIES, 997)
        building.build()
        for each in followers:
            each.follow()
        existing.fill()


def _process(world: World, rows: ProcessRows) -> schema.Process:
    return world.network.world.processes[rows.process]


def _opens_later(world: World, rows: ProcessRows) -> bool:
    return world.network.blueprint.opens_later(world.network.facilities[rows.facility[0]])


def _recycles(world: World, rows: ProcessRows) -> bool:
    return _process(world, rows).recycles is not None


def _answers_prices(world: World, rows: ProcessRows) -> bool:
    return _process(world, rows).host is None and not _recycles(world, rows)


class Building:
    """Facilities that expand when their own price stays high.

    Attributes
    ----------
    price : (member, replication) float
        Log price smoothed over the memory of investors.
    started : (phase, member, replication) float, units per day
        Capacity being built, by phase; a phase lasts a share of the lead time on average.
    """

    def __init__(self, world: World, habits: schema.Expansion, groups: Iterable[ProcessRows]) -> None:
        self.world = world
        draws, reps, step = world.draws, world.draws.replications, float(world.step)
        groups = list(groups)
        self.facility = np.concatenate([np.empty(0, np.int64), *(rows.facility for rows in groups)])
        outputs = [list(rows.outputs[:, m]) for rows in groups for m in range(rows.facility.size)]
        self.ptr = np.cumsum([0] + [len(each) for each in outputs]).astype(np.int64)
        self.output = np.array([s for each in outputs for s in each], dtype=np.int64)
        base = world.baseline
        self.worth = base.made[self.output] * base.price[world.network.supplier_material[self.output]]
        lead = []
        for rows in groups:
            process = _process(world, rows)
            usual = habits.plant_lead_time if process.inputs else habits.mine_lead_time
            lead += [draws.number(process.lead_time or usual)] * rows.facility.size
        days = np.maximum(np.array(lead).reshape(-1, reps), step)
        self.passed = -np.expm1(-PHASES * step / days)
        self.rate = draws.number(habits.starts) * step / YEAR
        self.hurdle = draws.number(habits.hurdle)
        self.weight = -np.expm1(-step / draws.number(habits.memory))
        self.downstream = Downstream(world)
        self.price = np.zeros((self.facility.size, reps))
        growth = [
            draws.number(_process(world, rows).under_way or habits.under_way) for rows in groups for _ in rows.facility
        ]
        begun = np.array(growth).reshape(-1, reps) * base.capacity[self.facility] * days / YEAR
        self.started = np.repeat(begun[None] / PHASES, PHASES, axis=0)

    def build(self) -> None:
        """Start new capacity at last review's prices and bring on line what was started a lead time ago."""
        world = self.world
        build(
            self.facility, self.ptr, self.output, self.worth, world.beliefs.shadow, world.beliefs.input_cost,
            self.downstream.look(), world.network.supplier_material,
            self.weight, self.rate, self.hurdle, self.passed, world.baseline.capacity,
            self.price, self.started, world.plant_capacity,
        )  # fmt: skip


@njit(cache=True, error_model="numpy")
def build(
    facility: Index, ptr: Index, output: Index, worth: Array, shadow: Array, input_cost: Array,
    downstream: Array, material: Index,
    weight: Array, rate: Array, hurdle: Array, passed: Array, capacity: Array,
    price: Array, started: Array, opened: Array,
) -> None:  # fmt: skip
    """Start and open capacity for one review (docs/model.md, equations 5b and 5c).

    Parameters
    ----------
    facility : (member,) int
    ptr, output : int
        Supplier rows of member m are ``output[ptr[m]:ptr[m + 1]]``.
    worth : (output, replication) float, USD per unit of throughput
        At the start.
    shadow, input_cost : (supplier, replication) float
    downstream : (material, replication) float
        As of `Downstream`.
    material : (supplier,) int
    weight, rate, hurdle : (replication,) float
        Of the EWMA, share of capacity per review, and log price.
    passed : (member, replication) float
        Share of a phase that is done in a review.
    capacity, opened : (facility, replication) float, units per day
        `opened` grows.
    price, started
        As of `Building`, changed in place.
    """
    phases, reps = started.shape[0], price.shape[1]
    value, lifted = np.empty(reps), np.empty(reps)
    for m in range(facility.size):
        f = facility[m]
        value[:], lifted[:] = 0.0, 0.0
        for i in range(ptr[m], ptr[m + 1]):
            s = output[i]
            for r in range(reps):
                value[r] += worth[i, r]
                lifted[r] += worth[i, r] * exponential(max(shadow[s, r] - input_cost[s, r], downstream[material[s], r]))
        for r in range(reps):
            price[m, r] += weight[r] * (np.log(lifted[r] / value[r]) - price[m, r])
            size = capacity[f, r] + opened[f, r]
            begun = rate[r] * size * min(max(price[m, r] - hurdle[r], 0.0), 1.0)
            for k in range(phases):
                done = passed[m, r] * started[k, m, r]
                started[k, m, r] += begun - done
                begun = done
            opened[f, r] += begun


class Downstream:
    """What the prices of products say of the materials they are made from.

    A mine that sells to a plant sees the price of what the plant makes, as contracts that follow it do: with a single
    input all of it, with several the share of that input in their value.

    Attributes
    ----------
    price : (material, replication) float
        Mean log price of sellers, or what those of products downstream say, if that is more, weighted by use.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        network, base = world.network, world.baseline
        self.price = np.zeros((len(network.materials), world.draws.replications))
        self.total, self.all_sold = np.zeros_like(self.price), np.zeros_like(self.price)
        add_by_material((base.requirement,), network.buyer_material, self.total)
        add_by_material((base.sales,), network.supplier_material, self.all_sold)
        self.links = list(self._links())

    def _links(self) -> Iterator[tuple[int, int, Array]]:
        """Yield (material, product, weight) of each process, downstream first."""
        world, network = self.world, self.world.network
        for rows in reversed(network.process_rows):
            if rows.final or not rows.inputs.size:
                continue
            product = int(network.supplier_material[rows.outputs[0, 0]])
            values = [world.baseline.value_share[row[0, 0]] for row in rows.inputs]
            for buyers, value in zip(rows.inputs, values, strict=True):
                material = int(network.buyer_material[buyers[0, 0]])
                used = sum_rows(world.baseline.requirement[buyers.reshape(-1)])
                whole = self.total[material] * sum(values)
                weight = np.divide(used * value, whole, out=np.zeros_like(used), where=whole > 0)
                yield material, product, weight

    def look(self) -> Array:
        """Return `price` at last review's prices."""
        world = self.world
        sold = np.zeros_like(self.price)
        add_by_material((world.baseline.sales * world.beliefs.shadow,), world.network.supplier_material, sold)
        own = np.divide(sold, self.all_sold, out=np.zeros_like(sold), where=self.all_sold > 0)
        self.price[:] = own
        for material, product, weight in self.links:
            self.price[material] += weight * np.maximum(self.price[product] - own[material], 0.0)
        return self.price


class Hosted:
    """By-products: capacity follows the usual output of their host, or a steady growth where that is not simulated."""

    def __init__(self, world: World, habits: schema.Expansion, rows: ProcessRows) -> None:
        self.world, self.facility = world, rows.facility
        follows = _process(world, rows).follows
        self.host = Host(world, rows, follows) if follows in world.network.world.processes else None
        self.growth = world.draws.number(habits.host_growth)

    def follow(self) -> None:
        """Set what has been added since the start."""
        world = self.world
        if self.host is None:
            more = np.broadcast_to(
                np.expm1(np.log1p(self.growth) * world.day / YEAR), (self.facility.size, self.growth.size)
            )
        else:
            normal = self.host.normal
            more = np.divide(self.host.usual(), normal, out=np.ones_like(normal), where=normal > 0) - 1.0
        world.plant_capacity[self.facility] = world.baseline.capacity[self.facility] * more


class Scrap:
    """Recyclers, and those who collect for them: capacity follows what was used of a material, with a lag."""

    def __init__(self, world: World, habits: schema.Expansion, rows: ProcessRows) -> None:
        self.world, self.facility = world, rows.facility
        material = world.network.material_index[_process(world, rows).recycles or ""]
        self.users = np.flatnonzero(world.network.buyer_material == material)
        self.weight = -np.expm1(-world.step / world.draws.number(habits.scrap_age))
        self.normal = sum_rows(world.baseline.requirement[self.users])
        self.used, self.feed = np.zeros_like(self.normal), np.ones_like(self.normal)

    def follow(self) -> None:
        """Set what has been added since the start, from last review's use."""
        world = self.world
        used = sum_rows(world.stocks.used[self.users])
        if world.review > 0:
            now = (used - self.used) / world.step
            now = np.divide(now, self.normal, out=np.ones_like(now), where=self.normal > 0)
            self.feed += self.weight * (now - self.feed)
        self.used = used
        world.plant_capacity[self.facility] = world.baseline.capacity[self.facility] * (self.feed - 1.0)


class Existing:
    """How much of each material could be made, over its start: what lanes and normal trade follow."""

    def __init__(self, world: World) -> None:
        self.world, self.materials = world, len(world.network.materials)
        network = world.network
        self.makes = np.array([s for s, row in enumerate(network.suppliers) if not row.stockpile], dtype=np.int64)
        self.made_at = np.array(
            [network.facility_index[network.suppliers[s].owner] for s in self.makes], dtype=np.int64
        )
        self.normal = self._sum(world.baseline.throughput)

    def _sum(self, throughput: Array) -> Array:
        world = self.world
        out = np.zeros((self.materials, world.draws.replications))
        made = world.baseline.made[self.makes] * throughput[self.made_at]
        add_by_material((made,), world.network.supplier_material[self.makes], out)
        return out

    def fill(self) -> None:
        """Write what exists, and no more than is needed, on the paths that lanes follow."""
        world, base = self.world, self.world.baseline
        usual = self._sum(base.throughput + world.plant_capacity * base.utilisation)
        exists = np.divide(usual, self.normal, out=np.ones_like(usual), where=self.normal > 0)
        needed = world.growth[-2 * self.materials : -self.materials, world.review]
        world.growth[-self.materials :, world.review] = np.minimum(exists, needed)
