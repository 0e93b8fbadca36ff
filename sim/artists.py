"""Draws the figures of a run in processes of their own, which load matplotlib while the tables are still written."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from sim.executors import follow_parent

if TYPE_CHECKING:
    from sim.plots.saved import Saved


@contextmanager
def artists(workers: int) -> Iterator[ProcessPoolExecutor | None]:
    """Start processes that draw; none for one worker, who draws by itself."""
    if workers <= 1:
        yield None
        return
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=follow_parent)
    try:
        for _ in range(workers):
            pool.submit(_load)
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def draw(directory: Path, pool: ProcessPoolExecutor | None) -> list[Path]:
    """Draw every figure of a results directory; the figures are the same with and without a pool.

    Raises
    ------
    ResultsError
        If a table the figures need is missing or cannot be read.
    """
    if pool is None:
        from sim.plots import draw_all  # matplotlib takes a second to load, and not every run draws

        return draw_all(directory)
    names = pool.submit(_names, directory).result()
    return [path for paths in pool.map(_draw, [directory] * len(names), names) for path in paths]


def _load() -> None:
    import sim.plots  # noqa: F401


@lru_cache(maxsize=1)
def _opened(directory: Path) -> Saved:
    """Read the results once for all figures of this process."""
    from sim.plots.saved import Saved

    return Saved(directory)


def _names(directory: Path) -> list[str]:
    from sim.plots import figures

    (directory / "figures").mkdir(exist_ok=True)
    return list(figures(_opened(directory)))


def _draw(directory: Path, name: str) -> list[Path]:
    from sim.plots import draw_one

    return draw_one(_opened(directory), name)
