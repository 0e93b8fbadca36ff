"""Measures what a replication costs, in worlds from 30 to 5,000 facilities, and prints one table.

Machines are shared and noisy, so seconds are processor seconds and every figure stands beside yardsticks of the same
process: a plain SimPy model (`reference_simpy`) and the same model as one compiled loop (`bare_kernel`). Compare
ratios, not seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.clearing import dense_clearing
from benchmarks.layers import LAYERS
from benchmarks.measure import Row, as_values, measure_apart
from benchmarks.worlds import ROOT, WORLDS, Measured
from benchmarks.yardstick import yardstick

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

COLUMNS = (
    "world", "lanes", "runs", "ms a run", "not kernel", "clearings/s", *LAYERS, "MiB", "faster", "N30s", "over bare",
)  # fmt: skip

"""`runs` are replications; `not kernel` is the part of `ms a run` that is not clearing; `MiB` is peak resident memory;
`faster` is how many times longer the reference of the same network takes, `N30s` the cost in replications of the N30
reference, `over bare` the cost over the compiled loop."""


def cells(row: Row) -> tuple[str, ...]:
    """Return a row as text; a dash where there is no such yardstick."""
    return (
        row.title,
        f"{row.lanes:,}",
        f"{row.replications:,}",
        f"{1000 * row.seconds:.1f}",
        f"{1000 * row.outside:.1f}",
        f"{row.clearings_per_second:,.0f}",
        *(f"{100 * row.share[layer]:.0f} %" for layer in LAYERS),
        f"{row.peak:.0f}",
        f"{row.speedup:.1f}" if row.reference else "–",
        f"{row.over_n30_reference:.3f}",
        f"{row.over_bare:.1f}" if row.bare else "–",
    )


def yardsticks(rows: Sequence[Row]) -> list[str]:
    """Return a line on each yardstick."""
    references = [1000 * row.n30_reference for row in rows]
    low, high = min(references), max(references)
    bare = next((f"{1000 * row.bare:.2f} ms" for row in rows if row.bare), "not measured")
    unconverged = sum(row.unconverged for row in rows)
    return [
        f"N30 reference, one replication: {low:.0f} to {high:.0f} ms, by the process it was measured in",
        f"the same model as one compiled loop: {bare}",
        dense_clearing(),
        f"exponentials of 2 million numbers: {1000 * yardstick():.1f} ms",
        f"clearings that did not converge: {unconverged:,}",
        f"load of the machine when it ended: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors",
    ]


def show(rows: Sequence[Row], lines: Sequence[str]) -> None:
    """Print the table and the yardsticks."""
    table = Table(title="One core; markets and recording included", title_justify="left", box=box.SIMPLE_HEAD)
    for column in COLUMNS:
        table.add_column(column, justify="left" if column == "world" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*cells(row))
    console = Console(width=200)
    console.print(table)
    for line in lines:
        console.print(line, highlight=False)


def as_markdown(rows: Sequence[Row], lines: Sequence[str]) -> str:
    """Return the same for the page, in two tables: what it costs, and where that goes."""
    cost = [i for i, column in enumerate(COLUMNS) if column not in LAYERS]
    where = [0, *(i for i, column in enumerate(COLUMNS) if column in LAYERS)]
    text = []
    for chosen in (cost, where):
        text.append("| " + " | ".join(COLUMNS[i] for i in chosen) + " |")
        text.append("|---|" + "---:|" * (len(chosen) - 1))
        text += ["| " + " | ".join(cells(row)[i] for i in chosen) + " |" for row in rows]
        text.append("")
    return "\n".join([*text, *(f"- {line}" for line in lines)])


def write_page(measured: str, page: Path = PAGE) -> None:
    """Put what was measured between the marks of the page."""
    text = page.read_text(encoding="utf-8")
    marks = re.compile(re.escape(BEGIN) + ".*" + re.escape(END), re.DOTALL)
    page.write_text(marks.sub(lambda _: f"{BEGIN}\n{measured}\n{END}", text), encoding="utf-8")


def sizes(world: Measured, quick: bool) -> tuple[int, int, int]:
    """Return replications of a world, of its own reference and of the N30 reference beside it."""
    if quick:
        return world.quick, min(world.reference, 2), 2
    return world.replications, world.reference, 6


def main(given: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer replications: under two minutes")
    parser.add_argument("--world", action="append", choices=list(WORLDS), help="all unless given")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    arguments = parser.parse_args(given)
    rows = []
    for name in arguments.world or WORLDS:
        world = WORLDS[name]
        replications, reference, beside = sizes(world, arguments.quick)
        if not replications:
            continue
        rows.append(measure_apart(world, replications, reference, beside))
        print(f"{world.title}: done", flush=True)
    lines = yardsticks(rows)
    show(rows, lines)
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps([as_values(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    if arguments.write:
        write_page(as_markdown(rows, lines))


if __name__ == "__main__":
    main()
