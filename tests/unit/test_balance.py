"""The balanced start: every material closes, trade has its margins, and shares stay near what is stated."""

from __future__ import annotations

import numpy as np
import pytest

from sim.balance import Baseline, balance
from sim.draws import Draws
from sim.engine import lay_out
from sim.errors import ConfigError
from sim.hazards import mean_availability
from sim.network import Network
from sim.trade import fit_margins, fit_plainly
from tests.probe import cases_of, real_case, tiny_case
from tests.small_worlds import plan_of, tree_of
from tests.worlds import TIN, Edit

FILE = "configs/minerals/tin.yaml"


def balanced(edits: tuple[Edit, ...] = (), replications: int = 4, uncertain: bool = False) -> tuple[Network, Baseline]:
    network, _, _ = lay_out(tiny_case(edits=edits))
    draws = Draws(1, 0, replications, uncertain)
    return network, balance(network, draws, 7.0, mean_availability(network, draws, False))


def assert_closed(network: Network, base: Baseline, tolerance: float = 1e-10) -> None:
    """Every supplier sells what it makes, every buyer receives what it needs."""
    sold, bought = np.zeros_like(base.sales), np.zeros_like(base.requirement)
    np.add.at(sold, network.lane_supplier, base.flow)
    np.add.at(bought, network.lane_buyer, base.flow)
    assert np.all(np.abs(sold - base.sales) <= tolerance * base.sales.max())
    assert np.all(np.abs(bought - base.requirement) <= tolerance * base.requirement.max())
    assert base.flow.min() >= 0


def test_the_tiny_world_is_what_it_says() -> None:
    network, base = balanced()
    year = 365.25
    assert base.throughput * year == pytest.approx(np.full((2, 4), 10_000.0))
    assert base.requirement[:, 0] * year == pytest.approx([10_000.0, 6_000.0, 4_000.0])
    assert base.flow[:, 0] * year == pytest.approx([10_000.0, 6_000.0, 4_000.0])
    assert base.cover[:, 0] == pytest.approx([45.0, 60.0, 40.0])
    assert base.capacity == pytest.approx(base.throughput / 0.85)
    assert_closed(network, base)


def test_the_real_world_closes_in_every_replication() -> None:
    case = real_case()
    network, _, _ = lay_out(case)
    draws = Draws(7, 0, 16, True)
    base = balance(network, draws, 7.0, mean_availability(network, draws, True))
    assert_closed(network, base)
    assert np.all(base.capacity >= base.throughput)
    assert base.sales.std(axis=1).max() > 0
    for m, material in enumerate(network.materials):
        made = base.sales[network.supplier_material == m].sum(axis=0)
        taken = base.requirement[network.buyer_material == m].sum(axis=0)
        assert made == pytest.approx(taken, rel=1e-9), material


def test_shares_of_cover_classes_add_up() -> None:
    network, base = balanced(((FILE, "sectors: {solder: 60 %}, cover_classes: false", "sectors: {solder: 60 %}"),))
    rows = network.buyer_rows["USA", "metal"]
    assert base.requirement[rows].sum(axis=0) * 365.25 == pytest.approx(np.full(4, 4_000.0))
    assert base.cover[rows, 0] == pytest.approx(40.0 * np.array([0.33, 0.88, 1.65]))


@pytest.mark.parametrize(("wrong", "right"), [("10 kt/yr", "12 kt/yr"), ("10 kt/yr", "7 kt/yr")])
def test_what_is_scaled_closes_a_gap(wrong: str, right: str) -> None:
    """With everything scaled, supply of ore that does not fit its use moves the plants, and says by how much."""
    mine = f"process: mining, throughput: {wrong}"
    network, base = balanced(((FILE, mine, f"process: mining, throughput: {right}"),))
    assert_closed(network, base)
    moved = {address: factor[0] for address, factor in base.closure.moved.items() if abs(factor[0] - 1.0) > 1e-6}
    assert moved


def test_no_lead_time_is_below_a_review_and_the_last_rule_counts() -> None:
    edit = (FILE, "  everywhere: {days: 21 d}\n", "  everywhere: {days: 21 d}\n  near: {material: ore, days: 3 d}\n")
    _, base = balanced((edit,))
    assert base.lead_time[:, 0].tolist() == [7.0, 21.0, 21.0]


def test_time_in_process_stands_before_the_plant() -> None:
    edit = (FILE, "    outputs: {metal: 1}\n", "    outputs: {metal: 1}\n    processing_time: 10 d\n")
    _, base = balanced((edit,))
    assert base.lead_time[:, 0].tolist() == [31.0, 21.0, 21.0]


def test_a_world_that_cannot_be_closed_names_the_plant() -> None:
    """What a closing plant would have to make is below zero."""
    edits = (
        (
            FILE,
            "    supplier_cover: 30 d\n",
            "    supplier_cover: 30 d\n    total: 10 kt/yr\n    supply_closed_by: facility:smelter\n",
        ),
        (
            FILE,
            "process: smelting, throughput: 10 kt/yr}",
            "process: smelting}\n  big: {title: Big, country: USA, process: smelting, throughput: 11 kt/yr}",
        ),
    )
    with pytest.raises(ConfigError, match=r"facilities.smelter.*exceeds the total"):
        balanced(edits)


def test_trade_that_cannot_be_balanced_is_refused() -> None:
    """A buyer that is said to take nothing but from a mine too small for it."""
    text = TIN.replace(
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 10 kt/yr}\n",
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 1 kt/yr}\n"
        "  other: {title: The other, country: USA, process: mining, throughput: 9 kt/yr}\n",
    ).replace("  ore: {home_preference: 1}\n", "  ore: {home_preference: 1, sources: {smelter: {mine: 1}}}\n")
    network, _, _ = lay_out(tiny_case(files={FILE: text}))
    draws = Draws(1, 0, 2, False)
    with pytest.raises(ConfigError, match=r"trade\.ore.*(mine|other)"):
        balance(network, draws, 7.0, mean_availability(network, draws, False))


# -- iterative proportional fitting -----------------------------------------------------------------------


def test_fitting_keeps_odds_ratios() -> None:
    """Deming and Stephan (1940): margins hold, and the cross-product ratios of the prior survive."""
    tree = tree_of(
        {"ore": {"title": "ore", "basis": "t", "price": "20 USD/kg", "supplier_cover": "30 d"}},
        {"p": {"title": "mining", "unit": "t", "outputs": {"ore": 1}}},
        {
            "a": {"title": "a", "country": "CHN", "process": "p", "throughput": "6 kt/yr"},
            "b": {"title": "b", "country": "USA", "process": "p", "throughput": "4 kt/yr"},
        },
        {
            "JPN": {"ore": {"use": "7 kt/yr", "cover": "45 d", "sectors": {"all_of_it": 1}, "cover_classes": False}},
            "MYS": {"ore": {"use": "3 kt/yr", "cover": "45 d", "sectors": {"all_of_it": 1}, "cover_classes": False}},
        },
        {"everywhere": {"days": "21 d"}},
        trade={
            "ore": {"home_preference": 1, "sources": {"JPN": {"CHN": 0.5, "USA": 0.5}, "MYS": {"CHN": 0.9, "USA": 0.1}}}
        },
    )
    network, _, _ = lay_out(cases_of(plan_of(tree))["baseline"])
    draws = Draws(1, 0, 1, False)
    base = balance(network, draws, 7.0, mean_availability(network, draws, False))
    assert_closed(network, base)
    (ja, jb), (ma, mb) = base.flow[:2, 0], base.flow[2:, 0]
    assert (ja * mb) / (jb * ma) == pytest.approx((0.5 * 0.1) / (0.5 * 0.9), rel=1e-9)


def test_numbers_of_the_start_are_drawn_where_they_have_a_range() -> None:
    _, base = balanced(replications=8, uncertain=True)
    ore = base.supplier_cover[0]
    assert ore.min() >= 20.0
    assert ore.max() <= 45.0
    assert np.unique(ore).size == 8


def test_trade_is_balanced_alike_with_and_without_compiled_code() -> None:
    """In the rare-earth world, every draw: flows agree to the tolerance of the looser of the two."""
    case = real_case()
    network, _, _ = lay_out(case)
    up = np.ones((len(network.facilities), 16))
    fast = balance(network, Draws(1, 0, 16, True), 7.0, up)
    plain = balance(network, Draws(1, 0, 16, True), 7.0, up, compiled=False)
    assert plain.flow == pytest.approx(fast.flow, rel=1e-7, abs=1e-9 * fast.flow.max())
    assert_closed(network, plain, 1e-9)


def test_what_cannot_be_traded_is_refused_with_and_without_compiled_code() -> None:
    """A second mine that nobody names as a source has nobody to sell to."""
    flow = np.array([[1.0], [1.0]])
    for fit in (fit_margins, fit_plainly):
        worst, error = fit(
            flow.copy(),
            np.array([0, 1]),
            np.array([0, 1]),
            np.array([[2.0], [1.0]]),
            np.array([[1.0], [2.0]]),
            50,
            1e-9,
        )
        assert error == pytest.approx(0.5 if worst == 0 else 1.0)
