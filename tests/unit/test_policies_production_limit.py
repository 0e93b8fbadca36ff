"""production_limit in the tiny world, by hand: the mine makes 10 kt of ore a year, the smelter 10 kt of metal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.examples import FULL_WORLD
from tests.probe import Array, assert_same, cases_of, everything, run_block, tiny_case, watch
from tests.small_worlds import plan_of, tree_of
from tests.worlds import TIN

NOTED = {"type": "production_limit", "facility": "mine", "source": "assumption"}
CALM = ["horizon.end=2025-12-31"]
NORMAL = 10_000 / 365.25
START = "2025-03-12"  # the eleventh review
HOME_MINE = TIN.replace("The mine, country: CHN", "The mine, country: MYS")
BY_PRODUCT = TIN.replace("    title: mining\n", "    title: mining\n    host: copper\n")


def made(overrides: list[str] = CALM, **keys: Any) -> Array:
    """(review,) throughput of the limited plants over normal."""
    case = tiny_case(policies={"limit": {"start": START, **NOTED, **keys}}, overrides=overrides)
    plants = slice(1, 2) if keys.get("facility") == "smelter" else slice(0, 1)
    return np.array(watch(case, lambda w, _: w.throughput[plants, 0].sum() / NORMAL, replications=1))


def test_it_holds_throughput_at_its_share() -> None:
    found = made(share=0.7, duration="70 d")
    assert found[:10] == pytest.approx(1.0)
    assert found[10:20] == pytest.approx(0.7)
    assert found[20] > 0.9


def test_a_processor_keeps_to_it_too_and_buys_less() -> None:
    policies = {"limit": {**NOTED, "facility": "smelter", "share": 0.6, "start": START}}
    case = tiny_case(policies=policies, overrides=[*CALM, "behaviour.precaution=0"])
    seen = np.array(
        watch(case, lambda w, _: [w.throughput[1, 0], w.beliefs.requirement[0, 0]], replications=1)
    )  # fmt: skip
    assert seen[10:] == pytest.approx(0.6 * NORMAL)


def test_a_review_that_it_cuts_makes_its_part() -> None:
    """Three days of normal output, four at one half."""
    assert made(share=0.5, start="2025-03-15")[10] == pytest.approx((3 + 4 * 0.5) / 7)


def test_a_path_is_read_between_its_dates() -> None:
    """From all on 12 March to one half 98 days later: in the middle of the sixth review 1 - 0.5 * 38.5 / 98."""
    found = made(share={START: 1.0, "2025-06-18": 0.5})
    assert found[15] == pytest.approx(1 - 0.5 * 38.5 / 98)
    assert found[24:] == pytest.approx(0.5)


def test_it_is_a_share_of_a_baseline_that_grows() -> None:
    found = made(share=0.8, overrides=[*CALM, "demand=growth"])
    calm = tiny_case(overrides=[*CALM, "demand=growth"])
    growth = np.array(watch(calm, lambda w, _: w.growth_now[0, 0], replications=1))
    assert growth[-1] > 1.01
    assert found[10:] == pytest.approx(0.8 * growth[10:])


def test_all_plants_of_a_process_in_a_country() -> None:
    limit = {"type": "production_limit", "country": "CHN", "process": "smelting", "share": 0.5, "source": "assumption"}
    case = tiny_case(policies={"limit": {**limit, "start": START}}, files=FULL_WORLD, overrides=CALM)
    names = case.world.facilities
    seen = np.array(watch(case, lambda w, _: w.throughput[:, 0] / w.baseline.throughput[:, 0], replications=1))
    held = seen[12, list(names).index("smelter_3")]
    assert held == pytest.approx(0.5, abs=1e-6)
    assert seen[12, list(names).index("smelter")] > 0.9


def test_the_price_rises_at_home_too() -> None:
    """A home buyer of the limited smelter in the United States pays more, as buyers abroad do."""
    limit = {**NOTED, "facility": ["smelter", "smelter_2", "smelter_3"], "share": 0.7, "start": START}
    recorder = run_block(tiny_case(policies={"limit": limit}, files=FULL_WORLD, overrides=CALM), 1, 0, 1).recorder
    prices = {group: recorder.price_peak[i, 0] for i, group in enumerate(recorder.network.groups)}
    assert prices["metal", "USA"] > 1.2
    assert prices["metal", "JPN"] > 1.2


def test_the_news_is_the_share_that_is_lost_at_home_too() -> None:
    """``S`` of the smelter rises by 1 - 0.7 at the announcement, once; a limit that allows all is no news."""
    for share, news in ((0.7, 0.3), (1.0, 0.0), (1.2, 0.0)):
        limit = {**NOTED, "share": share, "announced": "2025-02-12", "start": START}
        files = {"configs/minerals/tin.yaml": HOME_MINE}
        case = tiny_case(policies={"limit": limit}, files=files, overrides=CALM)
        seen = np.array(watch(case, lambda w, _: w.beliefs.structure[0, 0], replications=1))
        assert seen[5] == 0.0
        assert seen[6:] == pytest.approx(news)


def test_joint_products_fall_together() -> None:
    """One ore holds two metals: throughput at 0.6, and so 0.6 of each."""
    materials = {
        m: {"title": m, "basis": "t", "price": "20 USD/kg", "supplier_cover": "30 d"} for m in ("light", "heavy")
    }
    processes = {"digging": {"title": "digging", "unit": "t", "outputs": {"light": 0.8, "heavy": 0.2}}}
    facilities = {"pit": {"title": "pit", "country": "CHN", "process": "digging", "throughput": "10 kt/yr"}}
    use = {"cover": "45 d", "sectors": {"all_of_it": "100 %"}, "cover_classes": False}
    users = {"JPN": {"light": {**use, "use": "8 kt/yr"}, "heavy": {**use, "use": "2 kt/yr"}}}
    tree = tree_of(materials, processes, facilities, users, {"all": {"days": "21 d"}})
    limit = {**NOTED, "facility": "pit", "share": 0.6, "start": START}
    case = cases_of(plan_of(tree, policies={"limit": limit}, overrides=CALM))["what_if"]
    seen = np.array(watch(case, lambda w, _: w.throughput[0, 0] / NORMAL, replications=1))
    assert seen[10:] == pytest.approx(0.6)


def test_a_by_product_is_limited_whatever_its_host_does() -> None:
    case = tiny_case(
        policies={"limit": {**NOTED, "share": 0.6, "start": START}},
        files={"configs/minerals/tin.yaml": BY_PRODUCT}, overrides=CALM,
    )  # fmt: skip
    seen = np.array(watch(case, lambda w, _: w.throughput[0, 0] / NORMAL, replications=1))
    assert seen[:10] == pytest.approx(1.0)
    assert seen[10:] == pytest.approx(0.6)


def test_of_two_limits_the_tighter_counts() -> None:
    policies = {name: {**NOTED, "share": share, "start": START} for name, share in (("a", 0.8), ("b", 0.5))}
    for order in (policies, dict(reversed(policies.items()))):
        case = tiny_case(policies=order, overrides=CALM)
        seen = np.array(watch(case, lambda w, _: w.throughput[0, 0] / NORMAL, replications=1))
        assert seen[10:] == pytest.approx(0.5)


def test_a_limit_far_above_what_is_made_changes_nothing() -> None:
    without = everything(run_block(tiny_case(overrides=CALM), 1, 0, 2))
    limit = {"limit": {**NOTED, "share": 5, "start": START}}
    found = everything(run_block(tiny_case(policies=limit, overrides=CALM), 1, 0, 2))
    assert_same(without, {name: value for name, value in found.items() if "limit" not in name})


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"share": 0.5, "facility": "mien"}, "mine"),
        ({"share": 0.5, "country": "CHN"}, "either 'facility'"),
        ({"share": 0.5, "facility": None, "country": "CHN"}, "either 'facility'"),
        ({"share": 0.5, "facility": None, "country": "JPN", "process": "mining"}, "no plant of mining stands in JPN"),
        ({"share": -0.5}, "smallest allowed"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, object], message: str) -> None:
    raw = {key: value for key, value in {"start": START, **NOTED, **keys}.items() if value is not None}
    with pytest.raises(ConfigError, match=message):
        tiny_case(policies={"limit": raw}, overrides=CALM)
