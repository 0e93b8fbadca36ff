"""Workers of a Dask cluster, through the executor that Dask itself offers; needs the extra ``cluster``.

Decides how a cluster's workers get what all blocks need: by a plugin, which a worker that comes later or replaces
another is given, too. Workers share no disk with the run; what a call returns travels back. Which worker runs what,
and that calls of a worker that dies are made again, is Dask's.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from typing import Any

from distributed import Client, KilledWorker, Worker, WorkerPlugin

from sim.errors import ConfigError, EngineError, Problem
from sim.executors import Crew

PATIENCE = 30
"""Time allowed to reach the scheduler, and to its first worker, s."""

AHEAD = 2
"""Calls under way per thread of the cluster, so that none waits while a result travels."""


class Start(WorkerPlugin):
    """Calls a function once in every worker, and another at the end.

    Parameters
    ----------
    version : str
        What `here` must return in the worker: blocks of another version of the code are other blocks.
    """

    def __init__(self, start: Callable[[], None], end: Callable[[], None], here: Callable[[], str]) -> None:
        self._start, self._end, self._here, self._version = start, end, here, here()

    def setup(self, worker: Worker) -> None:
        """Start a worker."""
        if self._here() != self._version:
            raise RuntimeError(f"{worker.address} has another version of the code, or of the libraries it counts on")
        self._start()

    def teardown(self, worker: Worker) -> None:
        """Let go of what a worker was given."""
        self._end()


@contextmanager
def cluster(
    address: str, start: Callable[[], None], end: Callable[[], None], version: Callable[[], str]
) -> Iterator[Crew]:
    """Connect to the scheduler of a cluster and start its workers.

    Parameters
    ----------
    address : str
        ``tcp://host:port``.
    start, end : callable
        Called once in every worker.
    version : callable
        Says which version of the code a worker has.

    Raises
    ------
    ConfigError
        If the scheduler or its workers cannot be reached, or have another version.
    EngineError
        If the cluster is lost on the way.
    """
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise _refused(f"got '{address}'. Cannot be reached ({error}). Write tcp://host:port.") from None
    name = f"drawdown-{uuid.uuid4().hex}"
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
            client.register_plugin(Start(start, end, version), name=name)
        except TimeoutError:
            raise _refused(f"'{address}' has no workers. Start some with: dask worker {address}") from None
        except RuntimeError as error:
            raise _refused(f"{error}. Give all the same.") from None
        try:
            width = lambda: AHEAD * sum(client.nthreads().values())  # noqa: E731
            yield Crew(client.get_executor(pure=False), width, (KilledWorker,))
        except (CancelledError, OSError) as error:
            raise EngineError(f"the cluster at {address} was lost ({error or type(error).__name__})") from error
        finally:
            with suppress(Exception), _quietly():
                client.unregister_worker_plugin(name)


def _refused(message: str) -> ConfigError:
    return ConfigError([Problem("--cluster", message, "command line")])


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep a cluster that has gone from being mourned at length."""
    log: Any = logging.getLogger("distributed")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)
