"""Where the numbers of a world come from: each with its value, range, source, year and grade, and totals per grade."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from sim.config.load import Plan
from sim.config.schema import Number, Source, iter_numbers
from sim.engine import Case
from sim.errors import ResultsError

ASSUMPTION = "assumption"

GRADES = ("official", "industry", "secondary", ASSUMPTION)
"""From a government or an international agency, an operator or a trade journal, a compilation, or us."""

COLUMNS = ("address", "value", "low", "high", "unit", "grade", "source", "year", "note")


@dataclass(frozen=True)
class Entry:
    """One number and who says so.

    Attributes
    ----------
    address : str
        Where it stands in the resolved configuration.
    grade : str
        One of `GRADES`; ``none`` if it names no source.
    scenarios : tuple of str
        Scenarios that hold this value.
    """

    address: str
    number: Number
    grade: str
    scenarios: tuple[str, ...]

    def row(self) -> dict[str, str | float | None]:
        """Return it as plain values by `COLUMNS`."""
        number = self.number
        return {
            "address": self.address, "value": number.value, "low": number.low, "high": number.high,
            "unit": number.dimension, "grade": self.grade, "source": number.source,
            "year": None if number.year is None else str(number.year), "note": number.note,
        }  # fmt: skip


def entries(plan: Plan, cases: Iterable[Case]) -> list[Entry]:
    """Return every number of a plan's scenarios, each value of an address once, in the order of the files."""
    found: dict[tuple[str, Number], list[str]] = {}
    for case in cases:
        for number in numbers_of(case):
            found.setdefault((number.address, number), []).append(case.name)
    return [
        Entry(address, number, grade_of(number, plan.sources), tuple(names))
        for (address, number), names in found.items()
    ]


def numbers_of(case: Case) -> Iterator[Number]:
    """Yield every number of a case's world and policies, each with its address."""
    yield from iter_numbers(case.world)
    for name, policy in case.policies.items():
        yield from iter_numbers(policy, f"policies.{name}")


def grade_of(number: Number, sources: dict[str, Source]) -> str:
    """Return the grade of a number's source."""
    if number.source == ASSUMPTION:
        return ASSUMPTION
    return sources[number.source].grade if number.source in sources else "none"


def write_csv(path: Path, found: list[Entry]) -> None:
    """Write one line a number, `COLUMNS` wide.

    Raises
    ------
    ResultsError
        If the file cannot be written.
    """
    text = io.StringIO()
    lines = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    lines.writeheader()
    lines.writerows(entry.row() for entry in found)
    try:
        path.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise ResultsError(f"{path}: cannot be written: {error.strerror}.") from None


def tables(plan: Plan, found: list[Entry]) -> Group:
    """Return totals per grade, the sources with their citations, and every number, as tables to print."""
    return Group(_by_grade(found), Text(), _by_source(plan, found), Text(), _all(found))


def _by_grade(found: list[Entry]) -> Table:
    table = Table("Grade", "numbers", "share", "with a range", pad_edge=False, title="Numbers by grade of their source")
    for grade in (*GRADES, "none"):
        chosen = [entry for entry in found if entry.grade == grade]
        if chosen or grade != "none":
            ranged = sum(entry.number.uncertain for entry in chosen)
            table.add_row(grade, str(len(chosen)), f"{len(chosen) / max(len(found), 1):.0%}", str(ranged))
    table.add_row("all", str(len(found)), "100%", str(sum(entry.number.uncertain for entry in found)))
    return table


def _by_source(plan: Plan, found: list[Entry]) -> Table:
    table = Table("Source", "grade", "numbers", "citation", pad_edge=False, title="Sources")
    counts: dict[str, int] = {}
    for entry in found:
        counts[str(entry.number.source)] = counts.get(str(entry.number.source), 0) + 1
    for key, count in sorted(counts.items(), key=lambda item: -item[1]):
        if key in plan.sources:
            table.add_row(key, plan.sources[key].grade, str(count), plan.sources[key].citation)
    return table


def _all(found: list[Entry]) -> Table:
    table = Table("Number", "value", "range", "unit", "grade", "source", "year", pad_edge=False, title="Numbers")
    for entry in found:
        number = entry.number
        span = f"{number.low:.4g} to {number.high:.4g}" if number.low is not None and number.high is not None else ""
        year = "" if number.year is None else str(number.year)
        table.add_row(
            entry.address, f"{number.value:.6g}", span, number.dimension, entry.grade, str(number.source), year
        )  # fmt: skip
    return table
