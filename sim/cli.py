"""The command line: ``drawdown run | validate | describe``."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console

from sim.errors import DrawdownError
from sim.study import Options, load, run_study

USAGE_ERROR = 2
"""Exit code of every error that the user can put right."""

INTERRUPTED = 130

app = typer.Typer(
    help="Simulate disruptions of critical-mineral supply.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
out, err = Console(), Console(stderr=True)

File = Annotated[Path, typer.Argument(help="An experiment or a scenario, such as experiments/NAME.yaml.", show_default=False)]
Replications = Annotated[int | None, typer.Option(help="Instead of those of the file.", show_default=False)]
Workers = Annotated[int | None, typer.Option(help="Processes; one per core unless given.", show_default=False)]
Seed = Annotated[int | None, typer.Option(help="Instead of that of the file.", show_default=False)]
Out = Annotated[Path | None, typer.Option(help="Directory of the results; results/NAME unless given.", show_default=False)]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="ADDRESS=VALUE", help="Change a value, such as behaviour.theta=0.2; repeatable.", show_default=False),
]
NoFigures = Annotated[bool, typer.Option("--no-figures", help="Do not draw figures.")]


@app.command()
def run(
    file: File,
    replications: Replications = None,
    workers: Workers = None,
    seed: Seed = None,
    out_directory: Annotated[Path | None, typer.Option("--out", help="Directory of the results; results/NAME unless given.", show_default=False)] = None,
    changes: Set = None,
    no_figures: NoFigures = False,
) -> None:
    """Run an experiment or a scenario; write its results and print the answer."""
    options = Options(replications, seed, workers, out_directory, tuple(changes or ()), not no_figures)
    results = run_study(file, options, err)
    out.print(results.answer)


@app.command()
def validate(file: File, changes: Set = None) -> None:
    """Check an experiment or a scenario without running it."""
    plan, _ = load(file, Options(overrides=tuple(changes or ())), balanced=True)
    count = len(plan.scenarios)
    out.print(f"{plan.name}: {count} scenario{'s' if count != 1 else ''}, no problems found.")


def main() -> None:
    """Run the command line; errors that were foreseen give one message and exit code 2, no traceback."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app()
    except DrawdownError as error:
        print(f"drawdown: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE_ERROR)
    except KeyboardInterrupt:
        print("drawdown: interrupted; the same command goes on from here.", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)


def _stop(number: int, frame: FrameType | None) -> None:
    """Let a polite kill end a run as an interrupt does, with nothing half-written."""
    raise KeyboardInterrupt
