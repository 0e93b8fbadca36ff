"""What figures are held against on machines that are shared and noisy."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np


def yardstick(repeats: int = 5) -> float:
    """Return processor seconds for a fixed amount of work: exponentials of two million numbers."""
    values = np.linspace(-1.0, 1.0, 2_000_000)
    best = np.inf
    for _ in range(repeats):
        began = time.process_time()
        np.exp(values).sum()
        best = min(best, time.process_time() - began)
    return best


def peak_memory() -> float:
    """Return the most memory this process has held resident, MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # of this program alone; the other way counts what its parent held, too
        held = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return float(held.split()[1]) / 1024
    import resource
    import sys

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 2**20 if sys.platform == "darwin" else most / 1024
