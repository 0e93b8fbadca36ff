"""A small run for tests of what comes after a block: two scenarios, two blocks, a year."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from rich.console import Console

from sim.results import Results
from sim.study import Options, run_study
from tests.worlds import tiny_plan

REPLICATIONS = 140
"""A full block and a short one."""

BAN = {
    "type": "export_ban",
    "title": "The ban",
    "from": "CHN",
    "material": "ore",
    "start": "2025-01-15",
    "duration": "250 d",
    "source": "assumption",
}

RESERVE = """\
stockpiles:
  reserve: {title: The reserve, country: JPN, material: metal, holding: 20 d, source: assumption, note: of the tests}
"""

RELEASE = {
    "type": "stockpile_release",
    "title": "The release",
    "stockpile": "reserve",
    "rate": "5 t/d",
    "start": "2025-03-01",
    "source": "assumption",
}

SHORT = ("horizon.end=2025-12-31", "switches.noise=true", "switches.uncertainty=true")
"""What is set on the tiny experiment."""


def write_experiment(root: Path) -> Path:
    """Write the tiny world with a ban, and a reserve that sells, and return its experiment."""
    edits = [("configs/minerals/tin.yaml", "demand:\n  growth", RESERVE + "demand:\n  growth")]
    tiny_plan(root, policies={"ban": BAN, "release": RELEASE}, edits=edits)
    return root / "experiments" / "tiny.yaml"


def quiet() -> Console:
    """Return a console that nobody looks at."""
    return Console(stderr=True, quiet=True)


def run_small(root: Path, **options: object) -> Results:
    """Write and run the small experiment below a directory."""
    given = {"replications": REPLICATIONS, "workers": 1, "overrides": SHORT, "figures": False, **options}
    return run_study(write_experiment(root), Options(**given), quiet())  # type: ignore[arg-type]


@functools.cache
def small_results(workers: int = 1) -> Results:
    """Return the results of the small experiment, run once per test process."""
    root = Path(tempfile.mkdtemp(prefix="drawdown-test-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return run_small(root, workers=workers)
