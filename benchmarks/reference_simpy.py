"""A plain SimPy model of the same network: one process per facility and consumer, one replication at a time.

This is how such a model is usually written, and what this project's speed is held against. It has the same places,
recipes, covers, lead times, base-stock orders, outages, route closures, growth and noise of demand. It leaves out
what the plain way leaves out: no market is cleared (scarce stock is shared in proportion to orders, and a buyer never
turns to another supplier), nothing has a price, and nothing is recorded but each consumer's use. Numbers are plain
floats, goods under way are a queue per lane, so SimPy is charged for its events only, not for its containers.
"""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import simpy

from sim.engine import Case, build

BURN_IN = 3.0
"""Cycles of failure and repair before the start, as in the model."""
IDLE_SHARE = 0.02
"""A plant orders for at least this share of its usual throughput."""


@dataclass(frozen=True)
class Renewal:
    """Failure and repair: exponential times to failure, lognormal repairs (means in d, shape of the logs)."""

    failure: float
    repair: float
    shape: float

    def downtimes(self, luck: random.Random) -> Iterator[tuple[float, float]]:
        """Yield start and end of each outage that ends after day 0."""
        location = math.log(self.repair) - 0.5 * self.shape**2
        clock = -BURN_IN * (self.failure + self.repair)
        while True:
            start = clock + luck.expovariate(1.0 / self.failure)
            clock = start + luck.lognormvariate(location, self.shape)
            if clock > 0.0:
                yield max(start, 0.0), clock


@dataclass(frozen=True)
class Site:
    """A facility: what it makes of what. Rates in t/d or units per day, covers and times in d."""

    name: str
    stage: int
    throughput: float
    capacity: float
    cover: float
    recipe: float
    input_cover: float
    severity: float
    outage: Renewal | None


@dataclass(frozen=True)
class User:
    """A consumer of one material: use in t/d, cover in d."""

    name: str
    use: float
    cover: float


@dataclass(frozen=True)
class Link:
    """A lane between the numbers of a supplier and a buyer; routes are those that it passes."""

    supplier: int
    buyer: int
    flow: float
    lead: int
    routes: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """A network as plain numbers. Buyers are the sites first, then the users."""

    days: int
    step: int
    sites: list[Site]
    users: list[User]
    links: list[Link]
    routes: list[Renewal]
    growth: list[float]
    order_time: float
    stock_time: float
    most_orders: float
    smoothing: float
    noise: float
    noise_days: float


@dataclass
class Outcome:
    """What a replication leaves: use and need of the users, t; mean availability of the sites."""

    used: float = 0.0
    wanted: float = 0.0
    available: float = 0.0
    shipped: list[float] = field(default_factory=list)


def read_plan(case: Case, seed: int = 1) -> Plan:
    """Return the network of a case, as balanced in its first replication.

    Of worlds whose facilities take at most one material and make one, and whose consumers all grow alike.
    """
    world, _ = build(case, seed, 0, 1)
    network, base, habits = world.network, world.baseline, world.habits
    records, outages = network.world.processes, network.world.hazards.outages
    chain = {process: stage for stage, process in enumerate(records)}
    sites = []
    for f, (name, facility) in enumerate(network.blueprint.facilities.items()):
        process = records[facility.process]
        (product,) = process.outputs
        rows = [b for material in process.inputs for b in network.buyer_rows[name, material]]
        assert len(rows) <= 1
        outage = outages.get(name, outages.get(facility.process)) if case.switches.hazards else None
        sites.append(
            Site(
                name,
                chain[facility.process],
                float(base.throughput[f, 0]),
                float(base.capacity[f, 0]),
                float(base.supplier_cover[network.supplier_row[name, product], 0]),
                float(base.taken[rows[0], 0]) if rows else 0.0,
                float(base.cover[rows[0], 0]) if rows else 0.0,
                outage.severity.value if outage else 0.0,
                _renewal(outage) if outage else None,
            )
        )
    consumers = [b for b, row in enumerate(network.buyers) if row.kind == "consumer"]
    users = [User(network.buyers[b].owner, float(base.requirement[b, 0]), float(base.cover[b, 0])) for b in consumers]
    risks = network.world.hazards.routes if case.switches.hazards else {}
    passes = [set(network.lanes(None, risk.origin, risk.destination).tolist()) for risk in risks.values()]
    place = {b: len(sites) + u for u, b in enumerate(consumers)}
    links = [
        Link(
            network.facility_index[network.suppliers[s].owner],
            place[b] if b in place else network.facility_index[network.buyers[b].owner],
            float(base.flow[lane, 0]),
            max(1, round(float(base.lead_time[lane, 0]) / world.step)),
            tuple(r for r, lanes in enumerate(passes) if lane in lanes),
        )
        for lane, (b, s) in enumerate(zip(network.lane_buyer.tolist(), network.lane_supplier.tolist(), strict=True))
    ]
    return Plan(
        days=case.calendar.reviews * world.step,
        step=world.step,
        sites=sites,
        users=users,
        links=links,
        routes=[_renewal(risk) for risk in risks.values()],
        growth=world.growth[0, :, 0].tolist(),
        order_time=float(habits.T_b[0]),
        stock_time=float(habits.T_s[0]),
        most_orders=float(habits.kappa[0]),
        smoothing=1.0 - math.exp(-world.step / float(habits.smoothing[0])),
        noise=float(habits.demand_noise[0]) if case.switches.noise else 0.0,
        noise_days=float(habits.demand_noise_days[0]),
    )


def _renewal(risk: object) -> Renewal:
    failure, repair = risk.time_to_failure, risk.repair_time  # type: ignore[attr-defined]
    assert (failure.dist, repair.dist) == ("expon", "lognorm")
    return Renewal(failure.mean.value, repair.mean.value, repair.shape["s"])


# -- the model ------------------------------------------------------------------------------------------


class Lane:
    """Goods under way between two nodes; one entry per review, the next to land first."""

    __slots__ = ("lead", "ordered", "pipeline", "routes", "share")

    def __init__(self, link: Link, share: float, step: int) -> None:
        self.share, self.lead, self.routes, self.ordered = share, link.lead, link.routes, 0.0
        self.pipeline = deque([link.flow * step] * link.lead)


class Node:
    """A facility or consumer while it runs: shelves, orders and lanes."""

    def __init__(self, cover: float) -> None:
        self.lanes_in: list[Lane] = []
        self.lanes_out: list[Lane] = []
        self.cover, self.lead = cover, 0.0
        self.shelf, self.under_way = 0.0, 0.0
        self.stock, self.sales, self.up = 0.0, 0.0, 1.0

    def receive(self) -> None:
        """Put what lands today on the shelf."""
        for lane in self.lanes_in:
            landed = lane.pipeline.popleft()
            self.shelf += landed
            self.under_way -= landed

    def order(self, need: float, plan: Plan) -> None:
        """Order up to cover and lead time, split by the shares of normal trade."""
        target = need * (self.cover + self.lead)
        gap = (target - self.shelf - self.under_way - need * plan.step) / plan.order_time
        amount = plan.step * min(max(need + gap, 0.0), plan.most_orders * need)
        for lane in self.lanes_in:
            lane.ordered = amount * lane.share

    def ship(self, plan: Plan, model: Model) -> None:
        """Share stock among today's orders in proportion, and send it."""
        closed = model.closed
        open_orders = 0.0
        for lane in self.lanes_out:
            if lane.routes and any(closed[route] for route in lane.routes):
                lane.ordered = 0.0
            open_orders += lane.ordered
        part = min(1.0, self.stock / open_orders) if open_orders > 0.0 else 0.0
        for lane in self.lanes_out:
            amount = lane.ordered * part
            lane.pipeline.append(amount)
            model.buyer_of[lane].under_way += amount
        shipped = open_orders * part
        self.stock = max(self.stock - shipped, 0.0)
        self.sales += plan.smoothing * (shipped / plan.step - self.sales)


class Model:
    """One replication of a plan; `run` gives its outcome."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.luck, self.env, self.outcome = plan, random.Random(seed), simpy.Environment(), Outcome()
        self.closed = [False] * len(plan.routes)
        step = plan.step
        self.nodes = [Node(site.input_cover) for site in plan.sites] + [Node(user.cover) for user in plan.users]
        needs = [site.recipe * site.throughput for site in plan.sites] + [user.use for user in plan.users]
        self.buyer_of: dict[Lane, Node] = {}
        for link in plan.links:
            lane = Lane(link, link.flow / needs[link.buyer] if needs[link.buyer] > 0.0 else 0.0, step)
            buyer = self.nodes[link.buyer]
            buyer.lanes_in.append(lane)
            buyer.lead += lane.share * link.lead * step
            buyer.under_way += sum(lane.pipeline)
            self.nodes[link.supplier].lanes_out.append(lane)
            self.buyer_of[lane] = buyer
        for node, need in zip(self.nodes, needs, strict=True):
            node.shelf = need * node.cover
        for node, site in zip(self.nodes, plan.sites, strict=False):
            node.sales = site.throughput
            node.stock = site.throughput * (site.cover - step)
        self._start()

    def _start(self) -> None:
        """Start all processes; buyers before their suppliers, so that orders are there when suppliers ship."""
        env, plan = self.env, self.plan
        for route, renewal in enumerate(plan.routes):
            env.process(self.close_route(route, renewal))
        for node, site in zip(self.nodes, plan.sites, strict=False):
            if site.outage is not None:
                env.process(self.fail_and_repair(node, site, site.outage))
        for node, user in zip(self.nodes[len(plan.sites) :], plan.users, strict=True):
            env.process(self.consume(node, user))
        for number in sorted(range(len(plan.sites)), key=lambda f: -plan.sites[f].stage):
            env.process(self.produce(self.nodes[number], plan.sites[number]))

    def run(self) -> Outcome:
        """Run to the horizon."""
        self.env.run(until=self.plan.days)
        self.outcome.available /= len(self.plan.growth) * len(self.plan.sites)
        self.outcome.shipped = [node.sales for node in self.nodes[: len(self.plan.sites)]]
        return self.outcome

    def fail_and_repair(self, node: Node, site: Site, renewal: Renewal) -> simpy.events.ProcessGenerator:
        """Take part of a facility's capacity out, and give it back."""
        for start, end in renewal.downtimes(self.luck):
            yield self.env.timeout(max(start - self.env.now, 0.0))
            node.up = 1.0 - site.severity
            yield self.env.timeout(end - self.env.now)
            node.up = 1.0

    def close_route(self, route: int, renewal: Renewal) -> simpy.events.ProcessGenerator:
        """Close a route, and open it again."""
        for start, end in renewal.downtimes(self.luck):
            yield self.env.timeout(max(start - self.env.now, 0.0))
            self.closed[route] = True
            yield self.env.timeout(end - self.env.now)
            self.closed[route] = False

    def consume(self, node: Node, user: User) -> simpy.events.ProcessGenerator:
        """Use from the shelf what is needed, and order."""
        env, plan, luck, outcome, step = self.env, self.plan, self.luck, self.outcome, self.plan.step
        keep = math.exp(-step / plan.noise_days)
        spread, mood = math.sqrt(1.0 - keep**2), luck.gauss(0.0, 1.0)
        review = 0
        while True:
            node.receive()
            need = user.use * plan.growth[review] * math.exp(plan.noise * mood - 0.5 * plan.noise**2)
            used = min(need * step, node.shelf)
            node.shelf -= used
            outcome.used += used
            outcome.wanted += need * step
            node.order(need, plan)
            mood = keep * mood + spread * luck.gauss(0.0, 1.0)
            review += 1
            yield env.timeout(step)

    def produce(self, node: Node, site: Site) -> simpy.events.ProcessGenerator:
        """Make towards sales and target stock as far as capacity and input reach, order input, ship output."""
        env, plan, outcome, step = self.env, self.plan, self.outcome, self.plan.step
        review = 0
        while True:
            node.receive()
            usual = site.throughput * plan.growth[review]
            target = site.cover * max(usual, node.sales)
            gap = (target - node.stock - node.sales * step) / plan.stock_time
            most = site.capacity * plan.growth[review] * node.up
            wanted = made = min(max(node.sales + gap, 0.0), most)
            if site.recipe > 0.0:
                made = min(wanted, node.shelf / (site.recipe * step))
                node.shelf -= made * site.recipe * step
                node.order(site.recipe * max(wanted, IDLE_SHARE * usual), plan)
            node.stock += made * step
            outcome.available += node.up
            node.ship(plan, self)
            review += 1
            yield env.timeout(step)


def run_reference(plan: Plan, seed: int) -> Outcome:
    """Return the outcome of one replication."""
    return Model(plan, seed).run()
