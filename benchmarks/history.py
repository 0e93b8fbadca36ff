"""Keeps history: measures a few worlds with pytest-benchmark and adds one line of ratios to history/ratios.jsonl.

Seconds of a shared machine say little a month later; the ratio to the reference model, timed before and after in the
same process, does. All of what pytest-benchmark measured goes below results/, which is not kept.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.measure import reference_seconds, run_replications
from benchmarks.reference_simpy import read_plan
from benchmarks.worlds import N30, ROOT, WORLDS

KEPT = ("n30", "n30_multi", "default", "nine", "synthetic_500")
RATIOS = ROOT / "benchmarks" / "history" / "ratios.jsonl"
MEASURED = ROOT / "results" / "benchmarks"


@pytest.mark.parametrize("name", KEPT)
def test_cost_of_a_world(benchmark: Any, name: str) -> None:
    """Measure one world; run by `main`, not as one of the project's tests."""
    world = WORLDS[name]
    replications = int(os.environ.get("BENCH_REPLICATIONS", "128"))
    case, seed = world.load()
    plan = read_plan(N30.load()[0])
    run_replications(case, seed, 1)
    before = reference_seconds(plan, 3)
    benchmark.pedantic(run_replications, (case, seed, replications), rounds=3, iterations=1)
    reference = 0.5 * (before + reference_seconds(plan, 3))
    each = benchmark.stats.stats.median / replications
    benchmark.extra_info["world"] = name
    benchmark.extra_info["n30_references_per_replication"] = round(each / reference, 5)


def as_line(measured: dict[str, Any]) -> str:
    """Return what is kept of a measurement: date, commit, and each world's cost in replications of the reference."""
    ratios = {
        each["extra_info"]["world"]: each["extra_info"]["n30_references_per_replication"]
        for each in measured["benchmarks"]
    }
    commit = str(measured["commit_info"].get("id") or "")[:10]
    kept = {"date": measured["datetime"][:10], "commit": commit, "changed_since": measured["commit_info"].get("dirty")}
    return json.dumps({**kept, "n30_references_per_replication": ratios})


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print what changed since the last time, and keep the ratios."""
    MEASURED.mkdir(parents=True, exist_ok=True)
    file = MEASURED / f"{dt.datetime.now(tz=dt.UTC):%Y%m%dT%H%M%S}.json"
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--benchmark-timer=time.process_time"]
    code = pytest.main([str(Path(__file__)), *options, f"--benchmark-json={file}", *(given or sys.argv[1:])])
    if code:
        return int(code)
    line = as_line(json.loads(file.read_text(encoding="utf-8")))
    earlier = RATIOS.read_text(encoding="utf-8").splitlines() if RATIOS.exists() else []
    print(compared(line, earlier[-1] if earlier else None))
    RATIOS.parent.mkdir(exist_ok=True)
    RATIOS.write_text("\n".join([*earlier, line]) + "\n", encoding="utf-8")
    return 0


def compared(line: str, last: str | None) -> str:
    """Return each ratio with its change since the last line."""
    now = json.loads(line)["n30_references_per_replication"]
    old = json.loads(last)["n30_references_per_replication"] if last else {}
    rows = []
    for name, ratio in now.items():
        change = f", {ratio / old[name] - 1.0:+.0%} since the last" if name in old else ""
        rows.append(f"{name}: a replication costs {ratio:.4f} of one of the N30 reference{change}")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
