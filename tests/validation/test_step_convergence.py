"""The review interval is a numerical choice, not a part of the world (design section 6, "Step convergence")."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.probe import Array, reviewed_every, tiny_case, watch

NOTED = {"source": "assumption"}
SINCE = {"start": "2025-03-05", **NOTED}
ORE = {"from": "CHN", "material": "ore", **SINCE}

STORIES: dict[str, dict[str, Any]] = {
    "short ban": {"type": "export_ban", "duration": "60 d", **ORE},
    "long ban": {"type": "export_ban", "duration": "180 d", **ORE},
    "ban on metal for one buyer": {
        "type": "export_ban", "from": "MYS", "material": "metal", "to": "JPN", "duration": "150 d", **SINCE,
    },
    "delay": {"type": "export_licence", "applications": 1, "delay": "63 d", "refused": 0.1, "duration": "300 d", **ORE},
    "outage of the mine": {"type": "facility_outage", "facility": "mine", "duration": "120 d", **SINCE},
    "surge": {"type": "demand_shift", "material": "metal", "shift": 0.3, "duration": "300 d", **SINCE},
}  # fmt: skip

STAGE = {"ore": 1, "metal": 2}


class Outcome(NamedTuple):
    log_price: Array
    shortage_days: Array
    stage: Array


def outcome(story: dict[str, Any], review: int) -> Outcome:
    """Return mean log price and shortage days by buyer, lead times not being a multiple of either step."""
    overrides = ["materials.ore.supplier_cover=30 d", "transit.everywhere.days=24 d", "horizon.end=2026-12-29"]
    case = reviewed_every(tiny_case(policies={"story": story}, overrides=overrides), review)
    seen = watch(case, lambda world, book: (book.delivered[:, 0].copy(), world.recorder), replications=1)
    recorder = seen[-1][1]
    log_price = np.mean([price for price, _ in seen], axis=0)
    return Outcome(
        log_price, recorder.short_days[:, 0], np.array([STAGE[row.material] for row in recorder.network.buyers])
    )


def both(story: dict[str, Any]) -> tuple[Outcome, Outcome]:
    return outcome(story, 7), outcome(story, 1)


@pytest.mark.parametrize("name", STORIES)
def test_weekly_reviews_give_what_daily_ones_give(name: str) -> None:
    """Mean log price moves by less than 0.02, shortage days by less than one review per stage."""
    weekly, daily = both(STORIES[name])
    assert np.abs(weekly.log_price - daily.log_price).max() < 0.02
    assert np.all(np.abs(weekly.shortage_days - daily.shortage_days) < 7 * weekly.stage)


@pytest.mark.xfail(
    strict=True, reason="0.039; below 0.013 in a trial in which sellers start with a review of sales more"
)
def test_an_outage_next_to_the_consumer_converges_in_price() -> None:
    weekly, daily = both({"type": "facility_outage", "facility": "smelter", "duration": "90 d", **SINCE})
    assert np.abs(weekly.log_price - daily.log_price).max() < 0.02


@pytest.mark.xfail(strict=True, reason="16.5 d against 7.6 d: it begins 6 d sooner and ends 3 d later")
def test_a_shortage_of_days_converges_within_a_review() -> None:
    weekly, daily = both({"type": "export_ban", "duration": "120 d", **ORE})
    assert np.all(np.abs(weekly.shortage_days - daily.shortage_days) < 7 * weekly.stage)
