"""The calendar of a run: reviews, dates, and the order of one review in one list.

Times are days since the start of the horizon. A review at ``t`` decides for ``[t, t + D)``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray


class Phase(IntEnum):
    """Order of one review; SimPy priorities settle it at equal times (docs/model.md, section 4)."""

    ARRIVALS = 1
    POLICIES = 2
    HAZARDS = 3
    PRODUCTION = 4
    CONSUMPTION = 5
    STOCKPILES = 6
    MARKETS = 7
    RECORDING = 8


@dataclass(frozen=True)
class Calendar:
    """Reviews of a run.

    Attributes
    ----------
    start : datetime.date
    review : int
        D, days between reviews.
    reviews : int
        Number of reviews.
    """

    start: dt.date
    review: int
    reviews: int

    @classmethod
    def between(cls, start: dt.date, end: dt.date, review: float) -> Calendar:
        """Return the calendar whose reviews cover ``start`` to ``end`` inclusive."""
        days = (end - start).days + 1
        return cls(start, round(review), -(-days // round(review)))

    @property
    def times(self) -> NDArray[np.float64]:
        """(review,) days since the start."""
        return np.arange(self.reviews, dtype=np.float64) * self.review

    @property
    def horizon(self) -> float:
        """Days simulated."""
        return float(self.reviews * self.review)

    def date(self, day: float) -> dt.date:
        """Return the calendar date of a day of the run."""
        return self.start + dt.timedelta(days=int(day))

    def day(self, ordinal: float) -> float:
        """Return the day of the run of a proleptic ordinal (as dates are read from configs)."""
        return ordinal - self.start.toordinal()

    def years_since(self, year: int) -> NDArray[np.float64]:
        """(review,) years from the middle of ``year`` to each review; annual figures stand at mid-year."""
        middle = dt.date(year, 7, 1)
        return (self.times + (self.start - middle).days) / 365.25
