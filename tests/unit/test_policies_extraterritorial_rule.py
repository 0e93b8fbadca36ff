"""extraterritorial_rule in the tiny world, by hand: metal smelted in Malaysia from Chinese ore."""

from __future__ import annotations

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.examples import FILE, split
from tests.probe import Array, everything, run_block, tiny_case, watch

START = "2025-03-12"
FIRST = 10
RULE = {
    "type": "extraterritorial_rule", "from": "CHN", "material": "metal", "content": "ore", "de_minimis": 0.1,
    "applications": 0.5, "start": START, "source": "assumption",
}  # fmt: skip


def flows(files: dict[str, str] | None = None, **keys: object) -> Array:
    """(review, lane) shipped over the start of each lane."""
    case = tiny_case(policies={"rule": {**RULE, **keys}}, overrides=["horizon.end=2025-06-30"], files=files)
    seen = watch(
        case, lambda w, book: book.flow[:, 0] / (w.step * np.maximum(w.baseline.flow[:, 0], 1e-9)), replications=1
    )
    return np.array(seen)


def test_foreign_goods_with_controlled_content_are_capped() -> None:
    """Ore is 60 % of the metal's value and all of it Chinese: both buyers get half, the ore itself flows."""
    found = flows()
    assert found[FIRST, 1:] == pytest.approx(0.5, rel=1e-5)
    assert found[FIRST, 0] > 0.9


def test_at_or_below_the_threshold_nothing_happens() -> None:
    """60 % is not above 60 %."""
    kept = flows(de_minimis=0.6)
    assert np.array_equal(kept, flows(start="2035-01-01"))


def test_only_sellers_above_the_threshold_count() -> None:
    """Where some of a buyer's suppliers use other ore, their part of its trade is not capped with the rest."""
    text = split(growth="{2024: 100, 2035: 140}").replace("  ore: {home_preference: 1}", OWN_ORE)
    case = tiny_case(
        policies={"rule": {**RULE, "applications": 0}}, overrides=["horizon.end=2025-06-30"], files={FILE: text}
    )
    seen = watch(
        case, lambda w, book: (w.network, w.baseline.flow[:, 0].copy(), book.flow[:, 0] / w.step), replications=1
    )
    network, base, flow = seen[FIRST]
    for buyer in ("JPN", "USA"):
        lanes = network.lanes(["metal"], None, [buyer], abroad=True)
        sellers = [network.suppliers[network.lane_supplier[lane]].owner for lane in lanes]
        foreign = [lane for lane, seller in zip(lanes, sellers, strict=True) if seller in ("smelter", "smelter_2")]
        free = sum(base[lane] for lane, seller in zip(lanes, sellers, strict=True) if seller == "smelter_2")
        assert sum(flow[lane] for lane in foreign) <= free * (1 + 1e-6)


OWN_ORE = (
    "  ore: {home_preference: 1,"
    " sources: {smelter: {mine: 1}, smelter_2: {mine_2: 1}, smelter_3: {mine: 0.3, mine_2: 0.7}}}"
)


def test_a_rule_that_touches_nobody_leaves_no_trace() -> None:
    calm = everything(run_block(tiny_case(overrides=["switches.noise=true", "horizon.end=2025-06-30"]), 1, 0, 3))
    case = tiny_case(
        policies={"rule": {**RULE, "de_minimis": 0.9, "announced": START}},
        overrides=["switches.noise=true", "horizon.end=2025-06-30"],
    )
    found = everything(run_block(case, 1, 0, 3))
    assert np.array_equal(calm["used"], found["used"])


@pytest.mark.parametrize(
    ("keys", "message"),
    [({"de_minimis": 2}, "largest allowed"), ({"content": "zinc"}, "zinc"), ({"material": "ore"}, "no trade in ore")],
)
def test_what_does_not_fit_is_refused(keys: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        flows(**keys)
