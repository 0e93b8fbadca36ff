"""Builds the world of one scenario and runs one block of replications: a pure function of (scenario, seed, block)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.balance import Baseline, balance
from sim.blueprint import Blueprint
from sim.calendar import Calendar, Phase
from sim.config import schema
from sim.draws import BLOCK_SIZE, Draws
from sim.errors import ConfigError, EngineError, Problem
from sim.gates import Cap, CapBook, Gates
from sim.growth import Growth
from sim.hazards import hazards, mean_availability
from sim.levers import Spending
from sim.network import Network, ProcessRows
from sim.nodes.companies import company
from sim.nodes.consumers import consumers
from sim.nodes.expansion import expansion
from sim.nodes.markets import Book, markets
from sim.nodes.mines import by_products, mines
from sim.nodes.processors import processors
from sim.nodes.production import AFTER_HOSTS, BEFORE_HOSTS, COMPANIES
from sim.nodes.shipments import shipments
from sim.nodes.stockpiles import stockpiles
from sim.policies import Held, Policy
from sim.policies.escalation import Escalation
from sim.recorder import Recorder
from sim.world import Steps, World

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """One scenario, ready to run: its world and policies are validated.

    Attributes
    ----------
    name : str
    world : schema.World
    policies : mapping of str to Policy
        In the order in which they act.
    horizon : schema.Horizon
    demand : str
    switches : schema.Switches
    disruption, independent_of : str or None
    """

    name: str
    world: schema.World
    policies: Mapping[str, Policy]
    horizon: schema.Horizon
    demand: str
    switches: schema.Switches
    disruption: str | None = None
    independent_of: str | None = None

    @property
    def calendar(self) -> Calendar:
        """Reviews of the run."""
        return Calendar.between(self.horizon.start, self.horizon.end, self.horizon.review.value)


@dataclass
class Block:
    """What one block of one scenario leaves.

    Attributes
    ----------
    recorder : Recorder
    spending : dict
        (policy, material, country) -> (public, private), each (replication,) USD.
    timeline : dict
        (policy, event) -> (replication,) days of the run; inf where it never happened.
    disruption : tuple of (replication,) float
        Start and end of the policy that survival and recovery are counted from; inf: none.
    ranges : dict
        Address -> (replication,) draws of the uncertain numbers.
    clearings, steps, unconverged : int
        Markets cleared, Newton steps taken, clearings that did not converge.
    seconds : dict
        Wall time by part.
    """

    recorder: Recorder
    spending: dict[tuple[str, str, str], tuple[Array, Array]]
    timeline: dict[tuple[str, str], Array]
    disruption: tuple[Array, Array]
    ranges: dict[str, Array]
    clearings: int
    steps: int
    unconverged: int
    seconds: dict[str, float] = field(default_factory=dict)


def lay_out(case: Case) -> tuple[Network, Gates, dict[str, dict[str, Cap]]]:
    """Return the network of a case with its constraints, and the caps of each policy.

    Raises
    ------
    ConfigError
        If a policy does not fit the world.
    """
    blueprint = Blueprint(case.world)
    for name, policy in case.policies.items():
        policy.extend(name, blueprint)
    network = Network(blueprint)
    problems = [
        Problem(f"scenario {case.name}, policies.{name}", message)
        for name, policy in case.policies.items()
        for message in policy.problems(network)
    ]
    if problems:
        raise ConfigError(problems)
    book = CapBook(network)
    caps = {name: policy.caps(network, book) for name, policy in case.policies.items()}
    return network, book.freeze(), caps


MOST_KEPT = 8
_laid_out: dict[int, tuple[Case, tuple[Network, Gates, dict[str, dict[str, Cap]]]]] = {}


def _lay_out_once(case: Case) -> tuple[Network, Gates, dict[str, dict[str, Cap]]]:
    """Return `lay_out` of a case, kept for its next block: nothing in it changes during a run."""
    if id(case) not in _laid_out:
        if len(_laid_out) >= MOST_KEPT:
            _laid_out.clear()
        _laid_out[id(case)] = case, lay_out(case)
    return _laid_out[id(case)][1]


def build(case: Case, seed: int, block: int, replications: int = BLOCK_SIZE) -> tuple[World, list[tuple[Policy, Held]]]:
    """Return the world of one block, balanced and ready to run, and its policies with what they hold."""
    draws = Draws(seed, block, replications, case.switches.uncertainty)
    calendar = case.calendar
    network, gates, caps = _lay_out_once(case)
    baseline: Baseline = balance(
        network, draws, calendar.review, mean_availability(network, draws, case.switches.hazards)
    )
    world = World(
        network,
        gates,
        baseline,
        draws,
        calendar,
        Growth(network, baseline, case.demand, calendar, draws),
        max((policy.longest_delay for policy in case.policies.values()), default=0.0),
        case.switches,
        case.independent_of,
        tuple(name for name in case.policies if caps[name]),
    )
    answered = {policy.when.policy for policy in case.policies.values() if policy.when is not None}
    world.coming_in_force = {name: np.zeros(replications) for name in case.policies if name in answered}
    world.chains = {
        name: policy.chain(draws, name, calendar)
        for name, policy in case.policies.items()
        if isinstance(policy, Escalation)
    }
    running = []
    for number, (name, policy) in enumerate(case.policies.items()):
        cause = world.policies.index(name) if caps[name] else -1
        policy.prepare(world)
        running.append((policy, Held(name, number, cause, caps[name], policy.window(world))))
    return world, running


def start_processes(world: World, running: list[tuple[Policy, Held]], book: Book) -> None:
    """Start every SimPy process; order within a review comes from phases, not from this order."""
    env = world.env
    env.process(shipments(world))
    env.process(_drop_levers(world))
    env.process(_openings(world))
    for policy, held in running:
        env.process(policy.enact(world, held))
    if world.network.world.supply_growth == "announced":
        env.process(expansion(world))
    env.process(_update_lanes(world))
    env.process(hazards(world))
    _start_production(world)
    env.process(consumers(world))
    env.process(stockpiles(world))
    env.process(markets(world, book))
    env.process(_watch_mass(world))


def _start_production(world: World) -> None:
    """Start mines, plants and companies; by-products of a simulated host run before or after it, as listed."""
    env, network = world.env, world.network
    place = {rows.process: i for i, rows in enumerate(network.process_rows)}
    kinds: dict[str, list[ProcessRows]] = {"mines": [], "plants": [], "companies": [], "before": [], "after": []}
    for i, rows in enumerate(network.process_rows):
        host = network.world.processes[rows.process].follows
        if rows.final or rows.inputs.size:
            kinds["companies" if rows.final else "plants"].append(rows)
        elif host not in network.world.processes:
            kinds["mines"].append(rows)
        else:
            kinds["before" if place.get(host, -1) > i else "after"].append(rows)
    if kinds["mines"]:
        env.process(mines(world, kinds["mines"]))
    if kinds["plants"]:
        env.process(processors(world, kinds["plants"]))
    if kinds["before"]:
        env.process(by_products(world, kinds["before"], BEFORE_HOSTS))
    if kinds["after"]:
        env.process(by_products(world, kinds["after"], AFTER_HOSTS))
    for i, rows in enumerate(kinds["companies"]):
        env.process(company(world, rows, COMPANIES + i))


def run_block(case: Case, seed: int, block: int, replications: int = BLOCK_SIZE) -> Block:
    """Run one block of one scenario.

    Parameters
    ----------
    replications : int
        Fewer than a full block gives the same first replications.

    Raises
    ------
    ConfigError
        If the world cannot be balanced.
    EngineError
        If mass does not close.
    """
    began = time.perf_counter()
    world, running = build(case, seed, block, replications)
    book = Book(world)
    start_processes(world, running, book)
    disruption = _follow_disruption(world, running, case.disruption)
    built = time.perf_counter()
    world.env.run(until=world.calendar.horizon)
    timeline = {(held.name, event): days for policy, held in running for event, days in policy.timeline(held).items()}
    ended = disruption.window if disruption else None
    never = np.full(replications, np.inf)
    return Block(
        world.recorder,
        _total_spending(world.levers.spending),
        timeline,
        (ended.start, ended.end) if ended else (never, never),
        world.draws.ranges,
        book.clearings,
        book.steps_total,
        book.unconverged,
        {"build": built - began, "run": time.perf_counter() - built, "kernel": book.kernel_seconds},
    )


# -- processes of the engine itself -----------------------------------------------------------------


def _drop_levers(world: World) -> Steps:
    while True:
        yield world.next(Phase.POLICIES, 0)
        world.levers.drop()
        world.in_force = dict(world.coming_in_force)


def _openings(world: World) -> Steps:
    """Ramp up plants of the configuration that open after the start."""
    network, draws = world.network, world.draws
    later = [(name, plant) for name, plant in network.world.facilities.items() if plant.opens is not None]
    if not later:
        return
    opens = np.array([world.calendar.day(draws.number(plant.opens)) for _, plant in later])  # type: ignore[arg-type]
    instant = np.full(draws.replications, 1e-9)
    ramp = np.array([instant if plant.ramp is None else draws.number(plant.ramp) for _, plant in later])
    capacity = np.array([draws.number(plant.throughput) for _, plant in later])  # type: ignore[arg-type]
    while True:
        yield world.next(Phase.POLICIES, 1)
        level = np.clip((world.day + 0.5 * world.step - opens) / np.maximum(ramp, 1e-9), 0.0, 1.0)
        opened = np.flatnonzero(level.any(axis=1))
        if opened.size:
            world.open_plants([later[i][0] for i in opened], capacity[opened], level[opened])


def _update_lanes(world: World) -> Steps:
    while True:
        yield world.next(Phase.POLICIES, 999)
        world.update_lanes()


def _watch_mass(world: World) -> Steps:
    while True:
        yield world.next(Phase.RECORDING)
        world.stocks.check(world.day)


def _follow_disruption(world: World, running: list[tuple[Policy, Held]], name: str | None) -> Held | None:
    """Tell the recorder when the disruption starts, per replication."""
    for _, held in running:
        if held.name == name:
            world.env.process(_tell_start(world, held))
            return held
    return None


def _tell_start(world: World, held: Held) -> Steps:
    while True:
        yield world.next(Phase.POLICIES, 998)
        in_force = held.window.start < held.window.end
        world.recorder.disruption_start = np.where(in_force, held.window.start, np.inf)


def _total_spending(spending: list[Spending]) -> dict[tuple[str, str, str], tuple[Array, Array]]:
    total: dict[tuple[str, str, str], tuple[Array, Array]] = {}
    for item in spending:
        key = (item.policy, item.material, item.country)
        public, private = total.get(key, (np.zeros_like(item.public), np.zeros_like(item.private)))
        total[key] = (public + item.public, private + item.private)
    return total


__all__ = ["Block", "Case", "EngineError", "build", "lay_out", "run_block"]
