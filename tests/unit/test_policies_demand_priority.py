"""demand_priority in the tiny world, by hand, and the split between sectors on shelves made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.engine import Block, Case, run_block
from sim.errors import ConfigError
from sim.metrics import Key, block_metrics
from sim.sectors import Earmark, Group
from tests.probe import Array, assert_same, everything, tiny_case

CLASSES = ("configs/minerals/tin.yaml", "tinplate: 30 %}, cover_classes: false", "tinplate: 30 %}")
BAN = {
    "type": "export_ban", "from": "MYS", "material": "metal", "start": "2025-03-05", "duration": "200 d",
    "source": "assumption",
}  # fmt: skip
PRIORITY = {
    "type": "demand_priority", "country": "JPN", "material": "metal", "first": ["tinplate", "other"],
    "start": "2025-01-01", "source": "assumption",
}  # fmt: skip


def case_with(ban: bool = True, edits: tuple[Any, ...] = (), **changes: Any) -> Case:
    measures = {"ban": BAN} if ban else {}
    return tiny_case(policies={**measures, "first": {**PRIORITY, **changes}}, edits=edits)


def of(case: Case, block: Block, metric: str, sector: str = "all", country: str = "JPN") -> Array:
    keys, found = block_metrics(case, block)
    return np.asarray(found[metric][keys.index(Key("tin", "metal", country, sector))])


# -- the split --------------------------------------------------------------------------------------

SHARES = {"defence": 0.1, "civil": 0.6, "other": 0.3}


def group(rows: int = 1) -> Group:
    return Group(np.arange(rows), SHARES, np.full((rows, 1), 1.0 / rows), 7.0)


def split(made: Group, use: list[float], want: list[float], left: list[float], *orders: Any) -> Array:
    """Return what each sector of each row uses."""
    columns = (np.array(values)[:, None] for values in (use, want, left))
    return np.asarray(made.share_out(*columns, orders)[..., 0])


def test_without_order_sectors_use_their_shares() -> None:
    found = split(group(), [50.0], [100.0], [0.0])
    assert found == pytest.approx(np.array([[5.0, 30.0, 15.0]]))


def test_those_named_first_get_their_want_in_order_and_the_rest_share() -> None:
    """Of 100 wanted there are 50: defence 10, other 30, and the 10 that are left for the civil use of 60."""
    order = (("defence", "other"), np.ones(1))
    assert split(group(), [50.0], [100.0], [0.0], order) == pytest.approx(np.array([[10.0, 10.0, 30.0]]))
    assert split(group(), [25.0], [100.0], [0.0], order) == pytest.approx(np.array([[10.0, 0.0, 15.0]]))
    assert split(group(), [50.0], [100.0], [0.0], (("defence",), np.ones(1))) == pytest.approx(
        np.array([[10.0, 40.0 * 6 / 9, 40.0 * 3 / 9]])
    )


def test_for_part_of_a_review_it_counts_in_part() -> None:
    found = split(group(), [50.0], [100.0], [0.0], (("defence",), np.array([0.4])))
    assert found[0, 0] == pytest.approx(0.6 * 5.0 + 0.4 * 10.0)


def test_defence_is_served_from_the_shelves_of_others() -> None:
    """One shelf is empty, the other half full: its users give up what defence lacks on the first."""
    found = split(group(2), [0.0, 50.0], [100.0, 100.0], [0.0, 0.0], (("defence",), np.ones(1)))
    assert found[:, 0] == pytest.approx([10.0, 10.0])
    assert found.sum() == pytest.approx(50.0)


def test_metal_set_aside_goes_to_its_sectors_first() -> None:
    """Of 30 used, 12 are set aside for defence: a share of the other 18, then what it still lacks, the rest to all."""
    made = group()
    made.earmark(["defence"]).held[:] = 12.0
    found = split(made, [30.0], [100.0], [0.0])
    lacking = np.array([0.0, 60.0 - 10.8, 30.0 - 5.4])
    assert found[0] == pytest.approx(np.array([10.0, 10.8, 5.4]) + (12.0 - 8.2) * lacking / lacking.sum())


def test_metal_set_aside_for_several_goes_to_them_in_order() -> None:
    """All 30 are set aside for defence, which takes its 10, and then for others, who take the 20 that are left."""
    made = group()
    made.earmark(["defence", "other"]).held[:] = 30.0
    assert split(made, [30.0], [100.0], [0.0]) == pytest.approx(np.array([[10.0, 0.0, 20.0]]))


def test_metal_set_aside_is_used_last() -> None:
    made = group()
    made.earmark(["defence"]).held[:] = 12.0
    assert split(made, [100.0], [100.0], [40.0]) == pytest.approx(np.array([[10.0, 60.0, 30.0]]))
    assert made.earmark(["defence"]).held == pytest.approx(12.0)
    split(made, [35.0], [100.0], [5.0])
    assert made.earmark(["defence"]).held == pytest.approx(5.0)


def test_what_is_set_aside_lands_as_shipments_do() -> None:
    """Of what is under way for 2.4 reviews, 0.6 land with the second and 0.4 with the third."""
    mark = Earmark(1, 1)
    mark.send(0, np.array([10.0]), np.array([2.4]))
    seen = []
    for _ in range(4):
        mark.land()
        seen.append(float(mark.held[0, 0]))
    assert seen == pytest.approx([0.0, 6.0, 10.0, 10.0])
    mark.send(0, np.array([1.0]), np.array([9.0]))
    for _ in range(9):
        mark.land()
    assert mark.held[0, 0] == pytest.approx(11.0)


# -- in the world -----------------------------------------------------------------------------------


def test_who_goes_without_changes_and_what_is_used_does_not() -> None:
    plain, case = tiny_case(policies={"ban": BAN}), case_with()
    before, after = run_block(plain, 1, 0, 1), run_block(case, 1, 0, 1)
    assert (before.recorder.used == after.recorder.used).all()
    assert of(plain, before, "unmet_t").min() > 100.0
    for metric in ("unmet_t", "shortage_days", "fill_rate", "price_mean", "procurement_cost_usd"):
        assert (of(plain, before, metric) == of(case, after, metric)).all()
    parts = [of(case, after, "unmet_t", sector) for sector in ("solder", "tinplate", "other")]
    assert sum(parts) == pytest.approx(of(case, after, "unmet_t"))
    assert of(case, after, "unmet_t", "solder") > of(plain, before, "unmet_t", "solder")
    assert of(case, after, "unmet_t", "tinplate") < of(plain, before, "unmet_t", "tinplate")
    assert of(case, after, "fill_rate", "tinplate") > of(case, after, "fill_rate", "other")
    assert of(case, after, "shortage_days", "tinplate") < of(case, after, "shortage_days", "solder")
    assert of(case, after, "unmet_t", "solder", "USA") == pytest.approx(of(plain, before, "unmet_t", "solder", "USA"))


def test_a_cut_to_sixty_percent_leaves_the_half_that_is_first_unharmed() -> None:
    """Use is held to 60 % of want without response to price: tinplate and other, half of it, never lack any."""
    rigid = [("configs/behaviour/default.yaml", "eps: 0.1", "eps: 0"), (
        "configs/behaviour/default.yaml", "eps_L: 0.35", "eps_L: 0"
    )]  # fmt: skip
    cut = {"type": "export_licence", "from": "MYS", "material": "metal", "applications": 0.6, "start": "2025-03-05",
           "source": "assumption"}  # fmt: skip
    case = tiny_case(policies={"cut": cut, "first": PRIORITY}, edits=rigid)
    block = run_block(case, 1, 0, 1)
    assert of(case, block, "unmet_t")[0] > 500.0
    assert of(case, block, "unmet_t", "tinplate")[0] == pytest.approx(0.0, abs=1e-6)
    assert of(case, block, "shortage_days", "other")[0] == 0.0
    assert of(case, block, "unmet_t", "solder") == pytest.approx(of(case, block, "unmet_t"))


def test_before_it_begins_sectors_lack_their_shares() -> None:
    """In force only after the ban and its shortage: all as without it, but for the last bits."""
    late = case_with(start="2026-11-01")
    block = run_block(late, 1, 0, 1)
    assert block.recorder.sectors.followed
    for metric in ("unmet_t", "fill_rate", "shortage_days", "longest_shortage_days"):
        plain = tiny_case(policies={"ban": BAN})
        expected = of(plain, run_block(plain, 1, 0, 1), metric, "solder")
        assert of(late, block, metric, "solder") == pytest.approx(expected), metric


@pytest.mark.parametrize("edits", [(), (CLASSES,)], ids=["one shelf", "classes"])
def test_never_in_force_it_equals_its_absence_bit_for_bit(edits: tuple[Any, ...]) -> None:
    plain, case = tiny_case(policies={"ban": BAN}, edits=edits), case_with(edits=edits, start="2035-01-01")
    one, other = run_block(plain, 1, 0, 2), run_block(case, 1, 0, 2)
    found = {name: value for name, value in everything(other).items() if "'first'" not in name}
    assert_same(everything(one), found)
    assert_same(block_metrics(plain, one)[1], block_metrics(case, other)[1])


def test_classes_of_cover_share_among_themselves() -> None:
    case = case_with(edits=(CLASSES,), first=["tinplate"])
    block = run_block(case, 1, 0, 1)
    parts = [of(case, block, "unmet_t", sector) for sector in ("solder", "tinplate", "other")]
    assert sum(parts) == pytest.approx(of(case, block, "unmet_t"))
    assert of(case, block, "fill_rate", "tinplate") > of(case, block, "fill_rate", "solder")


def test_k_replications_equal_the_first_k_of_many() -> None:
    on = ["switches.noise=true", "switches.hazards=true", "switches.uncertainty=true"]
    when = {"metric": "days_of_cover", "material": "metal", "country": "JPN", "below": "40 d"}
    trigger = {key: value for key, value in PRIORITY.items() if key != "start"}
    case = tiny_case(policies={"ban": BAN, "first": {**trigger, "when": when}}, edits=[CLASSES], overrides=on)
    few, many = (block_metrics(case, run_block(case, 1, 0, count))[1] for count in (1, 5))
    for name, values in few.items():
        assert np.array_equal(values, many[name][:, :1], equal_nan=True), name


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first": ["tinplat"]}, "Did you mean 'tinplate'"),
        ({"first": []}, "first"),
        ({"first": ["solder", "solder"]}, "twice"),
        ({"country": "CHN"}, "nobody in CHN"),
        ({"country": "MYS", "material": "ore"}, "plants in MYS buy 'ore'"),
        ({"material": "copper"}, "copper"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        case_with(**changes)
