"""One look for all figures: sizes, fonts, colours that colour-blind readers can tell apart, panels and titles.

Decides how a figure is laid out (in inches, so that text never runs into a panel) and how it is saved. Leaves
what is drawn to the files of the single figures.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import NDArray

Array = NDArray[np.float64]

RC: Any = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "axes.edgecolor": "#8a8a8a",
    "axes.linewidth": 0.7,
    "axes.labelcolor": "#333333",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "drawdown",  # the same numbers give the same file
    "svg.fonttype": "path",
    "path.simplify_threshold": 0.3,
}

INK, SOFT, FAINT = "#222222", "#666666", "#b5b5b5"

SCENARIO_COLOURS = ("#222222", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8A7A00")
"""Okabe and Ito's palette, in the order of the experiment; the yellow is darkened to be seen on white."""

CAUSE_COLOURS = ("#CC6677", "#882255", "#DDCC77", "#44AA99", "#999933")
POLICY_COLOURS = ("#332288", "#88CCEE", "#117733", "#AA4499", "#6699CC", "#661100", "#AADDAA", "#DDAADD")
"""Causes of a price in Paul Tol's muted and light palettes, so that they are not taken for scenarios."""

OTHER_COLOUR = "#cfcfcf"

MARKERS = ("o", "s", "D", "^", "v", "P", "X")
LINES: tuple[Any, ...] = ("solid", (0, (5, 1.6)), (0, (1.2, 1.3)), (0, (6, 1.5, 1.2, 1.5)), (0, (3, 1, 1, 1, 1, 1)))

DPI = 200

TITLE_LETTERS = 38
"""Length of a line of a title above a panel of the usual width."""


@dataclass(frozen=True)
class Sheet:
    """A grid of panels below a title, with room for notes beneath, all in inches.

    Attributes
    ----------
    panel : (width, height)
    gap : (across, down)
    left, right : float
        Room beside the panels.
    head, foot : float
        Room above and below them, without title and notes.
    """

    panel: tuple[float, float] = (3.0, 2.3)
    gap: tuple[float, float] = (0.35, 0.95)
    left: float = 0.75
    right: float = 0.35
    head: float = 0.75
    foot: float = 0.45

    @property
    def margin(self) -> float:
        """Where titles and notes begin."""
        return min(self.left, 0.5)

    def grid(
        self,
        rows: int | Sequence[float],
        columns: int,
        title: str,
        subtitle: str,
        notes: Sequence[str] = (),
    ) -> tuple[Figure, list[list[Axes]]]:
        """Return a figure with its title and notes written, and its panels by row and column.

        Parameters
        ----------
        rows : int or sequence of float
            How many, or how high each is.
        """
        heights = [self.panel[1]] * rows if isinstance(rows, int) else list(rows)
        width = self.left + columns * self.panel[0] + (columns - 1) * self.gap[0] + self.right
        heading = wrap(title, int((width - self.margin) * 8.4))
        under = wrap(subtitle, int((width - self.margin) * 13.4))
        written = note_columns(notes, width)
        top = 0.3 + 0.25 * len(heading) + 0.175 * len(under) + self.head
        bottom = self.foot + 0.165 * max((len(part) for part in written), default=0) + 0.15
        height = top + sum(heights) + (len(heights) - 1) * self.gap[1] + bottom
        figure = Figure(figsize=(width, height))
        margin = self.margin
        figure.text(
            margin / width, 1 - 0.2 / height, "\n".join(heading), va="top", fontsize=14, fontweight="bold",
            color=INK, linespacing=1.15,
        )  # fmt: skip
        figure.text(
            margin / width, 1 - (0.27 + 0.25 * len(heading)) / height, "\n".join(under), va="top", fontsize=9.5,
            color=SOFT, linespacing=1.25,
        )  # fmt: skip
        for place, part in enumerate(written):
            x = (margin + place * (width - margin) / len(written)) / width
            y = (bottom - self.foot) / height
            figure.text(x, y, "\n".join(part), va="top", fontsize=8, color=SOFT, linespacing=1.3)
        panels = []
        for row, tall in enumerate(heights):
            y = height - top - sum(heights[: row + 1]) - row * self.gap[1]
            panels.append([self._panel(figure, column, y, tall) for column in range(columns)])
        return figure, panels

    def _panel(self, figure: Figure, column: int, y: float, tall: float) -> Axes:
        x = self.left + column * (self.panel[0] + self.gap[0])
        width, height = figure.get_size_inches()
        return figure.add_axes((x / width, y / height, self.panel[0] / width, tall / height))

    def tiles(
        self, count: int, columns: int, title: str, subtitle: str, notes: Sequence[str] = ()
    ) -> tuple[Figure, list[Axes], Axes]:
        """Return a figure of `count` panels in reading order, and an empty cell after them for the key."""
        columns = min(columns, count + 1)
        rows = ceil((count + 1) / columns)
        figure, grid = self.grid(rows, columns, title, subtitle, notes)
        panels = [axes for row in grid for axes in row]
        for axes in panels[count:]:
            axes.set_axis_off()
        return figure, panels[:count], panels[count]


def room_for_titles(titles: Sequence[str], letters: int = TITLE_LETTERS) -> float:
    """Return the height in inches that `scenario_title` needs above panels, with room for a tag."""
    return 0.35 + 0.155 * max((len(wrap(title, letters)) for title in titles), default=1)


def wrap(text: str, letters: int) -> list[str]:
    """Return the lines of a text, each of its own lines wrapped."""
    return [line for part in text.split("\n") for line in (textwrap.wrap(part, letters) or [""])] if text else []


def note_columns(notes: Sequence[str], width: float) -> list[list[str]]:
    """Return notes as wrapped lines in as many columns of about equal length as fit a width in inches."""
    if not notes:
        return []
    columns = max(min(int(width / 4.2), len(notes)), 1)
    letters = int(width / columns * 15.2)
    blocks = [textwrap.wrap(note, letters, subsequent_indent="     ") for note in notes]
    share = ceil(sum(map(len, blocks)) / columns)
    while True:
        filled: list[list[str]] = [[]]
        for block in blocks:
            if filled[-1] and len(filled[-1]) + len(block) > share:
                filled.append([])
            filled[-1].extend(block)
        if len(filled) <= columns:
            return filled
        share += 1


def dark(colour: str) -> str:
    """Return a colour darkened, where need be, until text in it stands out from white (4.5 to 1, WCAG 2 level AA)."""
    share = 1.0
    while True:
        rgb = np.array(to_rgb(colour)) * share
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        if 1.05 / (float(linear @ (0.2126, 0.7152, 0.0722)) + 0.05) >= 4.6:
            return str(to_hex(tuple(rgb)))
        share -= 0.02


def panel_title(axes: Axes, text: str, colour: str = INK, pad: float = 6) -> None:
    """Write a title above a panel, `pad` points from it."""
    # The height is given because matplotlib would otherwise measure all labels to find it.
    axes.set_title(text, loc="left", color=colour, fontweight="bold", y=1.0, pad=pad)


def row_title(axes: Axes, text: str, sheet: Sheet, rise: float) -> None:
    """Write the title of a row of panels above its first, at the margin of the sheet, `rise` points up."""
    axes.annotate(
        text, (0, 1), ((sheet.margin - sheet.left) * 72, rise), xycoords="axes fraction", textcoords="offset points",
        fontweight="bold", color=INK, fontsize=10.5,
    )  # fmt: skip


def scenario_title(axes: Axes, label: str, counterfactual: bool, colour: str, letters: int = TITLE_LETTERS) -> None:
    """Write a scenario's title above its panel in its colour, and say where it is a counterfactual."""
    lines = wrap(label, letters)
    # The title grows upwards from the panel, so the tag goes below it.
    if counterfactual:
        axes.text(
            0, 1.035, "counterfactual", transform=axes.transAxes, fontsize=8, style="italic", color=SOFT, va="bottom"
        )
    panel_title(axes, "\n".join(lines), dark(colour), 17 if counterfactual else 6)


def fan(axes: Axes, frame: pd.DataFrame, colour: str) -> None:
    """Draw the middle run as a line, with the middle half and nine tenths of runs as bands around it.

    Parameters
    ----------
    frame : DataFrame
        Columns date, p05, p25, p50, p75 and p95, in order of date.
    """
    days = day_numbers(frame["date"])
    axes.fill_between(days, frame["p05"], frame["p95"], color=colour, alpha=0.15, linewidth=0)
    axes.fill_between(days, frame["p25"], frame["p75"], color=colour, alpha=0.25, linewidth=0)
    axes.plot(days, frame["p50"], color=colour, linewidth=1.5)


def day_number(date: pd.Timestamp) -> float:
    """Return a date as matplotlib counts them: days since 1970."""
    return (date - pd.Timestamp(1970, 1, 1)) / pd.Timedelta(days=1)


def day_numbers(dates: Iterable[Any]) -> Array:
    """Return dates as days since 1970."""
    return np.asarray(pd.DatetimeIndex(list(dates)) - pd.Timestamp(1970, 1, 1)) / np.timedelta64(1, "D")


def year_axis(axes: Axes, start: pd.Timestamp, end: pd.Timestamp, every: int = 1) -> None:
    """Put a tick at each new year, with the year written in the middle of it; in a long run every fifth."""
    axes.set_xlim(day_number(start), day_number(end))
    long = end.year - start.year > 12
    every = max(every, 5) if long else every
    new_years = [pd.Timestamp(year, 1, 1) for year in range(start.year, end.year + 1) if not long or year % every == 0]
    middles = [pd.Timestamp(year, 7, 2) for year in range(start.year, end.year + 1) if year % every == 0]
    # Fixed places: date locators would work them out again at every drawing of every panel.
    axes.set_xticks(day_numbers(day for day in new_years if start <= day <= end), [])
    inside = [day for day in middles if start <= day <= end]
    axes.set_xticks(day_numbers(inside), [str(day.year) for day in inside], minor=True)
    axes.tick_params(axis="x", which="minor", length=0, labelsize=8)


MULTIPLES = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30)
NEAR_MULTIPLES = (0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.6, 1.8, 2)


def multiples_axis(axes: Axes, low: float, high: float, log_units: bool = False) -> None:
    """Mark a log scale in multiples of the normal price: 0.5, 1, 2, 3, ...

    Parameters
    ----------
    low, high : float
        Ends of the axis, as multiples.
    log_units : bool
        Whether the data are logs of the multiple on a plain axis, rather than multiples on a log axis.
    """
    if not log_units:
        axes.set_yscale("log")
    ticks = [m for m in (NEAR_MULTIPLES if high / low < 2.4 else MULTIPLES) if low <= m <= high]
    while len(ticks) > 8:
        ticks = ticks[ticks.index(1) % 2 :: 2]
    place = np.log(ticks) if log_units else np.array(ticks)
    axes.set_ylim(*((np.log(low), np.log(high)) if log_units else (low, high)))
    axes.yaxis.set_major_locator(FixedLocator(list(place)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{np.exp(value) if log_units else value:.3g}×"))


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write a figure as PNG and SVG, without dates, so that equal figures are equal files."""
    paths = [folder / f"{name}.png", folder / f"{name}.svg"]
    figure.savefig(paths[0], dpi=DPI, metadata={"Software": "drawdown"}, pil_kwargs={"compress_level": 4})
    figure.savefig(paths[1], metadata={"Date": None, "Creator": "drawdown"})
    return paths
