"""Runs blocks of replications over worker processes; each block becomes one part file.

Decides who runs what and in which order it is asked for. What a block holds does not depend on it: a block
is a pure function of (scenario, seed, block), and whoever merges the parts reads them in a fixed order.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.draws import BLOCK_SIZE
from sim.engine import Case, run_block
from sim.errors import ConfigError, DrawdownError, EngineError, Problem, ResultsError
from sim.market.clearing import compile_newton
from sim.parts import PartFile, part_name, reduce, write_part

Done = Callable[[int], None]
"""Told the replications of each part as it is finished."""


@dataclass(frozen=True)
class Job:
    """One block of one scenario, and the file it goes to."""

    scenario: int
    block: int
    replications: int
    path: Path


def plan_jobs(
    identities: Sequence[Mapping[str, Any]], seed: int, replications: int, directory: Path
) -> tuple[Job, ...]:
    """Return the jobs of a run, block by block, so that an early end leaves whole blocks of all scenarios.

    Parameters
    ----------
    identities : sequence of mapping
        Plain values of each scenario (see `parts.part_name`).
    """
    jobs = []
    for block, first in enumerate(range(0, replications, BLOCK_SIZE)):
        count = min(BLOCK_SIZE, replications - first)
        for scenario, identity in enumerate(identities):
            path = directory / part_name(identity, seed, block, count)
            jobs.append(Job(scenario, block, count, path))
    return tuple(jobs)


def simulate(cases: Sequence[Case], seed: int, jobs: Sequence[Job], workers: int, done: Done) -> None:
    """Run the jobs whose part is not there yet.

    Parameters
    ----------
    workers : int
        Processes; 1 runs in this one.
    done : callable
        Told the replications of each finished part, those found on disk included.

    Raises
    ------
    ConfigError, EngineError
        Of the first block that fails.
    """
    waiting = []
    for job in jobs:
        if _is_there(job):
            done(job.replications)
        else:
            waiting.append(job)
    workers = min(workers, len(waiting))
    if workers <= 1:
        for job in waiting:
            _run_job(job, cases, seed)
            done(job.replications)
        return
    warm_up(cases[0], seed)
    for job in _run_apart(cases, seed, waiting, workers):
        done(job.replications)


def warm_up(case: Case, seed: int) -> None:
    """Compile the kernels once, into their cache, before several processes would do it at the same time.

    The first review of a balanced world has no use for the Newton kernel, so a second process compiles that one.
    """
    apart = multiprocessing.get_context("spawn").Process(target=compile_newton)
    apart.start()
    start = case.horizon.start
    end = start + dt.timedelta(days=round(case.horizon.review.value) - 1)
    first_review = dataclasses.replace(case, horizon=case.horizon.model_copy(update={"end": end}))
    try:
        run_block(first_review, seed, 0, 1)
    finally:
        apart.join()


def _is_there(job: Job) -> bool:
    """Whether a job's part was finished before; a damaged one is made again."""
    if not job.path.exists():
        return False
    try:
        with PartFile(job.path):
            return True
    except ResultsError:
        return False


def _run_job(job: Job, cases: Sequence[Case], seed: int) -> None:
    case = cases[job.scenario]
    try:
        write_part(job.path, reduce(case, run_block(case, seed, job.block, job.replications)))
    except ConfigError as error:
        raise ConfigError(_named(case, problem) for problem in error.problems) from None
    except EngineError as error:
        raise EngineError(f"scenario {case.name}, block {job.block}: {error}") from None


def _named(case: Case, problem: Problem) -> Problem:
    named = problem.file is not None or problem.address.startswith("scenario ")
    return problem if named else dataclasses.replace(problem, address=f"scenario {case.name}, {problem.address}")


# -- processes ------------------------------------------------------------------------------------------

_given: dict[str, Any] = {}
"""What a worker process was started with: cases and seed."""


def _start_worker(cases: Sequence[Case], seed: int) -> None:
    # An interrupt is the parent's to handle; workers would each print a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _given.update(cases=cases, seed=seed)


def _run_here(job: Job) -> tuple[Problem, ...] | str | None:
    """Run a job in a worker; return what went wrong, as values that survive the way back."""
    try:
        _run_job(job, _given["cases"], _given["seed"])
    except ConfigError as error:
        return error.problems
    except DrawdownError as error:
        return str(error)
    return None


def _run_apart(cases: Sequence[Case], seed: int, jobs: Sequence[Job], workers: int) -> Iterator[Job]:
    """Yield each job as a worker finishes it."""
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(tuple(cases), seed)
    )
    finished = False
    try:
        futures = {pool.submit(_run_here, job): job for job in jobs}
        for future in as_completed(futures):
            _raise_failure(future)
            yield futures[future]
        finished = True
    except BrokenProcessPool:
        raise EngineError(
            "a worker process ended before its time (out of memory?). Use fewer --workers; "
            "in a script, call run() below `if __name__ == '__main__':`."
        ) from None
    finally:
        started = set(multiprocessing.active_children()) - before
        pool.shutdown(wait=finished, cancel_futures=True)
        for process in started if not finished else ():
            process.terminate()


def _raise_failure(future: Future[tuple[Problem, ...] | str | None]) -> None:
    failure = future.result()
    if isinstance(failure, str):
        raise EngineError(failure)
    if failure is not None:
        raise ConfigError(failure)
