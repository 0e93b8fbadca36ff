"""Numbers by date: one number for good, or a mapping of dates, read as a path that is linear in between."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from sim.config.schema import Number
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]

POINTS = 8
"""Points in a review at which a path is read."""

ALWAYS = dt.date.min
"""Date of a number that holds for good."""


def _read_dated(raw: Any) -> Any:
    """Let one number stand for all dates."""
    return raw if isinstance(raw, dict) and not {"value", "low"} & set(raw) else {ALWAYS: raw}


BY_DATE = BeforeValidator(_read_dated)
"""Reads one number, or a mapping ``date: number``."""


def mean_of_path(world: World, path: Mapping[dt.date, Number]) -> Array:
    """Return the mean of a path over this review, (replication,); before and after its dates it is level."""
    dates = sorted(path)
    values = np.array([world.draws.number(path[date]) for date in dates])
    if len(dates) == 1:
        return np.asarray(values[0])
    days = np.array([world.calendar.day(date.toordinal()) for date in dates])
    points = world.day + (np.arange(POINTS) + 0.5) / POINTS * world.step
    place = np.clip(np.searchsorted(days, points) - 1, 0, len(days) - 2)
    part = np.clip((points - days[place]) / (days[place + 1] - days[place]), 0.0, 1.0)[:, None]
    return sum_rows(values[place] * (1.0 - part) + values[place + 1] * part) / POINTS
