"""Runs calls over any `concurrent.futures.Executor`; a worker that dies is replaced and its call is made again.

Decides how many calls are under way and how often a lost one is repeated. What is called, and what comes of it,
is the caller's. Processes of this machine are pools of one worker each: the death of one breaks its own pool
alone, so that it is known which call it took with it, and the others go on.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

from sim.errors import EngineError

T = TypeVar("T", bound=Hashable)
R = TypeVar("R")
Start = Callable[..., None]

MOST_DEATHS = 2
"""Workers that may die of the same call before it is given up: a second identical failure is no accident."""

MOST_REPLACED = 32
"""Workers replaced in a run before it is given up: a machine that kills so many will kill more."""


@dataclass(frozen=True)
class Crew:
    """An executor and how much of it is used at a time.

    Attributes
    ----------
    executor : Executor
    width : callable
        Calls that are to be under way at the same time; asked again and again, since a cluster may grow.
    lost : tuple of exception types
        What a call raises whose worker died.
    """

    executor: Executor
    width: Callable[[], int]
    lost: tuple[type[Exception], ...] = (BrokenExecutor,)


def run_over(crew: Crew, call: Callable[[T], R], jobs: Sequence[T], name: Callable[[T], str]) -> Iterator[tuple[T, R]]:
    """Yield every job with what its call returned, as they finish.

    Parameters
    ----------
    call : callable
        Called with a job by a worker. What it raises is raised here.
    name : callable
        Says in messages what a job is.

    Raises
    ------
    EngineError
        If workers die of the same job `MOST_DEATHS` times, or `MOST_REPLACED` of them in all.
    """
    waiting, running = deque(jobs), dict[Future[R], T]()
    deaths: Counter[T] = Counter()

    def top_up() -> None:
        width = max(crew.width(), 1) if waiting else 0
        while waiting and len(running) < width:
            job = waiting.popleft()
            running[crew.executor.submit(call, job)] = job

    top_up()
    while running:
        ended, _ = wait(running, return_when=FIRST_COMPLETED)
        finished = []
        for future in ended:
            job = running.pop(future)
            try:
                finished.append((job, future.result()))
            except crew.lost as error:
                deaths[job] += 1
                _check_deaths(deaths[job], deaths.total(), name(job), error)
                waiting.appendleft(job)
        top_up()  # before anything else, so that no worker waits for what is done with results
        yield from finished


def _check_deaths(own: int, total: int, name: str, error: BaseException) -> None:
    hint = "Use fewer --workers; in a script, call run() below `if __name__ == '__main__':`."
    if own >= MOST_DEATHS:
        raise EngineError(
            f"{name}: the worker that ran it ended before its time, {own} times (killed, or out of memory?). {hint}"
        ) from error
    if total > MOST_REPLACED:
        raise EngineError(f"{total} workers ended before their time (out of memory?). {hint}") from error


# -- processes of this machine --------------------------------------------------------------------------


class Processes(Executor):
    """Worker processes, each a `ProcessPoolExecutor` of one; a worker that died is replaced at the next call.

    A process starts with the first call that no other is free for.

    Parameters
    ----------
    workers : int
    initializer, initargs
        What every worker is started with, once.
    """

    def __init__(self, workers: int, initializer: Start, initargs: tuple[Any, ...]) -> None:
        self._started_with = initializer, initargs
        self._pools = [self._new() for _ in range(workers)]
        self._last: list[Future[Any] | None] = [None] * workers
        self._turn = itertools.cycle(range(workers))

    def _new(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, initializer=_start_worker, initargs=self._started_with)

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Give a call to a worker that has none, or to the next in turn."""
        idle = (place for place, last in enumerate(self._last) if last is None or last.done())
        place = next(idle, None)
        if place is None:
            place = next(self._turn)
        try:
            future = self._pools[place].submit(fn, *args, **kwargs)
        except BrokenProcessPool:
            self._pools[place].shutdown(wait=False)
            self._pools[place] = self._new()
            future = self._pools[place].submit(fn, *args, **kwargs)
        self._last[place] = future
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers; without waiting, whatever they are doing."""
        for pool in self._pools:
            pool.shutdown(wait=False, cancel_futures=cancel_futures)
        for pool in self._pools if wait else ():
            pool.shutdown(wait=True)


@contextmanager
def processes(workers: int, initializer: Start, initargs: tuple[Any, ...]) -> Iterator[Crew]:
    """Start worker processes on this machine; they end with the block, whatever ends it."""
    before = set(multiprocessing.active_children())
    executor = Processes(workers, initializer, initargs)
    finished = False
    try:
        yield Crew(executor, lambda: workers)
        finished = True
    finally:
        started = set(multiprocessing.active_children()) - before
        executor.shutdown(wait=finished, cancel_futures=True)
        for process in started if not finished else ():
            process.terminate()


def _start_worker(initializer: Start, initargs: tuple[Any, ...]) -> None:
    # An interrupt is the parent's to handle; workers would each print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    follow_parent()
    initializer(*initargs)


def follow_parent() -> None:
    """Let this process end when its parent is gone: a parent that is killed outright cannot see to it."""
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
