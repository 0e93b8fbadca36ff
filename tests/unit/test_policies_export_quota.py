"""export_quota in the tiny world, by hand: 10 kt of ore a year leave China, 191.6 t a week."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.probe import Array, reviewed_every, tiny_case, watch
from tests.worlds import TIN

NOTED = {"type": "export_quota", "from": "CHN", "material": "ore", "source": "assumption"}
CALM = ["behaviour.precaution=0", "horizon.end=2026-12-31"]
NORMAL = 10_000 / 365.25
START = dt.date(2025, 1, 1)


def shipped(overrides: list[str] = CALM, days: int = 7, files: dict[str, str] | None = None, **keys: Any) -> Array:
    """(review,) tonnes of ore shipped."""
    case = tiny_case(policies={"quota": {**NOTED, **keys}}, overrides=overrides, files=files)
    lanes = slice(0, 1) if files is None else slice(None)
    look = watch(reviewed_every(case, days), lambda w, book: book.flow[lanes, 0].sum(), replications=1)
    return np.array(look)


def day(date: str) -> int:
    return (dt.date.fromisoformat(date) - START).days


def between(flow: Array, begins: str, ends: str, days: int = 1) -> float:
    """Sum what was shipped from one date to another, both at the edge of a review."""
    return float(flow[day(begins) // days : day(ends) // days].sum())


# -- how much ---------------------------------------------------------------------------------------------


def test_a_year_ships_its_quota_spread_evenly() -> None:
    """6 kt a year are 60 % of normal: each week ``6000 * 7 / 365`` t, no spike at the end of the year."""
    flow = shipped(amount="6 kt", start="2025-01-01")
    assert flow[:51] == pytest.approx(6000 * 7 / 365, rel=1e-5)
    assert flow[53:104] == pytest.approx(6000 * 7 / 365, rel=1e-5)


def test_the_sum_of_a_calendar_year_is_the_quota_for_every_review() -> None:
    flow = shipped(amount="6 kt", start="2025-01-01", days=1)
    assert between(flow, "2025-01-01", "2026-01-01") == pytest.approx(6000, rel=1e-5)
    assert between(flow, "2026-01-01", "2027-01-01") == pytest.approx(6000, rel=1e-5)


def test_a_review_across_the_end_of_a_year_takes_a_part_of_both() -> None:
    """The review of 31 December has one day of 2025 and six of 2026."""
    flow = shipped(amount={"2025-01-01": "6 kt", "2026-01-01": "3 kt"}, start="2025-01-01")
    assert flow[51] == pytest.approx(6000 * 7 / 365, rel=1e-5)
    assert flow[52] == pytest.approx(6000 / 365 + 3000 * 6 / 365, rel=1e-5)
    assert flow[53] == pytest.approx(3000 * 7 / 365, rel=1e-5)


@pytest.mark.parametrize(("period", "length"), [("quarter", 90), ("month", 31)])
def test_a_quarter_and_a_month_follow_the_calendar(period: str, length: int) -> None:
    flow = shipped(amount=f"{length * 15} t", period=period, start="2025-01-01", days=1)
    assert flow[: length - 1] == pytest.approx(15.0, rel=1e-5)
    second = 28 if period == "month" else 91
    assert flow[length : length + second - 1] == pytest.approx(length * 15 / second, rel=1e-5)


def test_a_start_within_the_year_takes_its_part_of_the_year() -> None:
    flow = shipped(amount="6 kt", start="2025-07-02", days=1)
    assert between(flow, "2025-07-02", "2026-01-01") == pytest.approx(6000 * 183 / 365, rel=1e-5)
    assert between(flow, "2026-01-01", "2027-01-01") == pytest.approx(6000, rel=1e-5)


def test_tonnes_stated_for_the_rest_of_a_year_are_not_cut() -> None:
    """18,125 t for October to December 2025, 96,600 t for 2026, as DR Congo stated them for cobalt; here a tenth."""
    amounts = {"2025-10-16": "1312.5 t", "2026-01-01": "6660 t"}
    flow = shipped(amount=amounts, start="2025-10-16", days=1)
    assert between(flow, "2025-10-16", "2026-01-01") == pytest.approx(1312.5, rel=1e-5)
    assert between(flow, "2026-01-01", "2027-01-01") == pytest.approx(6660, rel=1e-5)


def test_a_second_figure_within_a_year_opens_a_period_of_its_own() -> None:
    """Two batches a year, the second for July to December; the year after keeps the pace of the last."""
    flow = shipped(amount={"2025-01-01": "3 kt", "2025-07-01": "1.84 kt"}, start="2025-01-01", days=1)
    assert between(flow, "2025-01-01", "2025-07-01") == pytest.approx(3000, rel=1e-5)
    assert between(flow, "2025-07-01", "2026-01-01") == pytest.approx(1840, rel=1e-5)
    assert flow[day("2026-03-01")] == pytest.approx(10.0, rel=1e-5)


def test_a_share_of_normal_trade() -> None:
    assert shipped(share_of_normal="60 %", start="2025-01-01")[:52] == pytest.approx(0.6 * 7 * NORMAL, rel=1e-5)


def test_the_share_that_is_not_covered_goes_on() -> None:
    """Half of normal trade is free, and beside it 2 kt a year: 5 + 2 kt."""
    flow = shipped(amount="2 kt", coverage=0.5, start="2025-01-01")
    assert flow[:51] == pytest.approx((2000 / 365 + 0.5 * NORMAL) * 7, rel=1e-5)


def test_a_review_that_the_start_cuts_ships_its_part() -> None:
    """Three days of normal trade and four of the quota."""
    flow = shipped(amount="6 kt", start="2025-03-15")
    assert flow[9] == pytest.approx(7 * NORMAL, rel=1e-9)
    assert flow[10] == pytest.approx(3 * NORMAL + 4 * 6000 / 365, rel=1e-5)
    assert flow[11] == pytest.approx(7 * 6000 / 365, rel=1e-5)


def test_no_tonnes_are_a_ban() -> None:
    assert np.all(shipped(amount="0 t", start="2025-03-12")[10:] == 0.0)


# -- what is left -----------------------------------------------------------------------------------------


def stopped(**keys: Any) -> Array:
    """(review,) tonnes shipped; the mine stands still for 150 days, its stock runs out, and the quota is not used."""
    policies = {
        "quota": {**NOTED, "start": "2025-01-01", **keys},
        "stop": {
            "type": "facility_outage", "facility": "mine", "start": "2025-02-01", "duration": "150 d",
            "source": "assumption",
        },
    }  # fmt: skip
    case = reviewed_every(tiny_case(policies=policies, overrides=CALM), 1)
    return np.array(watch(case, lambda w, book: book.flow[0, 0], replications=1))


def test_what_was_not_shipped_is_there_for_the_rest_of_the_year() -> None:
    flow = stopped(amount="6 kt")
    assert flow[150] < 1.0
    assert flow[200:360].max() > 1.2 * 6000 / 365
    assert between(flow, "2025-01-01", "2026-01-01") <= 6000 * (1 + 1e-6)
    assert between(flow, "2026-01-01", "2027-01-01") == pytest.approx(6000, rel=1e-4)


def test_what_a_year_leaves_is_lost_unless_it_is_carried_over() -> None:
    """A mine that stands still from July to the end of the year."""
    policies = {
        "quota": {**NOTED, "start": "2025-01-01", "amount": "6 kt"},
        "stop": {
            "type": "facility_outage", "facility": "mine", "start": "2025-07-01", "end": "2025-12-31",
            "source": "assumption",
        },
    }  # fmt: skip
    found = []
    for carried in (False, True):
        policies["quota"]["carry_over"] = carried
        case = tiny_case(policies=policies, overrides=["behaviour.precaution=0", "horizon.end=2027-06-30"])
        found.append(np.array(watch(reviewed_every(case, 1), lambda w, book: book.flow[0, 0], replications=1)))
    first = between(found[1], "2025-01-01", "2026-01-01")
    assert first < 5000
    assert between(found[0], "2026-01-01", "2027-01-01") == pytest.approx(6000, rel=1e-3)
    assert between(found[1], "2026-01-01", "2027-01-01") == pytest.approx(12_000 - first, rel=1e-3)


def test_front_loading_grants_early() -> None:
    """``F remaining D / days_left``: 1.2 of the even pace in the first week, less at the end of the year."""
    flow = shipped(amount="6 kt", start="2025-01-01", front_loading=1.2)
    assert flow[0] == pytest.approx(1.2 * 6000 * 7 / 365, rel=1e-5)
    assert flow[45] < 6000 * 7 / 365
    assert flow[53] == pytest.approx(1.2 * 6000 * 7 / 365, rel=0.02)


def test_what_is_suspended_counts_for_nothing() -> None:
    """Free for 91 days; 3 kt a year then have what is left of them for the rest of the year."""
    pause = [{"from": "2025-04-02", "to": "2025-07-02"}]
    flow = shipped(amount="3 kt", start="2025-01-01", suspended=pause, days=1)
    assert (flow[day("2025-04-03") : day("2025-07-02")] > 1.5 * 3000 / 365).all()
    used = between(flow, "2025-01-01", "2025-04-02")
    assert used == pytest.approx(3000 * 91 / 365, rel=1e-5)
    assert between(flow, "2025-07-02", "2026-01-01") == pytest.approx(3000 - used, rel=1e-5)


def test_what_goes_round_is_not_counted() -> None:
    """A tenth of normal trade goes through third countries at no cost, beside the quota and not off it."""
    way = {"cap": "10 %", "cost": 0, "lag": "1 d"}
    flow = shipped(amount="5 kt", start="2025-01-01", transshipment=way)
    assert flow[10:51] == pytest.approx((5000 / 365 + 0.1 * NORMAL) * 7, rel=1e-3)


# -- its rent ---------------------------------------------------------------------------------------------

TWO_SMELTERS = TIN.replace(
    "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 10 kt/yr}\n",
    "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 6 kt/yr}\n"
    "  smelter_2: {title: The second, country: USA, process: smelting, throughput: 4 kt/yr}\n",
)
FILES = {"configs/minerals/tin.yaml": TWO_SMELTERS}


def parts_and_flow(policies: dict[str, Any]) -> Array:
    """(review, policies + lanes) parts of the price of ore in Malaysia by policy, then what each smelter is sent, t."""
    case = tiny_case(policies=policies, files=FILES, overrides=CALM)

    def look(w: Any, book: Any) -> Array:
        return np.array([*book.parts[0, len(book.active) - len(w.policies) :, 0], *book.flow[:2, 0]])

    return np.array(watch(case, look, replications=1))


def test_the_price_shares_the_pool_out() -> None:
    """While the second smelter stands still the first is sent more than its 60 %, and the pool is used all the same."""
    stop = {"type": "facility_outage", "facility": "smelter_2", "start": "2025-03-05", "source": "assumption"}
    flow = parts_and_flow({"quota": {**NOTED, "amount": "6 kt", "start": "2025-01-01"}, "stop": stop})[:, 1:]
    assert flow[:9, 0] == pytest.approx(0.6 * 6000 * 7 / 365, rel=1e-4)
    assert (flow[14:30, 0] > 0.65 * 6000 * 7 / 365).all()
    assert flow[:12].sum(axis=1) == pytest.approx(6000 * 7 / 365, rel=1e-5)


def test_a_buyer_with_a_general_licence_is_outside_the_pool() -> None:
    flow = parts_and_flow({"quota": {**NOTED, "amount": "2 kt", "start": "2025-01-01", "except_to": "USA"}})[:, 1:]
    assert flow[:40, 0] == pytest.approx(2000 * 7 / 365, rel=1e-4)
    assert (flow[:40, 1] > 0.9 * 4000 * 7 / 365).all()


def test_its_rent_is_a_cause_of_the_price() -> None:
    """All of the shadow price of the one gate stands in the price under the quota's name."""
    quota = {**NOTED, "amount": "6 kt", "start": "2025-01-01"}
    case = tiny_case(policies={"quota": quota}, files=FILES, overrides=CALM)
    seen = np.array(watch(case, lambda w, book: [book.gate_shadow[0, 0], book.parts[0, -1, 0]], replications=1))
    assert (seen[10:40, 0] > 0.1).all()
    assert seen[:, 1] == pytest.approx(seen[:, 0], rel=1e-6)


@pytest.mark.parametrize(("narrow", "wide", "tighter"), [("2 kt", "9 kt", 0), ("5.9 kt", "5 kt", 1)])
def test_of_two_nested_quotas_the_tighter_has_the_rent(narrow: str, wide: str, tighter: int) -> None:
    """One on ore for Malaysia, one on all ore."""
    quotas = {
        "narrow": {**NOTED, "to": "MYS", "amount": narrow, "start": "2025-01-01"},
        "wide": {**NOTED, "amount": wide, "start": "2025-01-01"},
    }
    seen = parts_and_flow(quotas)[10:40]
    assert (seen[:, tighter] > 0.01).all()
    assert seen[:, 1 - tighter] == pytest.approx(0.0, abs=1e-9)
    held = seen[:, 2] if tighter == 0 else seen[:, 2:].sum(axis=1)
    assert held == pytest.approx(float((narrow, wide)[tighter].split()[0]) * 7000 / 365, rel=1e-4)


def test_of_two_nested_quotas_both_may_bind() -> None:
    """Malaysia gets its 1 kt, and the United States what 4 kt in all leave."""
    quotas = {
        "narrow": {**NOTED, "to": "MYS", "amount": "1 kt", "start": "2025-01-01"},
        "wide": {**NOTED, "amount": "4 kt", "start": "2025-01-01"},
    }
    seen = parts_and_flow(quotas)[5:20]
    assert (seen[:, :2] > 0.01).all()
    assert seen[:, 2] == pytest.approx(1000 * 7 / 365, rel=1e-4)
    assert seen[:, 3] == pytest.approx(3000 * 7 / 365, rel=1e-4)


def test_two_quotas_on_the_same_lanes_share_one_limit() -> None:
    quotas = {
        "loose": {**NOTED, "amount": "7 kt", "start": "2025-01-01"},
        "tight": {**NOTED, "amount": "5 kt", "start": "2025-01-01"},
    }
    seen = parts_and_flow(quotas)[5:45]
    assert seen[:, 0] == pytest.approx(0.0, abs=1e-12)
    assert (seen[:, 1] > 0.01).all()
    assert seen[:, 2:].sum(axis=1) == pytest.approx(5000 * 7 / 365, rel=1e-5)


# -- news, errors -----------------------------------------------------------------------------------------


def test_the_news_is_as_big_as_what_the_quota_takes_away() -> None:
    """60 % of normal trade is allowed: the motive rises by 0.4."""
    case = tiny_case(policies={"quota": {**NOTED, "share_of_normal": 0.6, "start": "2025-03-12"}})
    seen = watch(case, lambda w, _: w.beliefs.hoarding[0, 0], replications=1)
    assert seen[9] == 0.0
    assert seen[10] == pytest.approx(0.4)


def test_a_quota_that_nobody_reaches_changes_nothing() -> None:
    assert shipped(amount="50 kt", start="2025-03-12") == pytest.approx(shipped(amount="50 kt", start="2035-01-01"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"amount": "6000"}, "needs a unit"),
        ({"amount": "6 kt", "share_of_normal": 0.5}, "either an 'amount'"),
        ({}, "either an 'amount'"),
        ({"amount": "6 kt", "period": "week"}, "period"),
        ({"amount": "6 kt", "material": "metal"}, "no trade in metal leaves CHN"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        shipped(start="2025-03-12", **keys)
