"""A surge of demand against capacity that must first be built: how high prices go, and that they return.

A prototype of the same rule gave, with one stage and nothing under way at the start: fivefold demand by year 15 peaks
at 2.6 (lead time 3 years) to 3.6 (5 years) and returns to 1; fortyfold at 15 to 28, and at g = 0.6 at 5. Peaks are held
to the mean of a year, with tolerance: shelves that run empty before the first new capacity arrives make single weeks
dearer, and fortyfold demand touches the choke price of 30 in the last year in which it grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.probe import reviewed_every, watch
from tests.unit.test_expansion import surge

REVIEW = 14


def prices(
    factor: float, lead: int, starts: float = 0.3, stages: Sequence[str] = ("metal",), review: int = REVIEW
) -> NDArray[np.float64]:
    """(year,) mean price against normal of the last material of a chain."""
    case = surge(factor, stages, starts=starts, plant_lead_time=f"{lead} yr", mine_lead_time=f"{lead} yr")
    logs = watch(reviewed_every(case, review), lambda _, book: float(book.delivered[-1, 0]), replications=1)
    year = (np.arange(len(logs)) * review / 365.25).astype(int)
    return np.array([np.exp(np.mean([log for log, at in zip(logs, year, strict=True) if at == y])) for y in range(36)])


@pytest.mark.parametrize(("lead", "low", "high"), [(3, 2.2, 3.2), (5, 3.0, 4.4)])
def test_fivefold_demand_peaks_and_returns(lead: int, low: float, high: float) -> None:
    found = prices(5.0, lead)
    assert low < found.max() < high
    assert found[-8:] == pytest.approx(1.0, abs=0.05)


def test_fortyfold_demand_nearly_chokes_and_faster_building_spares_most() -> None:
    slow, fast = prices(40.0, 3), prices(40.0, 3, starts=0.6)
    assert 13.0 < slow[:14].max() < 29.0
    assert 3.0 < fast.max() < 0.5 * slow.max()
    assert slow[-8:] == pytest.approx(1.0, abs=0.05)


def test_a_chain_builds_its_stages_together() -> None:
    """Mines see the price of what plants make; without that each stage waits for the one before, and ore chokes."""
    one, three = prices(5.0, 3), prices(5.0, 3, stages=("ore", "metal", "part"))
    assert three.max() < 1.25 * one.max()


def test_the_review_hardly_matters() -> None:
    assert prices(5.0, 3, review=7) == pytest.approx(prices(5.0, 3), rel=0.15)
