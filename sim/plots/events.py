"""Marks of policy events on panels over time: a number per date, explained beneath the figure.

Events on one date share a number in all panels and figures. Events whose date differs between runs, such as a plant's
first output, are marked by a small triangle at their middle date instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sim.plots.saved import Saved, listed
from sim.plots.style import INK, SOFT, day_number, day_numbers

SELDOM = 0.05
"""Events in a smaller share of runs are left out."""

FIXED = pd.Timedelta(days=31)
"""Largest spread over runs (p05 to p95) at which an event counts as having one date."""


@dataclass(frozen=True)
class Marks:
    """Numbered dates, and the dates that differ between runs, of every scenario.

    Attributes
    ----------
    fixed : dict
        Scenario -> (date, number) in order of time.
    spread : dict
        Scenario -> middle dates.
    notes : list of str
        What each number means, and what the triangles are.
    """

    fixed: dict[str, list[tuple[pd.Timestamp, int]]]
    spread: dict[str, list[pd.Timestamp]]
    notes: list[str]

    def draw(self, axes: Axes, scenario: str, numbers: bool = True) -> None:
        """Mark the events of a scenario on a panel whose x axis is time."""
        for date, _ in self.fixed.get(scenario, []):
            axes.axvline(day_number(date), color="#9a9a9a", linewidth=0.7, linestyle=(0, (2, 2)), zorder=0.8)
        if numbers:
            self._numbers(axes, scenario)
        late = self.spread.get(scenario, [])
        if late:
            axes.plot(
                day_numbers(late), np.zeros(len(late)), marker="^", markersize=4.5, color=SOFT,
                linestyle="none", clip_on=False, transform=axes.get_xaxis_transform(), zorder=4, markeredgewidth=0,
            )  # fmt: skip

    def _numbers(self, axes: Axes, scenario: str) -> None:
        """Write the numbers along the top; labels that would touch become one."""
        first, last = axes.get_xlim()
        figure = axes.get_figure(root=True)
        assert figure is not None
        inch = pd.Timedelta(days=last - first) / (axes.get_position().width * figure.get_figwidth())
        labels: list[Label] = []
        for date, number in self.fixed.get(scenario, []):
            label = Label(date, date, (number,))
            while labels and label.left(inch) < labels[-1].right(inch):
                label = labels.pop().join(label)
            labels.append(label)
        for label in labels:
            axes.text(
                day_number(label.middle), 0.985, label.text, transform=axes.get_xaxis_transform(),
                ha="center", va="top", fontsize=7, color=INK, zorder=5,
                bbox={"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": "#9a9a9a", "linewidth": 0.5},
            )  # fmt: skip


@dataclass(frozen=True)
class Label:
    """Numbers written together above their dates."""

    first: pd.Timestamp
    last: pd.Timestamp
    numbers: tuple[int, ...]

    @property
    def middle(self) -> pd.Timestamp:
        """Date the label is centred on."""
        return self.first + (self.last - self.first) / 2

    @property
    def text(self) -> str:
        """Numbers as '3', '3,5' or '3-5'."""
        low, high = self.numbers[0], self.numbers[-1]
        if len(self.numbers) > 2 and high - low == len(self.numbers) - 1:
            return f"{low}-{high}"
        return ",".join(map(str, self.numbers))

    def _half(self, inch: pd.Timedelta) -> pd.Timedelta:
        return inch * (0.031 * len(self.text) + 0.045)

    def left(self, inch: pd.Timedelta) -> pd.Timestamp:
        """Return where the label begins, an inch being so much time."""
        return self.middle - self._half(inch)

    def right(self, inch: pd.Timedelta) -> pd.Timestamp:
        """Return where it ends."""
        return self.middle + self._half(inch)

    def join(self, later: Label) -> Label:
        """Return one label for both."""
        return Label(self.first, later.last, self.numbers + later.numbers)


def marks(saved: Saved) -> Marks:
    """Return the marks of a run's policy events."""
    start, end = saved.series["date"].min(), saved.series["date"].max()
    frame = saved.timeline
    frame = frame[frame["p50"].between(start, end) & (frame["share"] >= SELDOM)]
    one_date = (frame["p95"].fillna(frame["p50"]) - frame["p05"].fillna(frame["p50"])) <= FIXED
    one_date &= ~frame["event"].str.startswith("first")
    fixed, spread = frame[one_date], frame[~one_date]
    dates = sorted(fixed["p50"].unique())
    number = {date: place + 1 for place, date in enumerate(dates)}
    notes = [f"{number[date]}  {_day(date)}, {_what(fixed[fixed['p50'] == date])}" for date in dates]
    if len(spread):
        kinds = listed(sorted({str(event) for event in spread["event"]}))
        notes.append(f"▲  {kinds} of a measure, at its middle date (dates differ between runs)")
    return Marks(
        {str(name): sorted({(day, number[day]) for day in part["p50"]}) for name, part in fixed.groupby("scenario")},
        {str(name): sorted(set(part["p50"])) for name, part in spread.groupby("scenario")},
        notes,
    )


def _day(date: pd.Timestamp) -> str:
    return f"{date.day} {date:%b %Y}"


def _what(frame: pd.DataFrame) -> str:
    """Return what happened on one date: measures by what befell them, at most three named."""
    befell: dict[str, list[str]] = {}
    for (title,), part in frame.groupby(["title"], sort=False):
        befell.setdefault(listed(list(dict.fromkeys(part["event"]))), []).append(str(title))
    said = []
    for events, titles in befell.items():
        named = titles if len(titles) <= 3 else [*titles[:2], f"and {len(titles) - 2} more"]
        said.append(f"{events}: {'; '.join(named)}")
    return ". Also ".join(said)
