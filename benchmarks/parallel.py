"""Measures what a second worker gives, and how long a run takes to get going.

Workers are timed by the clock, so another program on the machine counts against them; the processor time that they
took together stands beside it: what work two workers do more than one. Each figure is the difference between a longer
and a shorter run, so that start-up and the writing of results fall out.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.worlds import ROOT
from sim.draws import BLOCK_SIZE

START_UP = """
import dataclasses, datetime, sys, time
began, spent = time.time(), time.process_time()
def tell(what):
    print(f"{what}\\t{time.time() - began}\\t{time.process_time() - spent}")
import sim.study
from sim.cases import load
from sim.engine import build, run_block
tell("imports")
plan, cases = load(sys.argv[1])
tell("scenarios read and checked")
build(cases[0], 1, 0)
tell("first block built")
first = cases[0].horizon.model_copy(update={"end": cases[0].horizon.start + datetime.timedelta(days=6)})
run_block(dataclasses.replace(cases[0], horizon=first), 1, 0)
tell("kernels loaded, first review done")
"""


def start_up(experiment: Path) -> list[tuple[str, float, float]]:
    """Return what a new process has done after how many seconds, by the clock and of the processor."""
    command = [sys.executable, "-c", START_UP, str(experiment)]
    told = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    steps = [line.split("\t") for line in told.splitlines()]
    return [(what, float(wall), float(processor)) for what, wall, processor in steps]


def timed_run(experiment: Path, replications: int, workers: int) -> tuple[float, float]:
    """Return seconds of one run without figures, by the clock and of all its processes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "sim", "run", str(experiment), "--no-figures"]
        command += ["--replications", str(replications), "--workers", str(workers), "--out", f"{folder}/out"]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def per_replication(experiment: Path, replications: int, workers: int) -> tuple[float, float]:
    """Return seconds per replication, by the clock and of the processors, between a short and a long run."""
    short = BLOCK_SIZE * workers
    first, second = (timed_run(experiment, n, workers) for n in (short, short + replications))
    return (second[0] - first[0]) / replications, (second[1] - first[1]) / replications


def main(given: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiment", default="nine_minerals", help="of one scenario; see experiments/")
    parser.add_argument("--replications", type=int, default=1024, help="that the longer run has more")
    parser.add_argument("--repeats", type=int, default=3, help="of each number of workers, in turn")
    arguments = parser.parse_args(given)
    experiment = ROOT / "experiments" / f"{arguments.experiment}.yaml"
    show(start_up(experiment), arguments.experiment)
    if not arguments.repeats:
        return
    found = [
        [per_replication(experiment, arguments.replications, workers) for workers in (1, 2)]
        for _ in range(arguments.repeats)
    ]
    wall = statistics.median(one[0] / two[0] for one, two in found)
    work = statistics.median(two[1] / one[1] for one, two in found)
    console = Console(width=120)
    count = f"{arguments.replications:,} replications of {arguments.experiment}, median of {arguments.repeats}"
    console.print(f"two workers against one, {count}: {wall:.2f} times as fast by the clock")
    console.print(f"processor time of two workers over that of one: {work:.2f}")
    console.print(f"load of the machine when it ended: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")


def show(steps: Sequence[tuple[str, float, float]], experiment: str) -> None:
    """Print how a run gets going."""
    table = Table(title=f"From start to first block, {experiment}, warm cache", title_justify="left")
    table.add_column("after")
    table.add_column("s by the clock", justify="right")
    table.add_column("s of the processor", justify="right")
    for what, wall, processor in steps:
        table.add_row(what, f"{wall:.2f}", f"{processor:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
