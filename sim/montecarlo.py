"""Runs blocks of replications over workers; each block becomes one part file.

Decides who runs what and in which order it is asked for. What a block holds does not depend on it: a block
is a pure function of (scenario, seed, block), and whoever merges the parts reads them in a fixed order.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import multiprocessing
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sim.draws import BLOCK_SIZE
from sim.engine import Case, run_block
from sim.errors import ConfigError, DrawdownError, EngineError, Problem
from sim.executors import Crew, processes, run_over
from sim.market.clearing import compile_newton
from sim.parts import Part, code_version, packed, part_name, reduce, seal, write_part, write_whole
from sim.unfinished import is_whole

R = TypeVar("R")

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
        Plain values of each scenario (see `parts.seal`).
    """
    sealed = [seal(identity, seed) for identity in identities]
    jobs = []
    for block, first in enumerate(range(0, replications, BLOCK_SIZE)):
        count = min(BLOCK_SIZE, replications - first)
        for scenario, seal_of in enumerate(sealed):
            path = directory / part_name(seal_of, block, count)
            jobs.append(Job(scenario, block, count, path))
    return tuple(jobs)


class Simulator:
    """Runs the blocks of a study; its workers start with the first block that is missing and stay for the next.

    Parameters
    ----------
    cases : sequence of Case
    seed : int
    workers : int
        Processes; 1 runs in this one.
    again : bool
        Run blocks whose part is there, too; the new part then takes the place of the old.
    cluster : str or None
        Address of the scheduler of a Dask cluster, which then runs the blocks in place of processes.
    """

    def __init__(
        self, cases: Sequence[Case], seed: int, workers: int, again: bool = False, cluster: str | None = None
    ) -> None:
        self.cases, self.seed, self.workers, self.again, self.cluster = tuple(cases), seed, workers, again, cluster
        self._crew: Crew | None = None
        self._run = uuid.uuid4().hex  # other runs may share the workers of a cluster
        self._until = ExitStack()

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *failure: Any) -> None:
        self._until.__exit__(*failure)

    def run(self, jobs: Sequence[Job], done: Done) -> int:
        """Run the jobs whose part is not there yet, and return how many were.

        Parameters
        ----------
        done : callable
            Told the replications of each finished part, those found on disk included.

        Raises
        ------
        ConfigError, EngineError
            Of the first block that fails.
        """
        waiting = []
        for job in jobs:
            if self.again or not is_whole(job.path):
                waiting.append(job)
            else:
                done(job.replications)
        for job in self._ran(waiting):
            done(job.replications)
        return len(jobs) - len(waiting)

    def _ran(self, jobs: Sequence[Job]) -> Iterator[Job]:
        """Yield each job once its part is written."""
        alone = self.workers <= 1 or (len(jobs) == 1 and self._crew is None)
        if self.cluster is None and alone:
            for job in jobs:
                write_part(job.path, _run_job(job, self.cases, self.seed))
                yield job
        elif jobs:
            self._crew = self._crew or self._until.enter_context(self._start())
            call = run_here if self.cluster is None else run_away
            for job, left in run_over(self._crew, partial(call, self._run), jobs, self._name):
                if isinstance(left, bytes):
                    write_whole(job.path, left)
                else:
                    raise_failure(left)
                yield job

    def _start(self) -> AbstractContextManager[Crew]:
        """Return the workers, which get what all blocks need, once."""
        if self.cluster is None:
            warm_up(self.cases[0], self.seed)
            return processes(self.workers, give, (self._run, self.cases, self.seed))
        try:
            from sim.cluster import cluster  # an optional extra
        except ImportError as error:
            message = f"needs dask.distributed ({error}). Install it with: pip install 'drawdown[cluster]'"
            raise ConfigError([Problem("--cluster", message, "command line")]) from None
        given = partial(give, self._run, self.cases, self.seed)
        return cluster(self.cluster, given, partial(take_back, self._run), code_version)

    def _name(self, job: Job) -> str:
        return f"scenario {self.cases[job.scenario].name}, block {job.block}"


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


def _run_job(job: Job, cases: Sequence[Case], seed: int) -> Part:
    case = cases[job.scenario]
    try:
        return reduce(case, run_block(case, seed, job.block, job.replications))
    except ConfigError as error:
        raise ConfigError(_named(case, problem) for problem in error.problems) from None
    except EngineError as error:
        raise EngineError(f"scenario {case.name}, block {job.block}: {error}") from None


def _named(case: Case, problem: Problem) -> Problem:
    named = problem.file is not None or problem.address.startswith("scenario ")
    return problem if named else dataclasses.replace(problem, address=f"scenario {case.name}, {problem.address}")


# -- what workers are given, and what they give back -----------------------------------------------------

Failure = tuple[Problem, ...] | str | None
"""What went wrong with a block, as values that survive the way back."""

_given: dict[str, tuple[Sequence[Case], int]] = {}
"""What this worker was started with: run -> cases and seed."""


def give(run: str, cases: Sequence[Case], seed: int) -> None:
    """Give a worker what all blocks of a run need, once."""
    _given[run] = cases, seed


def take_back(run: str) -> None:
    """Let a worker forget a run."""
    _given.pop(run, None)


def run_here(run: str, job: Job) -> Failure:
    """Run a job in a worker of this machine, which writes its part itself."""
    return _run_apart(run, job, partial(write_part, job.path))


def run_away(run: str, job: Job) -> Failure | bytes:
    """Run a job in a worker that shares no disk with the run; return the content of its part."""
    return _run_apart(run, job, lambda part: bytes(packed(part)))


def _run_apart(run: str, job: Job, leave: Callable[[Part], R]) -> R | Failure:
    try:
        return leave(_run_job(job, *_given[run]))
    except ConfigError as error:
        return error.problems
    except DrawdownError as error:
        return str(error)


def raise_failure(failure: Failure) -> None:
    """Raise what went wrong in a worker."""
    if isinstance(failure, str):
        raise EngineError(failure)
    if failure is not None:
        raise ConfigError(failure)
