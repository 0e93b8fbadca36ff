"""export_quota: tonnes a year, quarter or month for all buyers together; the unused part is carried within the period.

A quota does not name its user: one limit per material covers all its lanes, the price shares it out, and its shadow
price is the quota rent. What counts against it is what was shipped. The cap of a review is, for its part of a period
with ``days_left`` to go,

    min(remaining, F remaining days / days_left)

and a review that straddles the end of a period takes a part of both. F = 1 spreads what is left evenly; above 1 the
office grants early.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.config.schema import Number, Positive, Tonnes
from sim.gates import Cap, CapBook
from sim.network import Index, Network
from sim.policies.base import Held, LaneMeasure, policy
from sim.policies.paths import ALWAYS, BY_DATE
from sim.world import World

Array = NDArray[np.float64]

MONTHS = {"year": 12, "quarter": 3, "month": 1}
"""Months in a period."""


@dataclass(frozen=True)
class Period:
    """A period of a quota, or what a new figure leaves of it.

    Attributes
    ----------
    begins, ends : float, d
        Days of the run.
    stated : dt.date
        Key of the figure that holds in it.
    own : bool
        Whether the figure is stated for this very period, rather than repeated from an earlier one.
    full : float, d
        Length of the period that the figure is for.
    """

    begins: float
    ends: float
    stated: dt.date
    own: bool
    full: float


@policy("export_quota")
class ExportQuota(LaneMeasure):
    """Limit exports to so many tonnes a period, for all buyers together."""

    amount: Annotated[dict[dt.date, Tonnes], BY_DATE] | None = Field(
        None, description="tonnes a period, or a mapping date: tonnes from that date to the end of its period"
    )
    share_of_normal: Annotated[dict[dt.date, Positive], BY_DATE] | None = Field(
        None, description="instead of an amount: share of normal trade, with growth; or a mapping date: share"
    )
    period: Literal["year", "quarter", "month"] = Field("year", description="calendar period that the amount is for")
    front_loading: Positive = Field(
        Number(1.0), description="F: pace of grants over an even one; 1 spreads evenly, above 1 is early"
    )
    carry_over: bool = Field(False, description="whether what a period leaves is added to the next one")

    @model_validator(mode="after")
    def _one_size(self) -> ExportQuota:
        if (self.amount is None) == (self.share_of_normal is None):
            raise ValueError("give either an 'amount' in tonnes per period or a 'share_of_normal'.")
        return self

    def caps(self, network: Network, book: CapBook) -> dict[str, Cap]:
        """One limit per material over all its lanes; where these end at one buyer, as that buyer's."""
        lanes = self.lanes(network)
        traded = network.buyer_material[network.lane_buyer[lanes]]
        groups: list[Index] = []
        for material in np.unique(traded):
            rows = lanes[traded == material]
            one = np.unique(network.lane_buyer[rows]).size == 1
            groups += (book.per_buyer(rows) if one else book.shared(rows)).groups
        return {"exports": Cap(tuple(groups))}

    # -- the calendar -----------------------------------------------------------------------------------

    @property
    def figures(self) -> dict[dt.date, Number]:
        """Its amounts or shares by date."""
        return (self.amount if self.amount is not None else self.share_of_normal) or {}

    def period_of(self, world: World, day: float) -> Period:
        """Return the period that a day of the run lies in."""
        date, figures = world.calendar.date(np.floor(day)), sorted(self.figures)
        opens, closes = _calendar_period(date, MONTHS[self.period])
        begins = max([opens, *(each for each in figures if opens <= each <= date)])
        ends = min([closes, *(each for each in figures if date < each < closes)])
        stated = max((each for each in figures if each <= date), default=figures[0])
        own, full = stated >= opens and stated != ALWAYS, float((ends - begins).days)
        if not own and stated != ALWAYS:  # repeated at the pace of the period it was stated for
            first, last = _calendar_period(stated, MONTHS[self.period])
            later = min([last, *(each for each in figures if stated < each < last)])
            full = float((later - max(first, stated)).days)
        to_day = world.calendar.day
        return Period(to_day(begins.toordinal()), to_day(ends.toordinal()), stated, own, full)

    def pace(self, world: World, held: Held, period: Period) -> Array:
        """Return what a period allows per day, (group, replication), t/d.

        A figure stated for a period is spread over what the entry into force leaves of it; any other keeps its pace.
        """
        value, flow = world.draws.number(self.figures[period.stated]), world.base_flow(held.caps["exports"])
        if self.share_of_normal is not None:
            return np.asarray(value * self.covered(world, held) * flow)
        days = period.ends - np.clip(held.window.start, period.begins, period.ends)
        days = np.where((days > 0) & period.own, days, period.full)
        return np.broadcast_to(value / days, flow.shape)

    def taken_away(self, world: World, held: Held) -> Array:
        """Return the share of normal trade that the quota takes away now, (group, replication): its risk."""
        normal = world.base_flow(held.caps["exports"]) * self.covered(world, held)
        pace = self.pace(world, held, self.period_of(world, world.day))
        return 1.0 - np.minimum(np.divide(pace, normal, out=np.ones_like(normal), where=normal > 0), 1.0)

    # -- the review -------------------------------------------------------------------------------------

    def act(self, world: World, held: Held) -> None:
        """Count what was shipped, then cap this review."""
        if held.window.asleep(world):
            held.let_go()
            for kept in ("left", "opened", "granted", "counts"):
                held.memory.pop(kept, None)
            return
        self._count(world, held)
        self.warn(world, held, self.taken_away(world, held))
        level, cap, step = held.window.level(world), held.caps["exports"], float(world.step)
        covered, normal = self.covered(world, held), world.base_flow(cap)
        granted = self._grant(world, held, level)
        inside = granted / np.where(level > 0, level * step, 1.0) + (1.0 - covered) * normal
        self.hold(world, held, level * (covered > 0), inside)
        if held.free is not None:
            if self.transshipment is not None:
                gone_round = held.memory["round"] * world.draws.number(self.transshipment.cap)
                inside = inside + gone_round * normal * covered
            amount = step * ((1.0 - level) * held.free + level * inside)
            held.memory["counts"] = np.divide(granted, amount, out=np.zeros_like(granted), where=granted > 0)

    def _count(self, world: World, held: Held) -> None:
        """Take what was shipped in the last review off the periods it was granted from."""
        counts, granted = held.memory.pop("counts", None), held.memory.pop("granted", {})
        if counts is None:
            return
        shipped = world.last_flow(held.caps["exports"]) * world.step * counts
        total = functools.reduce(np.add, granted.values())
        for period, part in granted.items():
            share = np.divide(part, total, out=np.zeros_like(part), where=total > 0)
            held.memory["left"][period] = np.maximum(held.memory["left"][period] - shipped * share, 0.0)

    def _grant(self, world: World, held: Held, level: Array) -> Array:
        """Return what this review may ship from its periods, (group, replication), t."""
        parts = dict(self._days(world, held))
        inside = functools.reduce(np.add, parts.values())
        # What is suspended counts as no day: the level says how much of the window does.
        scale = np.divide(level * world.step, inside, out=np.zeros_like(level), where=inside > 0)
        granted = {}
        for period, days in parts.items():
            days = days * scale
            left = self._open(world, held, period, days > 0)
            begun = np.clip(held.window.start, max(period.begins, world.day), period.ends)
            days_left = np.maximum(period.ends - begun, np.where(days > 0, days, 1.0))
            granted[period] = left * np.minimum(world.draws.number(self.front_loading) * days / days_left, 1.0)
        held.memory["granted"] = granted
        return functools.reduce(np.add, granted.values())

    def _days(self, world: World, held: Held) -> Iterator[tuple[Period, Array]]:
        """Yield the periods of this review with the days of each that lie in the window, (replication,)."""
        day, until = world.day, world.day + world.step
        while day < until:
            period = self.period_of(world, day)
            end = min(period.ends, until)
            yield period, np.clip(np.minimum(end, held.window.end) - np.maximum(day, held.window.start), 0.0, None)
            day = end

    def _open(self, world: World, held: Held, period: Period, now: NDArray[np.bool_]) -> Array:
        """Return what is left of a period, t; it has its tonnes from the first review in which it counts."""
        left = held.memory.setdefault("left", {})
        opened = held.memory.setdefault("opened", {})
        cap = held.caps["exports"]
        fresh = now & ~opened.get(period, np.zeros_like(now))
        if period not in left:
            left[period] = np.zeros((len(cap.groups), now.size))
        if fresh.any():
            days = period.ends - np.clip(held.window.start, period.begins, period.ends)
            left[period] = np.where(fresh, self.pace(world, held, period) * days, left[period])
        opened[period] = opened.get(period, now) | now
        for over in [each for each in left if each.ends <= min(period.begins, world.day)]:
            rest = left.pop(over)
            del opened[over]
            if self.carry_over:
                left[period] = left[period] + np.where(opened[period], rest, 0.0)
        return np.asarray(left[period])


def _calendar_period(date: dt.date, months: int) -> tuple[dt.date, dt.date]:
    """Return the first day of the period of so many months that holds a date, and that of the next one."""
    first = (date.month - 1) // months * months
    opens = dt.date(date.year, first + 1, 1)
    ends = first + months
    return opens, dt.date(date.year + ends // 12, ends % 12 + 1, 1)
