"""Policy timeline: every event of every measure, by scenario, with the range of its date over runs.

One row is what befell one measure; scenarios in which the same befell it share a row, and numbers say which they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from sim.happened import Event, History, histories
from sim.plots.saved import Saved, in_words
from sim.plots.style import INK, MARKERS, POLICY_COLOURS, SOFT, Sheet, dark, day_number, wrap, year_axis

BAR = ("announced", "in force", "ends")
"""Events that a bar shows; all others are marked on it."""

SHAPES = (*MARKERS, "<", ">", "p", "h", "*", "d", "8")
"""Marks of the other events."""

ROW, LOW, HEADER, STEP = 0.31, 0.215, 0.36, 0.2
"""Heights of a row, of a row among many, and of the name of a type, and width of a scenario's column, in inches."""

MANY = 40
"""Rows from which on they are low."""

LETTERS = 50
"""Length of a line of a measure's title."""

LEFT, WIDTH, SHARES = 4.1, 6.2, 2.5
"""Room for titles, for the bars and for the shares of runs, in inches."""


@dataclass(frozen=True)
class Row:
    """One line of the figure: the name of a type of measures, or what befell one; `y` in inches from the top."""

    y: float
    height: float
    history: History | None
    text: str


def draw_timeline(saved: Saved) -> Figure:
    """Return the timeline of all measures of a run."""
    rows = _rows(histories(saved.results.timeline, saved.resolved["scenarios"]))
    tall = rows[-1].y + rows[-1].height if rows else ROW
    names = saved.scenarios
    wide = max(STEP * len(names), 0.6)
    title = "Which measure happened when, and in which scenario?"
    subtitle = (
        "Light: announced, not yet in force. Full: in force, pale while suspended; a bar without an end mark goes on. "
        "Thin lines: where a date lies in nine runs out of ten. Numbers: the scenarios in which the row holds. At the "
        "right: the share of runs in which it happens.\n"
    ) + "\n".join(f"{place}  {saved.label(name)}" for place, name in enumerate(names, 1))
    left = LEFT + wide + 0.3
    sheet = Sheet(panel=(WIDTH, tall), left=left, right=SHARES, head=0.6, foot=1.25)
    figure, grid = sheet.grid([tall], 1, title, subtitle)
    axes = grid[0][0]
    axes.set_ylim(tall, 0)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="x", which="both", labeltop=True)
    start, end = _ends(saved, rows)
    year_axis(axes, start, end)
    marks = _marks(rows)
    colours = dict(zip(dict.fromkeys(r.history.type for r in rows if r.history), _cycle(), strict=False))
    _columns(axes, saved, rows, wide)
    above, odd = "", False
    for row in rows:
        middle = row.y + row.height / 2
        if row.history is None:
            _beside(axes, row.text, middle + 0.03, sheet.margin - left, fontweight="bold", fontsize=9.5)
            continue
        if row.history.policy != above:
            _beside(axes, "\n".join(wrap(row.text, LETTERS)), middle, sheet.margin - left, fontsize=8.5)
        above, odd = row.history.policy, not odd
        if odd:
            _shade(axes, row, left - sheet.margin + 0.08)
        _bar(axes, row.history, middle, colours[row.history.type], end)
        _events(axes, row.history, middle, marks)
        axes.annotate(
            "\n".join(_shares(row.history)), (1, middle), (6, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=7.5, color=SOFT, annotation_clip=False,
        )  # fmt: skip
    _key(figure, axes, marks, sheet)
    return figure


def _rows(found: Sequence[History]) -> list[Row]:
    """Return the lines of the figure from the top."""
    rows: list[Row] = []
    usual = ROW if len(found) < MANY else LOW
    y, kind, above = 0.0, None, ""
    for history in found:
        if history.type != kind:
            rows.append(Row(y, HEADER, None, in_words(history.type) or "Measures"))
            y, kind = y + HEADER, history.type
        lines = len(wrap(history.title, LETTERS)) if history.policy != above else 1
        height = max(usual, 0.1 + 0.155 * lines, 0.06 + 0.13 * len(_shares(history)))
        rows.append(Row(y, height, history, history.title))
        y, above = y + height, history.policy
    return rows


def _ends(saved: Saved, rows: Sequence[Row]) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the dates the figure spans: the run, and what was announced before it."""
    dates = saved.series["date"]
    first = [event.early for row in rows if row.history for event in row.history.events]
    return min([dates.min(), *first]), dates.max()


def _cycle() -> list[str]:
    return [*POLICY_COLOURS] * 4


def _columns(axes: Axes, saved: Saved, rows: Sequence[Row], wide: float) -> None:
    """Write a scenario's number, in its colour, where a row holds in it, and a point where it does not."""
    first, over = -0.2 - wide, axes.get_yaxis_transform()
    axes.text((first + STEP * 0.15) / WIDTH, -0.12, "scenario", transform=over, va="bottom", fontsize=8, color=SOFT)
    for place, name in enumerate(saved.scenarios):
        x, colour = (first + STEP * (place + 0.5)) / WIDTH, dark(saved.colour(name))
        absent = []
        for row in rows:
            if row.history is not None and name in row.history.scenarios:
                axes.text(
                    x, row.y + row.height / 2, str(place + 1), transform=over, ha="center", va="center_baseline",
                    fontsize=8.5, fontweight="bold", color=colour,
                )  # fmt: skip
            elif row.history is not None:
                absent.append(row.y + row.height / 2)
        axes.plot(
            [x] * len(absent), absent, "o", transform=over, clip_on=False, markersize=1.4, color="#c8c8c8",
            markeredgewidth=0,
        )  # fmt: skip


def _shade(axes: Axes, row: Row, left: float) -> None:
    """Shade a row, its title included, so that the eye keeps to it."""
    corner, width = (-left / WIDTH, row.y), 1 + (left + SHARES - 0.1) / WIDTH
    axes.add_patch(
        Rectangle(
            corner, width, row.height, transform=axes.get_yaxis_transform(), clip_on=False, facecolor="#f5f5f5",
            linewidth=0, zorder=0,
        )
    )  # fmt: skip


def _beside(axes: Axes, text: str, y: float, inches: float, **look: Any) -> None:
    axes.annotate(
        text, (0, y), (inches * 72, 0), xycoords=("axes fraction", "data"), textcoords="offset points", va="center",
        color=INK, annotation_clip=False, linespacing=1.05, **look,
    )  # fmt: skip


def _bar(axes: Axes, history: History, y: float, colour: str, end: pd.Timestamp) -> None:
    """Draw a measure from its announcement to its entry into force (light) and to its end (full)."""
    announced, start, over = (history.event(name) for name in BAR)
    if announced is not None:
        until = start or over
        last = day_number(until.date) if until is not None else day_number(end)
        _stretch(axes, day_number(announced.date), last, y, colour, 0.28)
    if start is not None:
        last = day_number(over.date) if over is not None else day_number(end)
        for first, then, alpha in _in_force(history, day_number(start.date), last):
            _stretch(axes, first, then, y, colour, alpha)
    for event in (announced, start, over):
        if event is not None:
            _range(axes, event, y)
    if over is not None:
        shape, size = ("X", 5.0) if start is None else ("|", 8.0)
        axes.plot([day_number(over.date)], [y], shape, color=INK, markersize=size, markeredgewidth=1.2, zorder=4)


def _in_force(history: History, first: float, last: float) -> Iterator[tuple[float, float, float]]:
    """Yield the stretches between two days with their depth of colour: pale while the measure is suspended."""
    for event in history.events:
        if event.name.startswith("suspended"):
            back = history.event(event.name.replace("suspended", "in force again"))
            begins, ends = day_number(event.date), day_number(back.date) if back is not None else last
            if begins > first:
                yield first, begins, 0.85
            yield begins, ends, 0.12
            first = ends
    if first < last:
        yield first, last, 0.85


def _stretch(axes: Axes, first: float, last: float, y: float, colour: str, alpha: float) -> None:
    axes.barh(y, max(last - first, 4.0), left=first, height=0.15, color=colour, alpha=alpha, linewidth=0, zorder=2)


def _range(axes: Axes, event: Event, y: float) -> None:
    """Draw the range of a date over runs, where it has one."""
    if event.spread:
        ends = [day_number(event.early), day_number(event.late)]
        axes.plot(ends, [y, y], color=INK, linewidth=0.9, marker="|", markersize=5, zorder=3, clip_on=True)


def _marks(rows: Sequence[Row]) -> dict[str, str]:
    """Return the marker of each event that is no part of a bar."""
    found = [event.name for row in rows if row.history for event in row.history.events if event.name not in BAR]
    return dict(zip(dict.fromkeys(found), SHAPES * 3, strict=False))


def _events(axes: Axes, history: History, y: float, marks: dict[str, str]) -> None:
    for event in history.events:
        if event.name in marks:
            _range(axes, event, y)
            axes.plot(
                [day_number(event.date)], [y], marks[event.name], color="white", markeredgecolor=INK, markersize=6,
                markeredgewidth=1.1, zorder=5,
            )  # fmt: skip


def _shares(history: History) -> list[str]:
    """Return the share of runs: one where all events have the same, else those of events that may fail to come."""
    shares = {event.name: event.of_runs for event in history.events}
    if len(set(shares.values())) == 1:
        return [next(iter(shares.values()))]
    said: dict[str, list[str]] = {}
    for name, share in shares.items():
        if share != "100 %":
            said.setdefault(share, []).append(name)
    return wrap("; ".join(f"{', '.join(names)}: {share}" for share, names in said.items()), 46)


def _key(figure: Figure, axes: Axes, marks: dict[str, str], sheet: Sheet) -> None:
    handles: list[Patch | Line2D] = [
        Patch(facecolor=SOFT, alpha=0.28, linewidth=0, label="announced"),
        Patch(facecolor=SOFT, alpha=0.85, linewidth=0, label="in force"),
        Line2D([], [], color=INK, marker="|", markersize=8, linestyle="none", markeredgewidth=1.2, label="ends"),
        Line2D([], [], color=INK, marker="X", markersize=5, linestyle="none", label="withdrawn before it began"),
        Line2D([], [], color=INK, marker="|", markersize=5, linewidth=0.9, label="nine runs in ten"),
    ]
    handles += [
        Line2D([], [], color="white", marker=shape, markeredgecolor=INK, markersize=6, linestyle="none", label=name)
        for name, shape in marks.items()
    ]
    width, height = figure.get_size_inches()
    below = axes.get_position().y0 - 0.45 / height
    figure.legend(
        handles=handles, loc="upper left", ncols=min(len(handles), 6),
        bbox_to_anchor=((sheet.margin - 0.05) / width, below),
    )  # fmt: skip
