"""Measures every scenario of one experiment: time per replication, how much of it is clearing, Newton steps.

Machines are shared and noisy, so every figure stands beside a yardstick taken in the same run: a fixed loop of
floating-point work. Compare ratios, not seconds.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import simpy
from rich.console import Console
from rich.table import Table

from benchmarks.clearing import dense_clearing
from benchmarks.yardstick import yardstick
from sim.calendar import Phase
from sim.cases import prepare
from sim.config.load import load_plan
from sim.draws import BLOCK_SIZE
from sim.engine import Block, Case, run_block

ROOT = Path(__file__).resolve().parents[1]


def bare_simpy(reviews: int, processes: int) -> float:
    """Return seconds that SimPy itself needs for a world's events, with processes that do nothing."""
    env = simpy.Environment()

    def idle(priority: int) -> simpy.events.ProcessGenerator:
        while True:
            event = simpy.Event(env)
            event._ok, event._value = True, None
            env.schedule(event, priority=priority, delay=1)  # type: ignore[arg-type]
            yield event

    for i in range(processes):
        env.process(idle(int(Phase.MARKETS) * 1000 + i))
    began = time.process_time()
    env.run(until=reviews)
    return time.process_time() - began


def run_case(case: Case, seed: int, replications: int) -> tuple[float, Block, float]:
    """Return process seconds, the last block and kernel seconds for some replications of one scenario."""
    kernel, began = 0.0, time.process_time()
    for start in range(0, replications, BLOCK_SIZE):
        block = run_block(case, seed, start // BLOCK_SIZE, min(BLOCK_SIZE, replications - start))
        kernel += block.seconds["kernel"]
    return time.process_time() - began, block, kernel


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="us_japan_framework")
    parser.add_argument("--replications", type=int, default=512)
    parser.add_argument("--scenario", action="append", help="all unless given")
    arguments = parser.parse_args()
    plan = load_plan(ROOT / "experiments" / f"{arguments.experiment}.yaml")
    cases = [case for case in prepare(plan) if not arguments.scenario or case.name in arguments.scenario]
    run_block(cases[0], 0, 0, 1)
    table = Table(
        title=f"{arguments.experiment}: one core, {arguments.replications} replications", title_justify="left"
    )
    for column in (
        "scenario",
        "ms per replication",
        "over yardstick",
        "kernel",
        "SimPy",
        "NumPy and other loops",
        "us per clearing",
        "steps",
        "not converged",
    ):
        table.add_column(column, justify="left" if column == "scenario" else "right")
    for case in cases:
        before = yardstick()
        seconds, block, kernel = run_case(case, plan.experiment.seed, arguments.replications)
        unit = 0.5 * (before + yardstick())
        blocks = -(-arguments.replications // BLOCK_SIZE)
        simpy_share = bare_simpy(case.calendar.reviews, 24) * blocks / seconds
        table.add_row(
            case.name,
            f"{1000 * seconds / arguments.replications:.1f}",
            f"{seconds / arguments.replications / unit:.2f}",
            f"{kernel / seconds:.0%}",
            f"{simpy_share:.0%}",
            f"{1 - kernel / seconds - simpy_share:.0%}",
            f"{1e6 * kernel / (block.clearings * blocks):.1f}",
            f"{block.steps / block.clearings:.2f}",
            f"{block.unconverged}",
        )
    console = Console(width=160)
    console.print(table)
    console.print(f"yardstick (exp of 2 million numbers): {1000 * yardstick():.1f} ms")
    console.print(dense_clearing())
    console.print(f"peak memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
