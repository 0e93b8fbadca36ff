"""Marks of policy events on panels over time: a letter per month, explained beneath the figure.

Only measures on the material that is drawn are marked; `timeline.csv` lists all. Events whose date differs between
runs, such as a plant's first output, are marked by a small triangle at their middle date instead of a letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from sim.plots.saved import Saved, listed
from sim.plots.style import INK, SOFT, day_number, day_numbers

SELDOM = 0.05
"""Events in a smaller share of runs are left out."""

FIXED = pd.Timedelta(days=31)
"""Largest spread over runs (p05 to p95) at which an event counts as having one date."""

NAMED = 3
"""Measures named where the same befalls several; the others are counted."""


@dataclass(frozen=True)
class Marks:
    """Lettered months, and the dates that differ between runs, of every scenario.

    Attributes
    ----------
    fixed : dict
        Scenario -> (date, letter) in order of time.
    spread : dict
        Scenario -> middle dates.
    notes : list of str
        What each letter means, and what the triangles are.
    """

    fixed: dict[str, list[tuple[pd.Timestamp, str]]]
    spread: dict[str, list[pd.Timestamp]]
    notes: list[str]

    def draw(self, axes: Axes, scenario: str, letters: bool = True) -> None:
        """Mark the events of a scenario on a panel whose x axis is time."""
        for date, _ in self.fixed.get(scenario, []):
            axes.axvline(day_number(date), color="#9a9a9a", linewidth=0.7, linestyle=(0, (2, 2)), zorder=0.8)
        if letters:
            self._letters(axes, scenario)
        late = self.spread.get(scenario, [])
        if late:
            axes.plot(
                day_numbers(late), np.zeros(len(late)), marker="^", markersize=4.5, color=SOFT, linestyle="none",
                clip_on=False, transform=axes.get_xaxis_transform(), zorder=4, markeredgewidth=0,
            )  # fmt: skip

    def _letters(self, axes: Axes, scenario: str) -> None:
        """Write the letters along the top; labels that would touch become one."""
        first, last = axes.get_xlim()
        figure = axes.get_figure(root=True)
        assert figure is not None
        inch = (last - first) / (axes.get_position().width * figure.get_figwidth())
        labels: list[Label] = []
        for letter, dates in self._months(scenario).items():
            label = Label(min(dates), max(dates), letter)
            while labels and label.middle - label.half(inch) < labels[-1].middle + labels[-1].half(inch):
                label = labels.pop().join(label)
            labels.append(label)
        for label in labels:
            axes.text(
                max(label.middle, first + label.half(inch)), 0.985, label.text,
                transform=axes.get_xaxis_transform(), ha="center", va="top", fontsize=7, color=INK, zorder=5,
                bbox={"boxstyle": "round,pad=0.18", "facecolor": "white", "edgecolor": "#9a9a9a", "linewidth": 0.5},
            )  # fmt: skip

    def _months(self, scenario: str) -> dict[str, list[float]]:
        """Return letter -> dates as days, in order of time."""
        found: dict[str, list[float]] = {}
        for date, letter in self.fixed.get(scenario, []):
            found.setdefault(letter, []).append(day_number(date))
        return found


@dataclass(frozen=True)
class Label:
    """Letters written together above their dates, which are days."""

    first: float
    last: float
    letters: str

    @property
    def middle(self) -> float:
        """Date the label is centred on."""
        return (self.first + self.last) / 2

    @property
    def text(self) -> str:
        """Letters as 'C', 'CE' or 'C-E'."""
        run = ord(self.letters[-1]) - ord(self.letters[0]) == len(self.letters) - 1
        return f"{self.letters[0]}-{self.letters[-1]}" if run and len(self.letters) > 2 else self.letters

    def half(self, inch: float) -> float:
        """Return half its width, an inch being so many days."""
        return inch * (0.033 * len(self.text) + 0.025)

    def join(self, later: Label) -> Label:
        """Return one label for both."""
        return Label(self.first, later.last, self.letters + later.letters)


def marks(saved: Saved, material: str) -> Marks:
    """Return the marks of the events of measures on a material."""
    start, end = saved.series["date"].min(), saved.series["date"].max()
    frame = saved.timeline
    frame = frame[frame["p50"].between(start, end) & (frame["share"] >= SELDOM)]
    concerned = [
        concerns(saved.resolved, str(scenario), str(policy), material)
        for scenario, policy in zip(frame["scenario"], frame["policy"], strict=True)
    ]
    frame = frame[np.array(concerned, dtype=bool)]
    one_date = (frame["p95"].fillna(frame["p50"]) - frame["p05"].fillna(frame["p50"])) <= FIXED
    one_date &= ~frame["event"].astype(str).str.startswith("first")
    fixed, spread = _in_words(frame[one_date]), frame[~one_date]
    months = sorted(set(fixed["month"]))
    letter = dict(zip(months, ascii_uppercase, strict=False))
    fixed = fixed[fixed["month"].isin(list(letter))]
    notes = [f"{letter[m]}  {m.strftime('%B %Y')}. {_what(fixed[fixed['month'] == m])}" for m in letter]
    if len(months) > len(letter):
        notes.append("Later events are in timeline.csv")
    if len(spread):
        kinds = listed(sorted({str(event) for event in spread["event"]}))
        notes.append(f"▲  {kinds} of a measure, at its middle date (dates differ between runs)")
    lettered = {
        str(name): sorted({(day, letter[month]) for day, month in zip(part["p50"], part["month"], strict=True)})
        for name, part in fixed.groupby("scenario")
    }
    return Marks(lettered, {str(name): sorted(set(part["p50"])) for name, part in spread.groupby("scenario")}, notes)


def concerns(resolved: Mapping[str, Any], scenario: str, policy: str, material: str) -> bool:
    """Whether a policy acts on a material, as far as its entry says on which it acts."""
    entry = resolved["scenarios"].get(scenario, {})
    raw, world = entry.get("policies", {}).get(policy, {}), entry.get("world", {})
    if "material" in raw:
        return material in ([raw["material"]] if isinstance(raw["material"], str) else raw["material"])
    if "process" in raw:
        return material in world.get("processes", {}).get(raw["process"], {}).get("outputs", [material])
    if "stockpile" in raw:
        return bool(world.get("stockpiles", {}).get(raw["stockpile"], {}).get("material", material) == material)
    return True


def _in_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Add each event's month, and what a reader calls it: an end without a beginning is a withdrawal."""
    rows = list(zip(frame["scenario"], frame["policy"], frame["event"], strict=True))
    began = {(scenario, policy) for scenario, policy, event in rows if event == "in force"}
    said = ["withdrawn" if e == "ends" and (s, p) not in began else str(e) for s, p, e in rows]
    return frame.assign(event=said, month=frame["p50"].dt.to_period("M"))


def _what(frame: pd.DataFrame) -> str:
    """Return what happened in one month: measures by what befell them and when."""
    befell: dict[str, list[str]] = {}
    for (title,), part in frame.sort_values("p50", kind="stable").groupby(["title"], sort=False):
        befell.setdefault(_events(part), []).append(str(title))
    said = []
    for events, titles in befell.items():
        more = len(titles) - NAMED + 1
        named = titles if more <= 1 else [*titles[: NAMED - 1], f"{more} more"]
        said.append(f"{events[0].upper()}{events[1:]}: {'; '.join(named)}")
    return ". ".join(said)


def _events(part: pd.DataFrame) -> str:
    """Return the events of one measure in a month, 'or' between those that no scenario has both of."""
    on: dict[pd.Timestamp, dict[str, set[str]]] = {}
    for date, event, scenario in zip(part["p50"], part["event"], part["scenario"], strict=True):
        on.setdefault(date, {}).setdefault(str(event), set()).add(str(scenario))
    text, before = "", set[str]()
    for date in sorted(on):
        here = set[str]().union(*on[date].values())
        # What is in force on the day of its announcement needs no word about the announcement.
        events = [event for event in on[date] if event != "announced" or "in force" not in on[date]]
        text += ("" if not text else ", " if before & here else ", or ") + f"{listed(events)} {date.day} {date:%b}"
        before |= here
    return text
