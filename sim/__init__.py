"""Drawdown: a discrete-event simulator of critical-mineral supply disruption."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.results import Results

# Worker processes share the cores; linear algebra must not start threads of its own, nor may its
# rounding depend on how many there are. Set before NumPy is loaded, hence here.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")


def run(
    path: Path | str,
    *,
    replications: int | None = None,
    workers: int | None = None,
    seed: int | None = None,
    out: Path | str | None = None,
    overrides: Iterable[str] = (),
    figures: bool = True,
    precision: str | None = None,
    max_replications: int | None = None,
    resume: bool | None = None,
    cluster: str | None = None,
) -> Results:
    """Run an experiment or a scenario and return its results.

    Parameters
    ----------
    path : path
        ``experiments/NAME.yaml``, or ``configs/scenarios/NAME.yaml``.
    replications, seed : int, optional
        Instead of those of the file.
    workers : int, optional
        Processes, as many as there are cores unless given. A script that uses more than one needs the
        guard ``if __name__ == "__main__":``, because each worker imports it.
    out : path, optional
        Directory of the results; ``results/NAME`` beside ``configs`` unless given. Results that stand
        there are replaced when the run is complete.
    overrides : iterable of str
        ``ADDRESS=VALUE``, such as ``behaviour.theta=0.2``.
    figures : bool
        Whether to draw them.
    precision : str, optional
        Run until the 95 % intervals in focus are this narrow, such as ``2%``, ``shortage_days=0.5`` or
        ``differences.price_mean=2%``; ``replications`` are then the least.
    max_replications : int, optional
        Where such a run ends in any case; 100,000 unless given.
    resume : bool, optional
        Blocks that an interrupted run has finished are used unless this is False; with True, results of the same
        run that are complete are returned as they are.
    cluster : str, optional
        ``tcp://host:port`` of the scheduler of a Dask cluster that runs the blocks.

    Raises
    ------
    sim.errors.ConfigError
        If the input cannot be used.
    sim.errors.ResultsError
        If the results cannot be written.
    """
    from rich.console import Console

    from sim.study import Options, run_study

    place = None if out is None else Path(out)
    options = Options(
        replications, seed, workers, place, tuple(overrides), figures,
        resume=resume, precision=precision, max_replications=max_replications, cluster=cluster,
    )  # fmt: skip
    return run_study(path, options, Console(stderr=True))


__all__ = ["run"]
