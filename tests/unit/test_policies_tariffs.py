"""export_duty and import_tariff: known answers in the tiny world, and the closed form between two countries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import run_block
from sim.errors import ConfigError
from sim.market.prices import WEDGE
from tests.probe import Array, assert_same, everything, tiny_case, watch
from tests.worlds import TIN

NOTED = {"source": "assumption", "start": "2025-03-05", "rate": "25 %"}
DUTY = {"type": "export_duty", "from": "MYS", "material": "metal", **NOTED}
TARIFF = {"type": "import_tariff", "to": "JPN", "material": "metal", **NOTED}
YEARS = 665 / 365.25  # from the entry into force to the last review that is booked


def case_with(raw: dict[str, Any], **options: Any) -> Any:
    return tiny_case(policies={"levy": raw}, **options)


# -- the wedge --------------------------------------------------------------------------------------------


def test_the_duty_is_a_cause_of_the_price_of_every_buyer() -> None:
    seen = watch(case_with(DUTY), lambda world, book: book.parts[:, WEDGE].copy())
    before, after = seen[0], seen[-1]
    assert not before.any()
    # The first buyer is the smelter, which buys ore; Japan and the United States buy metal.
    assert not after[0].any()
    assert after[1:] == pytest.approx(np.log(1.25))


def test_a_tariff_is_a_cause_of_the_price_of_the_country_that_lays_it() -> None:
    after = watch(case_with(TARIFF), lambda world, book: book.parts[:, WEDGE].copy())[-1]
    assert after[1] == pytest.approx(np.log(1.25))
    assert not after[[0, 2]].any()


@pytest.mark.parametrize("raw", [DUTY, TARIFF])
def test_it_counts_for_the_part_of_a_review_in_which_it_is_in_force(raw: dict[str, Any]) -> None:
    """5 March 2025 is day 63, the start of a review; three days later 4 of 7 days remain."""
    seen = watch(case_with({**raw, "start": "2025-03-08"}), lambda world, book: world.levers.wedge.max())
    assert seen[8] == 0.0
    assert seen[9] == pytest.approx(4 / 7 * np.log(1.25))


def test_only_the_covered_share_pays() -> None:
    seen = watch(case_with({**DUTY, "coverage": 0.4}), lambda world, book: world.levers.wedge.max())
    assert seen[-1] == pytest.approx(np.log(1.1))


def test_smuggled_goods_do_not_pay() -> None:
    seen = watch(case_with({**DUTY, "smuggled": 0.4}), lambda world, book: world.levers.wedge.max())
    assert seen[-1] == pytest.approx(np.log(1.15))


def test_only_goods_for_the_sectors_it_names_pay() -> None:
    """Half of Japan's metal ends in solder, and 60 % of that of the United States."""
    seen = watch(case_with({**DUTY, "end_use": "solder"}), lambda world, book: world.levers.wedge[1:, 0].copy())
    assert seen[-1] == pytest.approx(np.log([1.125, 1.15]))


def test_a_duty_and_a_tariff_add_up() -> None:
    case = tiny_case(policies={"duty": DUTY, "tariff": TARIFF})
    assert watch(case, lambda world, book: world.levers.wedge.max())[-1] == pytest.approx(2 * np.log(1.25))


# -- who earns --------------------------------------------------------------------------------------------


def test_the_exporting_country_earns_a_duty() -> None:
    without, with_duty = run_block(tiny_case(), 1, 0, 4), run_block(case_with(DUTY), 1, 0, 4)
    group = with_duty.recorder.network.groups.index(("metal", "JPN"))
    assert (with_duty.recorder.price_sum[group] > without.recorder.price_sum[group]).all()
    assert list(with_duty.spending) == [("levy", "metal", "MYS")]
    public, private = with_duty.spending["levy", "metal", "MYS"]
    # 10 kt a year at 30,000 USD a tonne, less what buyers give up to price.
    most = 0.25 * 10_000 * YEARS * 30_000
    assert (0.8 * most < -public).all()
    assert (-public < most).all()
    assert not private.any()


def test_the_importing_countries_earn_a_tariff() -> None:
    block = run_block(case_with({**TARIFF, "to": "allies", "from": "MYS"}), 1, 0, 2)
    assert set(block.spending) == {("levy", "metal", "JPN"), ("levy", "metal", "USA")}
    for country, use in (("JPN", 6_000), ("USA", 4_000)):
        most = 0.25 * use * YEARS * 30_000
        assert (0.8 * most < -block.spending["levy", "metal", country][0]).all()
        assert (-block.spending["levy", "metal", country][0] < most).all()


def test_the_income_of_a_review_is_the_rate_on_what_was_shipped() -> None:
    """The levy is ``1 - exp(-z)`` of the delivered price; it is booked one review late."""
    case = case_with(TARIFF)

    def look(world: Any, book: Any) -> tuple[float, float]:
        lanes = world.network.lanes(["metal"], None, ["JPN"])
        worth = book.flow[lanes, 0].sum() * 30_000 * np.exp(book.delivered[1, 0])
        return float(worth), -sum(float(each.public[0]) for each in world.levers.spending)

    seen = np.array(watch(case, look, replications=1))
    assert seen[:10, 1] == pytest.approx(0.0)
    assert np.diff(seen[9:, 1]) == pytest.approx(seen[9:-1, 0] * (1 - 1 / 1.25), rel=1e-9)


# -- the closed form --------------------------------------------------------------------------------------

TWO_COUNTRIES = TIN.replace(
    "  mine: {title: The mine, country: CHN, process: mining, throughput: 10 kt/yr}\n",
    "  mine: {title: The mine, country: CHN, process: mining, throughput: 7 kt/yr}\n"
    "  mine_2: {title: The other, country: MYS, process: mining, throughput: 3 kt/yr}\n",
)


@pytest.mark.parametrize("rate", [0.05, 0.4, 1.5])
@pytest.mark.parametrize("theta", [0.05, 0.15, 0.6])
@pytest.mark.parametrize("kind", ["export_duty", "import_tariff"])
def test_between_two_countries_it_matches_the_closed_form(kind: str, theta: float, rate: float) -> None:
    """A buyer with suppliers at home (3) and abroad (7), both at their start price, and orders that do not bend.

    ``sum_l k_l exp((v - z_l) / theta) = 1`` gives ``v = -theta ln(k_h + k_f (1 + rate)^(-1 / theta))``: without theta
    the whole tariff would be paid or none of it. What is bought abroad falls to ``k_f exp((v - z) / theta)``.
    """
    levy = {"type": kind, "material": "ore", "start": "2025-01-15", "rate": rate, "source": "assumption"}
    levy |= {"from": "CHN"} if kind == "export_duty" else {"to": "MYS"}
    overrides = [f"behaviour.theta={theta}", "behaviour.eps=0", "behaviour.T_b=1000000000 d", "horizon.end=2025-01-31"]
    case = case_with(levy, files={"configs/minerals/tin.yaml": TWO_COUNTRIES}, overrides=overrides)

    def look(world: Any, book: Any) -> tuple[Array, Array]:
        return book.flow[:2, 0] / 7 / world.baseline.requirement[0, 0], book.delivered[0, 0].copy()

    flow, price = watch(case, look, replications=1)[2]
    weight = 0.7 * (1 + rate) ** (-1 / theta)
    assert price == pytest.approx(-theta * np.log(0.3 + weight), abs=2e-5)
    assert flow == pytest.approx([weight / (0.3 + weight), 0.3 / (0.3 + weight)], abs=2e-5)


# -- nothing, and errors ----------------------------------------------------------------------------------


@pytest.mark.parametrize("raw", [DUTY, TARIFF])
def test_a_rate_of_zero_equals_its_absence_bit_for_bit(raw: dict[str, Any]) -> None:
    without = everything(run_block(tiny_case(), 1, 0, 4))
    with_nothing = everything(run_block(case_with({**raw, "rate": 0}), 1, 0, 4))
    assert_same(without, {name: value for name, value in with_nothing.items() if "levy" not in name})


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**DUTY, "from": "CHN"}, "no trade in metal leaves CHN"),
        ({**TARIFF, "to": "MYS"}, "no trade in metal from abroad enters MYS"),
        ({**TARIFF, "from": "CHN"}, "no trade in metal from CHN enters JPN"),
        ({**DUTY, "rate": "25 USD"}, "rate"),
        ({**DUTY, "transshipment": {"cap": 0.1, "cost": 0.1}}, "a levy stops nothing"),
        ({**TARIFF, "under_way": "hold"}, "a levy stops nothing"),
        ({**DUTY, "rate": -0.1}, "smallest allowed"),
        ({**TARIFF, "to": "JPM"}, "JPN"),
    ],
)
def test_what_does_not_fit_is_refused(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        case_with(raw)
