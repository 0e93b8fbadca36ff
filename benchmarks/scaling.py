"""Measures how cost grows with the size of a world: synthetic worlds of 50 to 5,000 facilities, one core.

Each size runs in a process of its own, so that its peak memory is its own. The cost of a replication leaves out what
is done once per block (layout, balance); that stands beside it as its start. Load and balance are what `drawdown
validate` does.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.yardstick import yardstick
from sim.cases import prepare
from sim.config.load import load_plan
from sim.engine import Case, build, lay_out, run_block
from sim.synth import write_world

SIZES = (50, 150, 500, 1500, 5000)
OVERRIDES = ("horizon.end=2025-12-31",)


def measure(facilities: int, materials: int, degree: int, replications: int, scenario: str) -> dict[str, float]:
    """Return what one size costs: seconds per stage, lanes, peak memory in MiB."""
    found: dict[str, float] = {"facilities": facilities, "materials": materials}
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        path = write_world(Path(folder) / "world", facilities, materials, degree)
        found["write"] = time.perf_counter() - began
        began = time.perf_counter()
        plan = load_plan(path, OVERRIDES)
        found["load"] = time.perf_counter() - began
        began = time.perf_counter()
        cases = {case.name: case for case in prepare(plan, balanced=True)}
        found["prepare"] = time.perf_counter() - began
    case = cases.get(scenario, next(iter(cases.values())))
    found["lanes"] = lay_out(case)[0].lane_buyer.size
    found |= timed(case, plan.experiment.seed, replications)
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found


def timed(case: Case, seed: int, replications: int) -> dict[str, float]:
    """Return the processor seconds of one block, by part: what others do on the machine counts less than by a clock."""
    began = time.process_time()
    build(case, seed, 0, replications)
    built = time.process_time()
    block = run_block(case, seed, 0, replications)
    start = built - began
    run = time.process_time() - built - start
    return {"build": start, "run": run, "kernel": block.seconds["kernel"], "unconverged": block.unconverged}


def warm(degree: int, scenario: str) -> None:
    """Compile every kernel on a small world of the same kind."""
    measure(50, 6, degree, 2, scenario)


def apart(arguments: tuple[int, int, int, int, str]) -> dict[str, float]:
    """Measure one size; the kernels come warm from their cache, and are loaded before the clock starts."""
    warm(arguments[2], arguments[4])
    return measure(*arguments)


def exponent(lanes: list[float], cost: list[float]) -> float:
    """Return x of the fit ``cost ~ lanes^x``."""
    return float(np.polyfit(np.log(lanes), np.log(cost), 1)[0])


def main() -> None:
    """Print the table and the exponents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facilities", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--materials", type=int, default=6, help="at every size")
    parser.add_argument("--per-material", type=int, help="facilities per material, instead of --materials")
    parser.add_argument("--degree", type=int, default=6, help="suppliers of a buyer")
    parser.add_argument("--replications", type=int, default=32)
    parser.add_argument("--scenario", default="baseline", choices=["baseline", "export_ban"])
    parser.add_argument("--json", action="store_true", help="print the numbers, too")
    given = parser.parse_args()
    warm(given.degree, given.scenario)
    context = multiprocessing.get_context("spawn")
    found = []
    for facilities in given.facilities:
        materials = max(6, facilities // given.per_material) if given.per_material else given.materials
        size = (facilities, materials, given.degree, given.replications, given.scenario)
        with context.Pool(1) as pool:  # one process per size
            found.append(pool.apply(apart, (size,)))
        print(f"{facilities} facilities done", flush=True)
    show(found, given.replications, given.scenario)
    if given.json:
        print(json.dumps(found))


def show(found: list[dict[str, float]], replications: int, scenario: str) -> None:
    """Print one row per size, and what is fitted to them."""
    title = f"{scenario}: one year by week, {replications} replications, one process, warm kernels"
    table = Table(title=title, title_justify="left")
    for column in (
        "facilities", "materials", "lanes", "write, s", "load, s", "balance, s", "start, s",
        "ms per replication", "ms per 1,000 lanes", "kernel", "not converged", "peak, MiB",
    ):  # fmt: skip
        table.add_column(column, justify="right")
    for row in found:
        each = 1000 * row["run"] / replications
        table.add_row(
            f"{row['facilities']:,}", f"{row['materials']:,}", f"{row['lanes']:,}", f"{row['write']:.1f}",
            f"{row['load']:.1f}", f"{row['prepare']:.1f}", f"{row['build']:.1f}", f"{each:.1f}",
            f"{1000 * each / row['lanes']:.1f}", f"{row['kernel'] / row['run']:.0%}", f"{row['unconverged']:,}",
            f"{row['peak']:.0f}",
        )  # fmt: skip
    console = Console(width=170)
    console.print(table)
    console.print(f"yardstick (exp of 2 million numbers): {1000 * yardstick():.1f} ms")
    if len(found) < 2:
        return
    lanes = [row["lanes"] for row in found]
    console.print(f"cost grows as lanes^{exponent(lanes, [row['run'] for row in found]):.2f}")
    total = [row["load"] + row["prepare"] for row in found]
    console.print(f"load and validate grow as lanes^{exponent(lanes, total):.2f}")


if __name__ == "__main__":
    main()
