"""Marks of policy events on panels over time: a number per date, explained beneath the figure.

Events on one date share a number in all panels and figures. Events whose date differs between runs, such as a plant's
first output, are marked by a small triangle at their middle date instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes

from sim.plots.saved import Saved, listed
from sim.plots.style import INK, SOFT

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
            axes.axvline(date, color="#9a9a9a", linewidth=0.7, linestyle=(0, (2, 2)), zorder=0.8)
        if numbers:
            self._numbers(axes, scenario)
        late = self.spread.get(scenario, [])
        if late:
            axes.plot(
                late, [0.0] * len(late), marker="^", markersize=4.5, color=SOFT, linestyle="none", clip_on=False,
                transform=axes.get_xaxis_transform(), zorder=4, markeredgewidth=0,
            )  # fmt: skip

    def _numbers(self, axes: Axes, scenario: str) -> None:
        """Write the numbers along the top, those of near dates together."""
        first, last = (pd.Timestamp(day, unit="D") for day in axes.get_xlim())
        near = (last - first) * (0.17 / (axes.get_position().width * axes.figure.get_figwidth()))
        groups: list[list[tuple[pd.Timestamp, int]]] = []
        for date, number in self.fixed.get(scenario, []):
            if groups and date - groups[-1][-1][0] < near:
                groups[-1].append((date, number))
            else:
                groups.append([(date, number)])
        for group in groups:
            middle = group[0][0] + (group[-1][0] - group[0][0]) / 2
            axes.text(
                middle, 0.985, _together([number for _, number in group]), transform=axes.get_xaxis_transform(),
                ha="center", va="top", fontsize=7, color=INK, zorder=5,
                bbox={"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": "#9a9a9a", "linewidth": 0.5},
            )  # fmt: skip


def _together(numbers: list[int]) -> str:
    """Return numbers as '3', '3,4' or '3-5'."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]}-{numbers[-1]}"
    return ",".join(map(str, numbers))


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
    notes = [f"{number[date]}  {_day(date)}: {_what(fixed[fixed['p50'] == date])}" for date in dates]
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
        named = titles if len(titles) <= 3 else [*titles[:2], f"{len(titles) - 2} more"]
        said.append(f"{listed(named)} {events}")
    return "; ".join(said)
