"""What all measures on exports share: who is free of them, end uses, leaks, and goods under way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigError
from sim.nodes.markets import Book
from sim.policies.end_use import share_of_use
from sim.world import World
from tests.probe import Array, run_block, tiny_case, watch
from tests.worlds import TIN

FILE = "configs/minerals/tin.yaml"
NOTED = {"source": "assumption", "note": "the test"}
BAN = {"type": "export_ban", "from": "MYS", "material": "metal", "start": "2025-03-05", **NOTED}
BOTH = ("JPN", "USA")
DAY = 10_000 / 365.25


def seen(raw: dict[str, Any], look: Callable[[World, Book], Any], **options: Any) -> Array:
    """What is seen after each review with one measure; day 63, when the ban starts, is review 9."""
    return np.array(watch(tiny_case(policies={"ban": {**BAN, **raw}}, **options), look, replications=2))


def flow_to(country: str) -> Callable[[World, Book], float]:
    def look(world: World, _: Book) -> float:
        lanes = world.network.lanes(["metal"], ["smelter"], [country])
        return float(world.lane_flow[lanes, 0].sum() / world.step)

    return look


# -- whom it covers -------------------------------------------------------------------------------------


def test_buyers_with_a_general_licence_are_free_of_it() -> None:
    assert not seen({"except_to": "USA"}, flow_to("JPN"))[9:].any()
    assert (seen({"except_to": "USA"}, flow_to("USA"))[9:] > 0).all()


def test_exporters_with_a_general_licence_are_free_of_it() -> None:
    two = TIN.replace(
        "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 10 kt/yr}\n",
        "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 6 kt/yr}\n"
        "  free: {title: The free one, country: MYS, process: smelting, throughput: 4 kt/yr}\n",
    )

    def sold(world: World, _: Book) -> tuple[float, float]:
        network = world.network
        return tuple(  # type: ignore[return-value]
            float(world.lane_flow[network.lanes(["metal"], [name]), 0].sum()) for name in ("smelter", "free")
        )

    found = seen({"except_from": "free"}, sold, files={FILE: two})
    assert not found[9:, 0].any()
    assert (found[9:, 1] > 0).all()


def test_a_measure_on_an_end_use_covers_its_share_of_what_is_used() -> None:
    """Tinplate is 30 % of what Japan uses: 70 % of normal trade may still leave for it."""
    found = seen({"end_use": "tinplate"}, flow_to("JPN"))
    assert found[0] == pytest.approx(0.6 * DAY)
    assert found[9:] == pytest.approx(0.7 * 0.6 * DAY)


def test_the_end_use_of_a_plants_input_is_that_of_its_products() -> None:
    """Solder is half of Japan's 6 kt and 60 % of America's 4 kt."""

    def ore(world: World, _: Book) -> float:
        share = share_of_use(world, ["solder"])
        return float(share[world.network.buyer_rows[("smelter", "ore")][0], 0])

    assert watch(tiny_case(), ore, replications=1)[0] == pytest.approx(0.6 * 0.5 + 0.4 * 0.6)


# -- leaks ----------------------------------------------------------------------------------------------


def test_what_is_smuggled_leaves_all_the_same() -> None:
    found = seen({"smuggled": 0.15}, flow_to("JPN"))
    assert found[9:] == pytest.approx(0.15 * 0.6 * DAY)


def test_transshipment_comes_once_it_pays_and_up_to_its_cap() -> None:
    """Buyers on the choke price pay any cost: trade grows towards its cap with its time constant."""
    raw = {"transshipment": {"cap": 0.2, "cost": 0.3, "lag": "60 d"}}
    found = seen(raw, flow_to("JPN")) / (0.6 * DAY)
    assert not found[9:10].any()
    assert found[60:] == pytest.approx(0.2, rel=0.02)
    rising = found[12:60]
    assert (np.diff(rising) >= -1e-9).all()
    # Where it pays in full from review k on, 1 - exp(-7 n / 60) of the cap goes round after n reviews.
    first = int(np.argmax(found[9:] > 0)) + 9
    assert found[first + 20] > 0.2 * (1 - np.exp(-7 * 15 / 60))


def test_transshipment_that_costs_more_than_the_choke_price_never_comes() -> None:
    assert not seen({"transshipment": {"cap": 0.2, "cost": 40}}, flow_to("JPN"))[9:].any()


# -- goods under way ------------------------------------------------------------------------------------


def landed(rule: str, more: dict[str, Any] | None = None) -> Array:
    """(review,) t/d that reach Japan when exports to it are banned."""

    def look(world: World, _: Book) -> float:
        row = world.network.buyer_rows[("JPN", "metal")]
        return float(world.stocks.pipeline[world.stocks.head, row, 0].sum()) / world.step

    return seen({"to": "JPN", "under_way": rule, **(more or {})}, look)


def test_goods_under_way_are_delivered_unless_said_otherwise() -> None:
    found = landed("deliver")
    assert found[9] > 0


@pytest.mark.parametrize("rule", ["hold", "divert", "return"])
def test_stopped_goods_do_not_arrive(rule: str) -> None:
    assert not landed(rule)[9:].any()


def test_held_goods_go_on_when_the_measure_ends() -> None:
    """What was stopped on day 63 lands after the end with the way it had to go, before anything new."""
    with_hold = landed("hold", {"duration": "70 d"})
    without = landed("return", {"duration": "70 d"})
    under_way = landed("deliver")[9:11].sum()
    assert with_hold[19:21].sum() - without[19:21].sum() == pytest.approx(under_way, rel=1e-6)


def test_returned_goods_are_back_in_the_sellers_stock() -> None:
    def stock(world: World, _: Book) -> float:
        return float(world.stocks.supplier[world.network.supplier_row[("smelter", "metal")], 0])

    back, gone = (
        np.array(watch(tiny_case(policies={"ban": {**BAN, "to": "JPN", "under_way": rule}}), stock, replications=1))
        for rule in ("return", "deliver")
    )
    assert back[14] > gone[14]


def test_diverted_goods_reach_the_other_buyer() -> None:
    def coming(world: World, _: Book) -> float:
        return float(world.stocks.in_transit[world.network.buyer_rows[("USA", "metal")], 0].sum())

    diverted, delivered = (
        np.array(watch(tiny_case(policies={"ban": {**BAN, "to": "JPN", "under_way": rule}}), coming, replications=1))
        for rule in ("divert", "deliver")
    )
    assert diverted[9] > delivered[9]


@pytest.mark.parametrize("rule", ["hold", "divert", "return"])
def test_mass_closes_and_the_rest_of_the_world_goes_on(rule: str) -> None:
    """The ledger of the engine raises otherwise; a measure that never comes changes no bit."""
    run_block(tiny_case(policies={"ban": {**BAN, "under_way": rule, "duration": "100 d"}}), 1, 0, 3)
    never = {**BAN, "under_way": rule, "start": "2035-01-01"}
    calm, still = (run_block(tiny_case(policies=policies), 1, 0, 3).recorder for policies in ({}, {"ban": never}))
    assert (calm.price_sum == still.price_sum).all()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"end_use": "soldr"}, "got 'soldr'. Not a sector of this world"),
        ({"except_to": "JPM"}, "Did you mean 'JPN'"),
        ({"except_to": ["JPN", "USA"]}, "no trade in metal leaves MYS"),
        ({"under_way": "sink"}, "under_way"),
        ({"smuggled": 1.2}, "smuggled"),
        ({"transshipment": {"cap": 0.2}}, "cost"),
    ],
)
def test_what_cannot_be_is_named(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        tiny_case(policies={"ban": {**BAN, **raw}})
