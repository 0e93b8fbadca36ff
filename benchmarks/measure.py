"""Measures one world in a process of its own: cost, shares by layer, memory, and the yardsticks beside them."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bare_kernel import lay_out as lay_bare
from benchmarks.bare_kernel import run_bare
from benchmarks.layers import shares
from benchmarks.reference_simpy import Plan, read_plan, run_reference
from benchmarks.worlds import N30, Measured
from benchmarks.yardstick import peak_memory
from sim.draws import BLOCK_SIZE
from sim.engine import Case, lay_out, run_block
from sim.parts import reduce


@dataclass
class Row:
    """What one world costs.

    Attributes
    ----------
    seconds, reference, bare, n30_reference : float
        Processor seconds per replication: of the world, of the reference model of the same network and of its
        compiled loop (0 where there is none), and of the reference model of N30, all in one process.
    clearings : float
        Markets cleared per replication.
    peak : float, MiB
        Resident, before the compiled loop and the shares were measured.
    """

    title: str
    facilities: int
    lanes: int
    replications: int
    seconds: float
    clearings: float
    unconverged: int
    peak: float
    share: dict[str, float]
    reference: float
    bare: float
    n30_reference: float

    @property
    def clearings_per_second(self) -> float:
        """Markets cleared per second of all work, recording included."""
        return self.clearings / self.seconds

    @property
    def outside(self) -> float:
        """Seconds per replication that are not clearing."""
        return self.seconds * (1.0 - self.share["kernel"])

    @property
    def speedup(self) -> float:
        """How many times longer the reference model of the same network takes; 0 where there is none."""
        return self.reference / self.seconds

    @property
    def over_bare(self) -> float:
        """Cost over that of the compiled loop without markets; 0 where there is none."""
        return self.seconds / self.bare if self.bare else 0.0

    @property
    def over_n30_reference(self) -> float:
        """Cost of a replication in replications of the N30 reference."""
        return self.seconds / self.n30_reference


def seconds_of(work: Callable[[], object]) -> float:
    """Return the processor seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def run_a_block(case: Case, seed: int, block: int, replications: int) -> tuple[int, int]:
    """Run a block as a study does, markets and recording included; return clearings and those not converged."""
    made = run_block(case, seed, block, replications)
    reduce(case, made)
    return made.clearings, made.unconverged


def run_replications(case: Case, seed: int, replications: int) -> None:
    """Run some replications in blocks."""
    for block, first in enumerate(range(0, replications, BLOCK_SIZE)):
        run_a_block(case, seed, block, min(BLOCK_SIZE, replications - first))


class Beside:
    """The reference model of a network, run in the gaps between blocks: what disturbs one disturbs the other."""

    def __init__(self, plan: Plan, replications: int, gaps: int) -> None:
        self.plan, self.seconds = plan, 0.0
        self.replications = max(2, replications)
        self._gaps = [k * (gaps - 1) // (self.replications - 1) for k in range(self.replications)]

    def fill(self, gap: int) -> None:
        """Run the replications of one gap."""
        for seed, place in enumerate(self._gaps):
            if place == gap:
                self.seconds += seconds_of(lambda s=seed: run_reference(self.plan, s))

    @property
    def each(self) -> float:
        """Processor seconds per replication."""
        return self.seconds / self.replications


def reference_seconds(plan: Plan, replications: int) -> float:
    """Return processor seconds per replication of the reference model."""
    return seconds_of(lambda: [run_reference(plan, seed) for seed in range(replications)]) / replications


def bare_seconds(plan: Plan, replications: int) -> float:
    """Return processor seconds per replication of the compiled loop."""
    layout = lay_bare(plan)
    run_bare(plan, layout, 1, 1)
    return seconds_of(lambda: run_bare(plan, layout, 1, replications)) / replications


def measure(world: Measured, replications: int, reference: int, beside: int) -> Row:
    """Return what a world costs.

    Parameters
    ----------
    reference : int
        Replications of the reference model of the same network; 0 for none.
    beside : int
        Replications of the N30 reference.
    """
    case, seed = world.load()
    network = lay_out(case)[0]
    run_replications(case, seed, 1)  # loads the kernels, every branch of them
    starts = range(0, replications, BLOCK_SIZE)
    gaps = len(starts) + 1
    tree = Beside(read_plan(N30.load()[0]), max(beside, reference if world == N30 else 0), gaps)
    own = tree if world == N30 else Beside(read_plan(case), reference, gaps) if reference else None
    seconds, clearings, unconverged = 0.0, 0, 0
    for gap in range(gaps):
        for model in {id(tree): tree, **({id(own): own} if own else {})}.values():
            model.fill(gap)
        if gap < len(starts):
            began = time.process_time()
            found = run_a_block(case, seed, gap, min(BLOCK_SIZE, replications - starts[gap]))
            seconds += time.process_time() - began
            clearings, unconverged = clearings + found[0], unconverged + found[1]
    peak = peak_memory()
    return Row(
        world.title,
        len(network.facilities),
        int(network.lane_buyer.size),
        replications,
        seconds / replications,
        clearings / replications,
        unconverged,
        peak,
        shares(case, seed, min(replications, BLOCK_SIZE)),
        own.each if own else 0.0,
        bare_seconds(own.plan, 4 * own.replications) if own else 0.0,
        tree.each,
    )


def measure_apart(world: Measured, replications: int, reference: int, beside: int) -> Row:
    """Measure a world in a new process, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(measure, (world, replications, reference, beside))


def as_values(row: Row) -> dict[str, object]:
    """Return a row as plain values with its ratios, for a file."""
    ratios = {
        "outside": row.outside,
        "speedup": row.speedup,
        "over_bare": row.over_bare,
        "over_n30_reference": row.over_n30_reference,
        "clearings_per_second": row.clearings_per_second,
    }
    return dataclasses.asdict(row) | ratios
