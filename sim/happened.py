"""What befell each measure, and when: events that are the same in several scenarios come together.

Decides what one row of the policy timeline is. Leaves its looks to `plots.timeline`, and its words to `answer`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class Event:
    """A dated event: its middle date, the range of nine runs in ten, and the share of runs in which it happens."""

    name: str
    early: pd.Timestamp
    date: pd.Timestamp
    late: pd.Timestamp
    share: float

    @property
    def spread(self) -> bool:
        """Whether its date differs between runs."""
        return self.early < self.late

    @property
    def when(self) -> str:
        """Its date in words, with its range where it has one."""
        said = f"{self.date:%Y-%m-%d}"
        return f"{said} ({self.early:%Y-%m-%d} to {self.late:%Y-%m-%d})" if self.spread else said

    @property
    def of_runs(self) -> str:
        """Its share of runs, never rounded to none or all where it is neither."""
        if self.share >= 1:
            return "100 %"
        return f"{min(max(100 * self.share, 1), 99):.0f} %" if self.share >= 0.005 else "<1 %"


@dataclass(frozen=True)
class History:
    """What befell one measure, in the scenarios in which the same befell it.

    Attributes
    ----------
    policy, title, type : str
    events : tuple of Event
        In order of date.
    scenarios : tuple of str
        In the order of the experiment.
    """

    policy: str
    title: str
    type: str
    events: tuple[Event, ...]
    scenarios: tuple[str, ...]

    def event(self, name: str) -> Event | None:
        """Return an event by its name, or None."""
        return next((event for event in self.events if event.name == name), None)


def histories(timeline: pd.DataFrame, scenarios: Mapping[str, Any]) -> list[History]:
    """Return what happened in any run, types of measures together, each in the order of its first date.

    Parameters
    ----------
    timeline : DataFrame
        ``timeline.csv``.
    scenarios : mapping
        Of the resolved configuration, in order.
    """
    frame = timeline[timeline["share"] > 0]
    found: dict[tuple[str, str, tuple[Event, ...]], list[str]] = {}
    for scenario in scenarios:
        own = frame[frame["scenario"] == scenario]
        for policy, part in own.groupby("policy", sort=False):
            events = tuple(sorted(map(_event, part.to_dict("records")), key=lambda event: event.date))
            found.setdefault((str(policy), str(part["title"].iloc[0]), events), []).append(scenario)
    rows = [
        History(
            policy, title, str(scenarios[names[0]]["policies"].get(policy, {}).get("type", "")), events, tuple(names)
        )
        for (policy, title, events), names in found.items()
    ]
    first: dict[str, pd.Timestamp] = {}
    for row in rows:
        for key in (f"type {row.type}", f"policy {row.policy}"):
            first[key] = min(first.get(key, row.events[0].date), row.events[0].date)
    order = list(scenarios)

    def rank(row: History) -> tuple[Any, ...]:
        of_type, own = first[f"type {row.type}"], first[f"policy {row.policy}"]
        return of_type, row.type, own, row.policy, order.index(row.scenarios[0])

    return sorted(rows, key=rank)


def _event(row: Mapping[Any, Any]) -> Event:
    early, date, late = (pd.Timestamp(row[column]) for column in ("p05", "p50", "p95"))
    return Event(str(row["event"]), early, date, late, float(row["share"]))
