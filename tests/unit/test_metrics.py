"""Every metric has one definition (design section 5), shown on blocks made by hand."""

import numpy as np
import pytest

from sim.cases import prepare
from sim.engine import Block, Case, build
from sim.metrics import METRICS, UNITS, Key, block_metrics, by_group, ratio, time_to_recover, time_to_survive
from tests.worlds import tiny_plan

CLASSES = ("configs/minerals/tin.yaml", "tinplate: 30 %}, cover_classes: false", "tinplate: 30 %}")
JPN = ("tin", "metal", "JPN")
INF = np.inf


def block(case: Case, replications: int = 2, **changes: object) -> Block:
    """Return a block in which nothing happened, but for what the recorder is given."""
    world, _ = build(case, 1, 0, replications)
    never = np.full(replications, INF)
    given = {"spending": {}, "timeline": {}, "disruption": (never, never), "ranges": {}, "clearings": 0}
    made = Block(world.recorder, **{**given, "steps": 0, "unconverged": 0, **changes})  # type: ignore[arg-type]
    world.recorder.price_sum[:] = world.calendar.horizon
    return made


@pytest.fixture(scope="module")
def case() -> Case:
    (found,) = prepare(tiny_plan(edits=[CLASSES]))
    return found


def rows(made: Block, country: str) -> np.ndarray:
    buyers = made.recorder.network.buyers
    return np.array([i for i, b in enumerate(buyers) if (b.material, b.country) == ("metal", country)])


def of(case: Case, made: Block, metric: str, country: str = "JPN", sector: str = "all") -> list[float]:
    keys, metrics = block_metrics(case, made)
    return list(metrics[metric][keys.index(Key("tin", "metal", country, sector))])


def test_metrics_are_those_that_are_reported():
    assert METRICS == (
        "shortage_days", "unmet_t", "fill_rate", "curtailed_t", "destroyed_t", "longest_shortage_days",
        "time_to_survive_days", "time_to_recover_days", "min_cover_days", "price_peak", "price_mean",
        "days_price_above_1_5x", "days_price_above_2x", "days_price_above_5x", "procurement_cost_usd",
        "policy_cost_public_usd", "policy_cost_private_usd", "independent_share",
        "products_planned", "products_not_built",
    )  # fmt: skip
    assert set(UNITS.values()) == {"d", "t", "1", "USD", "products"}


def test_shortage_days_weigh_buyers_by_their_use(case):
    made = block(case)
    thin, middle, thick = rows(made, "JPN")
    made.recorder.short_days[[thin, middle, thick]] = [[10, 0], [4, 0], [0, 0]]
    assert of(case, made, "shortage_days") == pytest.approx([0.2 * 10 + 0.5 * 4, 0.0])
    assert of(case, made, "shortage_days", "USA") == [0.0, 0.0]


def test_no_shortage_is_plain_zero(case):
    for metric in ("shortage_days", "unmet_t", "longest_shortage_days"):
        values = np.array(of(case, block(case), metric))
        assert (values == 0.0).all() and not np.signbit(values).any()


def test_tonnes_are_summed_and_the_longest_is_the_longest_of_any(case):
    made = block(case)
    place = rows(made, "JPN")
    for name in ("unmet", "curtailed", "destroyed"):
        getattr(made.recorder, name)[place] = [[1, 0], [2, 0], [4, 8]]
    made.recorder.longest[place] = [[3, 0], [9, 1], [2, 0]]
    for metric in ("unmet_t", "curtailed_t", "destroyed_t"):
        assert of(case, made, metric) == [7.0, 8.0]
    assert of(case, made, "longest_shortage_days") == [9.0, 1.0]


def test_fill_rate_is_use_over_want_and_nothing_without_demand(case):
    made = block(case)
    place = rows(made, "JPN")
    made.recorder.used[place], made.recorder.wanted[place] = [[1, 0], [2, 0], [3, 0]], [[2, 0], [2, 0], [4, 0]]
    full, none = of(case, made, "fill_rate")
    assert full == pytest.approx(6 / 8)
    assert np.isnan(none)


def test_prices_are_means_peaks_and_days(case):
    made = block(case)
    group = made.recorder.network.groups.index(("metal", "JPN"))
    made.recorder.price_sum[group] = 2.5 * made.recorder.calendar.horizon
    made.recorder.price_peak[group] = 4.0
    made.recorder.days_above[:, group] = [[30, 30], [20, 20], [10, 10]]
    made.recorder.bill[group] = 1e6
    assert of(case, made, "price_mean") == [2.5, 2.5]
    assert of(case, made, "price_peak") == [4.0, 4.0]
    assert of(case, made, "days_price_above_1_5x") == [30.0, 30.0]
    assert of(case, made, "days_price_above_2x") == [20.0, 20.0]
    assert of(case, made, "days_price_above_5x") == [10.0, 10.0]
    assert of(case, made, "procurement_cost_usd") == [1e6, 1e6]


def test_sectors_share_tonnes_and_money_and_all_else_is_common(case):
    made = block(case)
    place = rows(made, "JPN")
    made.recorder.unmet[place] = 10.0
    made.recorder.short_days[place] = 6.0
    assert of(case, made, "unmet_t", sector="solder") == pytest.approx([15.0, 15.0])
    assert of(case, made, "unmet_t", sector="other") == pytest.approx([6.0, 6.0])
    assert of(case, made, "shortage_days", sector="other") == of(case, made, "shortage_days")
    keys, metrics = block_metrics(case, made)
    sectors = [i for i, key in enumerate(keys) if key[:3] == JPN and key.sector != "all"]
    assert [keys[i].sector for i in sectors] == ["solder", "tinplate", "other"]
    assert metrics["unmet_t"][sectors].sum(axis=0) == pytest.approx(of(case, made, "unmet_t"))
    assert {key.sector for key in keys if key.material == "ore"} == {"all"}


def test_policies_cost_those_who_pay_and_nobody_else(case):
    money = (np.array([5.0, 7.0]), np.array([1.0, 2.0]))
    spending = {
        ("plant", "metal", "JPN"): money,
        ("reserve", "metal", "JPN"): money,
        ("plant", "metal", "CHN"): money,
    }
    made = block(case, spending=spending)
    assert of(case, made, "policy_cost_public_usd") == [10.0, 14.0]
    assert of(case, made, "policy_cost_private_usd") == [2.0, 4.0]
    assert of(case, made, "policy_cost_public_usd", sector="solder") == [5.0, 7.0]
    assert of(case, made, "policy_cost_public_usd", "USA") == [0.0, 0.0]
    # China buys no metal in this world: it pays, and has no other metric.
    assert of(case, made, "policy_cost_public_usd", "CHN") == [5.0, 7.0]
    assert np.isnan(of(case, made, "shortage_days", "CHN")).all()


def test_independent_share_needs_a_country_to_be_independent_of(case):
    made = block(case)
    assert np.isnan(of(case, made, "independent_share")).all()
    (named,) = prepare(tiny_plan(edits=[("experiments/tiny.yaml", "seed: 1", "seed: 1\nindependent_of: CHN")]))
    made = block(named)
    made.recorder.used[rows(made, "JPN")] = 8.0
    made.recorder.independent[made.recorder.network.groups.index(("metal", "JPN"))] = 2.0
    assert of(named, made, "independent_share") == [0.25, 0.25]


@pytest.mark.parametrize(
    ("first", "start", "expected"),
    [(40.0, 30.0, 10.0), (30.0, 30.0, 0.0), (INF, 30.0, np.nan), (40.0, INF, np.nan), (INF, INF, np.nan)],
)
def test_time_to_survive(first, start, expected):
    found = time_to_survive(np.array([[first]]), np.array([start]))
    assert found[0, 0] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("last", "end", "expected"),
    [(150.0, 100.0, 50.0), (100.0, 100.0, np.nan), (80.0, 100.0, np.nan), (-INF, 100.0, np.nan), (150.0, INF, np.nan)],
)
def test_time_to_recover(last, end, expected):
    found = time_to_recover(np.array([[last]]), np.array([end]))
    assert found[0, 0] == pytest.approx(expected, nan_ok=True)


def test_rows_without_a_group_are_left_out():
    values, group = np.array([[1.0], [2.0], [4.0], [99.0]]), np.array([0, 1, 0, -1])
    assert by_group(values, group, 3, np.add, 0.0).tolist() == [[5.0], [2.0], [0.0]]
    assert by_group(values, group, 3, np.maximum, 0.0).tolist() == [[4.0], [2.0], [0.0]]


def test_ratio_has_no_meaning_over_nothing():
    assert ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])) == pytest.approx([0.5, np.nan], nan_ok=True)
