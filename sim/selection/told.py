"""What is told of a selection: one row per candidate with its reason, and sentences for the answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from sim.config import schema

FILE = "selection.csv"

LEAST = 1e-6
"""Gap closed below this share of the gap is none."""

MILLION = 1e6


@dataclass(frozen=True)
class Candidate:
    """A project and what became of it.

    Attributes
    ----------
    public, cost : float, USD
        Expected public money, and all of the investment.
    makes : str
        Material that it makes, replaces or carries.
    expected : float, t
        Capacity x odds x share of the time on line.
    gap : float, t
        Of the gap closed: when it was picked, or if it were added to what is picked.
    value : float
        The same in the measure by which candidates are compared.
    """

    name: str
    title: str
    chosen: bool
    order: int | None
    public: float
    cost: float
    makes: str
    expected: float
    gap: float
    value: float
    reason: str


@dataclass(frozen=True)
class Picked:
    """The outcome of the selection in one scenario.

    Attributes
    ----------
    gap, closed : dict of float, t
        By material, until the date: what comes from the other side without candidates, and what those picked close.
    unit : str
        What `Candidate.value` counts.
    """

    scenario: str
    title: str
    selection: schema.Selection
    until: str
    candidates: tuple[Candidate, ...]
    gap: dict[str, float]
    closed: dict[str, float]
    unit: str
    gone: tuple[str, ...] = ()

    @property
    def chosen(self) -> tuple[Candidate, ...]:
        """What is picked, in order."""
        return tuple(sorted((c for c in self.candidates if c.chosen), key=lambda c: c.order or 0))


def listed(names: Sequence[str]) -> str:
    """Return names as they stand in a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def short(number: float) -> str:
    """Return a number with as many digits as help."""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:,.3g}"


def frame(found: Sequence[Picked]) -> pd.DataFrame:
    """Return the table of all candidates of all scenarios."""
    rows = [
        {
            "scenario": picked.scenario,
            "candidate": each.name,
            "title": each.title,
            "chosen": each.chosen,
            "order": each.order,
            "public_cost_usd": each.public,
            "cost_usd": each.cost,
            "makes": each.makes,
            "expected_t": each.expected,
            "gap_closed_t": each.gap,
            "gap_closed": each.value,
            "gap_closed_unit": picked.unit,
            "gap_closed_t_per_million_usd": _per_million(each, picked.selection),
            "reason": each.reason,
        }
        for picked in found
        for each in picked.candidates
    ]
    return pd.DataFrame(rows).astype({"order": "Int64"}) if rows else pd.DataFrame()


def overview(found: Sequence[Picked]) -> Iterator[Table | str]:
    """Yield for the screen one table per scenario, picks first, and below it the reason of each candidate."""
    for picked in found:
        public = picked.selection.public_only
        shown = Table(title=picked.title, title_justify="left", pad_edge=False)
        for name in (
            "Pick",
            "Candidate",
            f"{'Public' if public else 'Cost'}, M USD",
            "Makes",
            "Expected, t",
            "Closed, t",
        ):
            shown.add_column(name, justify="left" if name in ("Candidate", "Makes") else "right", overflow="fold")
        ordered = (*picked.chosen, *(c for c in picked.candidates if not c.chosen))
        for each in ordered:
            cost = (each.public if public else each.cost) / MILLION
            pick = "-" if each.order is None else str(each.order)
            shown.add_row(pick, each.name, f"{cost:,.0f}", each.makes, short(each.expected), short(each.gap))
        yield shown
        yield "\n".join(f"- {each.name}: {each.reason}." for each in ordered) + "\n"
        if picked.gone:
            yield f"Left out with the projects they rest on: {listed(picked.gone)}.\n"


def _per_million(each: Candidate, selection: schema.Selection) -> float:
    cost = each.public if selection.public_only else each.cost
    return each.gap / cost * MILLION if cost > 0 else np.nan


def write_selection(directory: Path, found: Sequence[Picked]) -> None:
    """Write the table beside the other results, if anything was selected."""
    if found:
        frame(found).to_csv(directory / FILE, index=False, float_format="%.6g")


def sentences(found: Sequence[Picked], world: schema.World) -> Iterator[str]:
    """Yield a sentence or two per scenario: what was picked, for how much, and how much of the gap it closes."""
    countries = {code: name.partition(" (")[0] for code, name in world.countries.items()}
    for picked in found:
        chosen, selection = picked.chosen, picked.selection
        spent = sum(each.public if selection.public_only else each.cost for each in chosen) / MILLION
        side = listed([countries.get(code, code) for code in selection.against])
        whom = listed([countries.get(code, code) for code in selection.beneficiaries])
        names = "; ".join(each.title for each in chosen) or "none"
        yield (
            f"{picked.title}: picked of {len(picked.candidates)} candidates, for {spent:,.0f} of "
            f"{selection.budget.value / MILLION:,.0f} million USD of "
            f"{'public money' if selection.public_only else 'investment'}: {names}."
        )
        closes = [
            f"{short(closed)} of {short(gap)} t of {world.materials[m].title} ({100 * closed / gap:.2g} %)"
            for (m, gap), closed in zip(picked.gap.items(), picked.closed.values(), strict=True)
            if gap > 0 and abs(closed) > LEAST * gap
        ]
        if closes:
            yield (
                f"Until {picked.until} they are expected to close {listed(closes)} of what {whom} would otherwise get "
                f"from {side}, directly or upstream."
            )


def paragraph(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield the part of an answer that tells what was picked, from the manifest of a run."""
    told = manifest.get("selection")
    if told:
        yield "## Projects picked\n"
        yield " ".join(told) + f" Every candidate and the reason are in `{FILE}`.\n"
