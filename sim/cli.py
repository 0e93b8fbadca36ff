"""The command line: ``drawdown run | validate | describe | select | diff | sources | synth``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from sim.cases import load
from sim.errors import DrawdownError

USER_ERROR = 2
"""Exit code of every error that the user can put right."""

INTERRUPTED = 130

app = typer.Typer(
    help="Simulate disruptions of critical-mineral supply.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

File = Annotated[Path, typer.Argument(help="An experiment or a scenario, such as experiments/NAME.yaml.")]
Replications = Annotated[int | None, typer.Option(help="Instead of those of the file.")]
Workers = Annotated[int | None, typer.Option(help="Processes; one per core unless given.")]
Seed = Annotated[int | None, typer.Option(help="Instead of that of the file.")]
Out = Annotated[Path | None, typer.Option(help="Directory of the results; results/NAME unless given.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="ADDRESS=VALUE", help="Change a value; may be given again."),
]
Company = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Lay this company over the world and answer for it; may be given again."),
]
Csv = Annotated[Path | None, typer.Option(help="Write the numbers to this file, too.")]
Resume = Annotated[
    bool | None,
    typer.Option(
        "--resume/--again",
        help="Go on with a run that was stopped or killed, or show its results if it is complete; or run every "
        "block again. Without either, finished blocks are used, and it is said how many.",
    ),
]
PrecisionOption = Annotated[
    str | None,
    typer.Option(
        metavar="2%|METRIC=AMOUNT,...",
        help="Run until the 95 % intervals in focus are this narrow (plus or minus), such as 2%, shortage_days=0.5 "
        "or differences.price_mean=2%; --replications are then the least.",
    ),
]
MaxReplications = Annotated[int | None, typer.Option(help="Where --precision ends in any case; 100,000 unless given.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT", help="Run the blocks on a Dask cluster; needs the extra 'cluster'."),
]
NoFigures = Annotated[bool, typer.Option("--no-figures", help="Do not draw figures.")]


@app.command()
def run(
    file: File,
    replications: Replications = None,
    workers: Workers = None,
    seed: Seed = None,
    out: Out = None,
    set_: Set = None,
    company: Company = None,
    precision: PrecisionOption = None,
    max_replications: MaxReplications = None,
    resume: Resume = None,
    cluster: Cluster = None,
    no_figures: NoFigures = False,
) -> None:
    """Run an experiment or a scenario, write its results and print the answer."""
    # Loaded here, so that the other commands answer at once: with the statistics of results they take a second more.
    from rich.markdown import Markdown

    from sim.answer import short_answer, tables
    from sim.results import ANSWER
    from sim.study import Options, run_study

    options = Options(
        replications, seed, workers, out, tuple(set_ or ()), not no_figures, tuple(company or ()), resume,
        precision, max_replications, cluster,
    )  # fmt: skip
    with _plainly():
        results = run_study(file, options, Console(stderr=True))
    console = Console()
    console.print(Markdown(short_answer(results)))
    for table in tables(results):
        console.print(table)
    console.print(f"All of it: {results.directory / ANSWER}", soft_wrap=True, highlight=False)


@app.command()
def validate(file: File, set_: Set = None, company: Company = None) -> None:
    """Check an experiment or a scenario without running it."""
    with _plainly():
        plan, cases = load(file, set_ or (), companies=company or (), balanced=True)
        if any(scenario.selection is not None for scenario in plan.scenarios):
            from sim.selection import check_selections

            check_selections(plan, cases)
    counted = f"{len(cases)} scenario{'s' if len(cases) != 1 else ''}"
    Console().print(f"{plan.name}: {counted}, no problems found.", highlight=False)


@app.command()
def describe(file: File, set_: Set = None, company: Company = None) -> None:
    """Print the world as tables: who mines, processes, consumes and holds what."""
    from sim.describe import describe as described

    with _plainly():
        plan, cases = load(file, set_ or (), companies=company or ())
        shown = described(plan, cases)
    Console().print(shown)


@app.command()
def select(file: File, set_: Set = None, company: Company = None, csv: Csv = None) -> None:
    """Print which projects a selection picks, and why, without running anything."""
    from sim.selection import frame, overview, select, sentences

    with _plainly():
        plan, cases = load(file, set_ or (), companies=company or ())
        _, cases, found = select(plan, cases)
        if csv is not None:
            frame(found).to_csv(csv, index=False)
    if not found:
        typer.echo(f"{plan.name}: no scenario has a 'selection'.", err=True)
        raise typer.Exit(USER_ERROR)
    console = Console()
    for part in overview(found):
        console.print(part, highlight=False)
    for sentence in sentences(found, cases[0].world):
        console.print(sentence, highlight=False)


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(metavar="A", help="An experiment, scenario, bundle of policies or mineral.")],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another of the same kind.")],
    json: Annotated[bool, typer.Option("--json", help="Print the differences as JSON, for programs.")] = False,
) -> None:
    """Say what differs between two files, with all they inherit."""
    from json import dumps

    from sim.difference import difference, text

    with _plainly():
        found = difference(a, b)
    typer.echo(dumps(found.plain(), indent=1, ensure_ascii=False) if json else text(found))


@app.command()
def sources(file: File, set_: Set = None, company: Company = None, csv: Csv = None) -> None:
    """Print where every number comes from, with totals per grade of source."""
    from sim.provenance import entries, tables, write_csv

    with _plainly():
        plan, cases = load(file, set_ or (), companies=company or ())
        found = entries(plan, cases)
        if csv is not None:
            write_csv(csv, found)
    Console().print(tables(plan, found))


@app.command()
def synth(
    facilities: Annotated[int, typer.Option(help="Mines, refineries and works together.")],
    materials: Annotated[int, typer.Option(help="Three to a chain: ore, refined, product.")],
    out: Annotated[Path, typer.Option(help="A new or empty directory.")],
    degree: Annotated[int, typer.Option(help="Suppliers of each buyer, about.")] = 6,
    seed: Annotated[int, typer.Option(help="The same arguments give the same files.")] = 1,
) -> None:
    """Write a synthetic world of any size, balanced by construction."""
    from sim.synth import write_world

    with _plainly():
        experiment = write_world(out, facilities, materials, degree, seed)
    Console().print(f"Written. Next: drawdown validate {experiment}", soft_wrap=True, highlight=False)


def main() -> None:
    """Run the command line."""
    signal.signal(signal.SIGTERM, _stop)
    app()


@contextmanager
def _plainly() -> Iterator[None]:
    """Give what was foreseen one message and an exit code, without a traceback."""
    try:
        yield
    except DrawdownError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(USER_ERROR) from None
    except KeyboardInterrupt:
        typer.echo(
            "Interrupted. Finished blocks are kept; the same command with --resume goes on from there.", err=True
        )
        raise typer.Exit(INTERRUPTED) from None


def _stop(number: int, frame: FrameType | None) -> None:
    """Let a polite kill end a run as an interrupt does, with nothing half-written."""
    raise KeyboardInterrupt
