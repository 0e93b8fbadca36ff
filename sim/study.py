"""One study from its file to its results: load, check, simulate, merge, answer, draw."""

from __future__ import annotations

import dataclasses
import os
import platform
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sim.answer import answer
from sim.artists import artists, draw
from sim.cases import load as load_cases
from sim.certainty import precision_sentence
from sim.config.load import Change, Plan
from sim.config.schema import Number
from sim.draws import BLOCK_SIZE
from sim.engine import Case
from sim.errors import ConfigError, Problem, ResultsError
from sim.facts import Facts
from sim.metrics import UNITS
from sim.moments import CONFIDENCE
from sim.montecarlo import Done, Job, Simulator, plan_jobs
from sim.parts import code_version
from sim.precision import MOST, Gauge, Precision, Target, first_count, next_count, read_targets
from sim.provenance import numbers_of
from sim.recorder import Bins
from sim.results import (
    ANSWER,
    Results,
    check_place,
    clear_up,
    config_hash,
    git_revision,
    replacing,
    versions,
    write_manifest,
)
from sim.selection import select, sentences, write_selection
from sim.sweeps import write_sweep
from sim.tables import KEPT, Merger
from sim.unfinished import Unfinished


@dataclass(frozen=True)
class Options:
    """How a study is run, apart from what its file says.

    Attributes
    ----------
    replications, seed : int or None
        Instead of those of the file.
    workers : int or None
        Processes; as many as the machine has cores unless given.
    out : Path or None
        ``results/NAME`` beside ``configs`` unless given.
    overrides : tuple of str
        ``ADDRESS=VALUE``.
    figures : bool
        Whether to draw them.
    companies : tuple of Path
        Files of companies to lay over the world.
    resume : bool or None
        True: results of the same run that stand are returned as they are. False: blocks that an earlier run has
        finished are run again. Otherwise, and with True, they are used.
    precision : str or None
        Run until intervals are this narrow (see `precision`); ``replications`` are then the least.
    max_replications : int or None
        Where such a run ends, narrow enough or not; `precision.MOST` unless given.
    cluster : str or None
        Address of the scheduler of a Dask cluster that runs the blocks.
    """

    replications: int | None = None
    seed: int | None = None
    workers: int | None = None
    out: Path | None = None
    overrides: tuple[str, ...] = ()
    figures: bool = True
    companies: tuple[Path, ...] = ()
    resume: bool | None = None
    precision: str | None = None
    max_replications: int | None = None
    cluster: str | None = None


def run_study(path: Path | str, options: Options, console: Console) -> Results:
    """Run an experiment or a scenario and return its results.

    Parameters
    ----------
    path : path
        Of the file.
    console : Console
        Where progress is shown, if it is a terminal.

    Raises
    ------
    ConfigError
        If the input cannot be used.
    ResultsError
        If the results cannot be written.
    """
    began = time.time()
    plan, cases = load(path, options)
    _targets(plan, options)  # what is wrong with them is told before anything is run or made
    plan, cases, picked = select(plan, cases)
    out = options.out or plan.root / "results" / plan.name
    check_place(out)
    run = run_key(plan, options)
    if options.resume and is_complete(out, run, options):
        console.print(f"{out}: the run was completed before; these are its results.", soft_wrap=True, highlight=False)
        return Results(out)
    workers = options.workers or os.cpu_count() or 1
    unfinished = Unfinished.beside(out)
    with unfinished.held():
        clear_up(out)
        plan, jobs, precision = _simulate(plan, cases, options, workers, unfinished.directory, console)
        drawing = artists(workers if options.figures else 1)
        with replacing(out) as directory, console.status("Writing tables and figures"), drawing as pool:
            merger = Merger(plan, cases[0].calendar, _by_scenario(jobs, len(cases)))
            merger.write(directory)
            write_sweep(directory, plan.resolved)
            write_selection(directory, picked)
            about = manifest(plan, cases, options, merger)
            about |= {"run": run, "workers": workers, "wall_seconds": round(time.time() - began, 3)}
            about |= {"precision": precision.plain()} if precision else {}
            about |= {"selection": list(sentences(picked, cases[0].world))} if picked else {}
            write_manifest(directory, about)
            (directory / ANSWER).write_text(answer(Results(directory)), encoding="utf-8")
            if options.figures:
                draw(directory, pool)
        left = unfinished.remove(job.path for job in jobs)
    reached = [precision_sentence(Facts(Results(out)), precision.plain())] if precision else []
    for said in (*reached, left):
        if said:
            console.print(said, soft_wrap=True, highlight=False)
    return Results(out)


def _simulate(
    plan: Plan, cases: Sequence[Case], options: Options, workers: int, directory: Path, console: Console
) -> tuple[Plan, tuple[Job, ...], Precision | None]:
    """Run what is missing of a study; return it with the replications it took, its jobs and the precision reached."""
    precision, gauge, count = None, None, plan.experiment.replications
    if options.precision is not None:
        precision = Precision(options.precision, options.max_replications or MOST)
        gauge = Gauge(plan, _targets(plan, options), float(cases[0].calendar.review))
        count = first_count(options.replications, precision.most)
    world, jobs, found = identities(plan), tuple[Job, ...](), 0
    with (
        _progress(console) as (expect, done),
        Simulator(cases, plan.experiment.seed, workers, options.resume is False, options.cluster) as simulator,
    ):
        while True:
            planned = plan_jobs(world, plan.experiment.seed, count, directory)
            expect(sum(job.replications for job in planned))
            found += simulator.run(planned[len(jobs) :], done)
            new, jobs = planned[len(jobs) :], planned
            if precision is None or gauge is None:
                break
            for block in range(0, len(new), len(cases)):
                gauge.add({cases[job.scenario].name: job.path for job in new[block : block + len(cases)]})
            widest = gauge.widest()
            precision.rounds.append((count, widest))
            further = next_count(count, widest, precision.most)
            if further == count:
                break
            count = further
    if found:
        said = f"{found:,} of {len(jobs):,} blocks were finished by an earlier run of the same and used again."
        console.print(said, highlight=False)
    if precision is not None:
        plan = _with_replications(plan, count)
    return plan, jobs, precision


def _targets(plan: Plan, options: Options) -> tuple[Target, ...]:
    names = [scenario.name for scenario in plan.scenarios]
    return read_targets(options.precision, plan.experiment, names) if options.precision is not None else ()


def _with_replications(plan: Plan, count: int) -> Plan:
    """Return a plan with the number of replications that it took."""
    resolved = {**plan.resolved, "experiment": {**plan.resolved["experiment"], "replications": count}}
    experiment = plan.experiment.model_copy(update={"replications": count})
    return dataclasses.replace(plan, experiment=experiment, resolved=resolved)


def run_key(plan: Plan, options: Options) -> str:
    """Return a hash of all that decides the results of a run."""
    precision = None
    if options.precision is not None:
        precision = [options.precision, options.replications, options.max_replications or MOST]
    return config_hash({"resolved": plan.resolved, "code": code_version(), "precision": precision})


def is_complete(out: Path, run: str, options: Options) -> bool:
    """Whether a results directory holds all results of a run."""
    try:
        manifest = Results.load(out).manifest
    except ResultsError:
        return False
    return manifest.get("run") == run and (not options.figures or (out / "figures").is_dir())


def load(path: Path | str, options: Options, *, balanced: bool = False) -> tuple[Plan, tuple[Case, ...]]:
    """Return the plan of a file and its cases, checked.

    Raises
    ------
    ConfigError
        If the input cannot be used.
    """
    given = {
        "--replications": options.replications,
        "--workers": options.workers,
        "--max-replications": options.max_replications,
    }
    for name, value in given.items():
        if value is not None and value < 1:
            raise ConfigError([Problem(name, f"got {value}. Give 1 or more.", "command line")])
    return load_cases(
        path,
        options.overrides,
        replications=options.replications,
        seed=options.seed,
        companies=options.companies,
        balanced=balanced,
    )


def identities(plan: Plan) -> list[dict[str, Any]]:
    """Return the plain values that decide what each scenario's blocks hold."""
    experiment = plan.resolved["experiment"]
    run = {key: experiment.get(key) for key in ("horizon", "demand", "switches", "disruption", "independent_of")}
    scenarios = plan.resolved["scenarios"].values()
    return [{"world": each["world"], "policies": list(each["policies"].items()), **run} for each in scenarios]


def _by_scenario(jobs: Sequence[Job], count: int) -> list[list[Path]]:
    paths: list[list[Path]] = [[] for _ in range(count)]
    for job in jobs:
        paths[job.scenario].append(job.path)
    return paths


@contextmanager
def _progress(console: Console) -> Iterator[tuple[Done, Done]]:
    """Show replications done, their rate and the time that remains; nothing where nobody looks.

    Yields what is told the replications expected in all, and what is told those of each part.
    """
    began = time.monotonic()
    progress = Progress(
        TextColumn("Simulating"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("replications, {task.fields[rate]:.0f}/s, left"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with progress:
        task = progress.add_task("", total=None, rate=0.0)
        finished = 0

        def done(replications: int) -> None:
            nonlocal finished
            finished += replications
            progress.update(task, advance=replications, rate=finished / (time.monotonic() - began))

        yield lambda total: progress.update(task, total=total), done


# -- the manifest ---------------------------------------------------------------------------------------


def manifest(plan: Plan, cases: Sequence[Case], options: Options, merger: Merger) -> dict[str, Any]:
    """Return what a reader needs to understand the results and to repeat them."""
    experiment = plan.experiment
    count = experiment.replications
    return {
        "experiment": plan.name,
        "title": experiment.title,
        "question": experiment.question,
        "command": command(plan, options),
        "seed": experiment.seed,
        "replications": count,
        "block_size": BLOCK_SIZE,
        "config_sha256": config_hash(plan.resolved),
        "code_version": code_version(),
        "git_revision": git_revision(Path(__file__).parent),
        "versions": versions(),
        "machine": platform.machine(),
        "units": UNITS,
        "intervals": (
            f"{CONFIDENCE:.0%} of the mean, Student's t, computed as if replications were independent; "
            "those of a block share a Latin hypercube, so the intervals are conservative"
        ),
        "variance_reduction": merger.saved,
        "quantiles": f"of {'all' if count <= KEPT else f'the first {KEPT}'} replications, exact",
        "series_bins": Bins.__doc__ and " ".join(Bins.__doc__.split()),
        "solver": merger.solver,
        "block_seconds": {name: round(seconds, 3) for name, seconds in merger.seconds.items()},
        "changes": {scenario.name: [_change(change) for change in scenario.changes] for scenario in plan.scenarios},
        "ranges": ranges(cases, merger.ranges),
        "resolved": plan.resolved,
    }


def command(plan: Plan, options: Options) -> str:
    """Return the command that repeats a run, from the directory that holds ``configs``."""
    words = ["drawdown", "run", plan.path.relative_to(plan.root).as_posix()]
    words += ["--replications", str(plan.experiment.replications), "--seed", str(plan.experiment.seed)]
    for override in options.overrides:
        words += ["--set", override]
    return shlex.join(words)


def _change(change: Change) -> str:
    place = change.file if change.line is None else f"{change.file}:{change.line}"
    return f"{change.address}: {change.old} -> {change.new} ({place})"


def ranges(cases: Sequence[Case], drawn: Mapping[str, object]) -> dict[str, dict[str, Any]]:
    """Return value, range and unit of every number that was drawn, by address."""
    found: dict[str, dict[str, Any]] = {}
    for case in cases:
        for number in numbers_of(case):
            if number.address in drawn and number.uncertain:
                found.setdefault(number.address, _range(number))
    return dict(sorted(found.items()))


def _range(number: Number) -> dict[str, Any]:
    return {
        "value": number.value,
        "low": number.low,
        "high": number.high,
        "dist": number.dist,
        "unit": number.dimension,
        "source": number.source,
    }
