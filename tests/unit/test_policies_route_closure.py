"""route_closure in the tiny world, by hand: one smelter in Malaysia sells to Japan and the United States."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.probe import Array, tiny_case, watch
from tests.worlds import TIN

CLOSURE: dict[str, Any] = {
    "type": "route_closure", "from": "MYS", "to": "JPN", "material": "metal", "start": "2025-03-12",
    "duration": "70 d", "source": "assumption",
}  # fmt: skip
CALM = ["behaviour.precaution=0", "behaviour.gamma=0", "horizon.end=2025-12-31"]
ROUTE = """\
hazards:
  routes:
    strait: {origin: MYS, destination: [JPN], time_to_failure: {mean: 1000000 d}, repair_time: {mean: 1 d}}
"""


def shipped(other: dict[str, dict[str, Any]] | None = None, **keys: Any) -> Array:
    """(review, lane) shipped over its start: ore to the smelter, metal to Japan, metal to the United States."""
    closure = {key: value for key, value in {**CLOSURE, **keys}.items() if value is not None}
    files = {"configs/minerals/tin.yaml": TIN + ROUTE}
    case = tiny_case(policies={"closure": closure, **(other or {})}, overrides=CALM, files=files)
    return np.array(watch(case, lambda w, book: (book.flow / (w.step * w.baseline.flow))[:, 0].copy(), replications=1))


def test_nothing_passes_while_it_is_shut_and_other_routes_stay_open() -> None:
    found = shipped()
    assert found[:10, 1] == pytest.approx(1.0)
    assert np.all(found[10:20, 1] == 0.0)
    assert found[20, 1] > 0.5
    assert found[10:20, 2].min() > 0.9


def test_a_key_of_hazards_means_the_same_route() -> None:
    by_ends = shipped()
    by_key = shipped(**{"route": "strait", "from": None, "to": None, "material": None})
    assert np.array_equal(by_ends, by_key)


def test_a_share_limits_all_that_passes_however_much_is_bid() -> None:
    """Japan's only route at 40 %: 40 % of normal trade from the first review to the last."""
    found = shipped(share=0.6)
    assert found[10:20, 1] == pytest.approx(0.4, rel=1e-5)


def test_a_review_that_it_cuts_ships_its_part() -> None:
    """Three days into a review: three sevenths as before, four sevenths of 40 %."""
    assert shipped(share=0.6, start="2025-03-15")[10, 1] == pytest.approx(3 / 7 + 4 / 7 * 0.4, rel=1e-5)


def arrivals(**keys: Any) -> Array:
    """(review,) metal landed in Japan over normal; 21 days at sea."""
    case = tiny_case(policies={"closure": {**CLOSURE, **keys}}, overrides=CALM)

    def landed(w: Any, book: Any) -> float:
        return float((book.flow[1, 0] - w.stocks.in_transit[1, 0] + before[-1]) / (w.step * w.baseline.flow[1, 0]))

    before = [0.0]

    def look(w: Any, book: Any) -> float:
        found = landed(w, book)
        before[-1] = float(w.stocks.in_transit[1, 0])
        return found

    return np.array(watch(case, look, replications=1))


def test_what_goes_round_arrives_later() -> None:
    """The last ship through the strait lands three weeks on, the first around it five: two weeks without."""
    found = arrivals(detour={"days": "14 d"})
    assert found[5:13] == pytest.approx(1.0)
    assert found[13:15] == pytest.approx(0.0, abs=1e-12)  # a difference of stocks, each rounded
    assert found[15:18].min() > 0.9


def test_a_detour_costs_what_it_costs() -> None:
    case = tiny_case(policies={"closure": {**CLOSURE, "detour": {"days": "14 d", "cost": "5 %"}}}, overrides=CALM)
    wedge = np.array(watch(case, lambda w, _: w.levers.wedge[:, 0].copy(), replications=1))
    assert wedge[10:20, 1] == pytest.approx(np.log(1.05))
    assert not wedge[:10].any()
    assert not wedge[20:].any()
    assert not wedge[:, [0, 2]].any()


def test_a_way_round_makes_good_its_share_of_the_closure() -> None:
    """Shut for 60 %, and half of that goes another way: ``1 - 0.6 x 0.5`` passes."""
    way = {
        "type": "logistics_project", "from": "MYS", "to": "JPN", "capacity_share": 0.5, "start": "2025-01-02",
        "lead_time": "7 d", "ramp": "0 d", "success": 1, "cost": "0 USD", "public_share": 1, "sponsors": {"JPN": 1},
        "source": "assumption",
    }  # fmt: skip
    assert shipped({"way": way}, share=0.6)[10:20, 1] == pytest.approx(0.7, rel=1e-5)
    assert shipped({"way": way})[10:20, 1] == pytest.approx(0.5, rel=1e-5)


def test_a_closure_of_nothing_changes_nothing() -> None:
    assert np.array_equal(shipped(share=0), shipped(start="2035-01-01"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"from": None, "to": None}, "either a 'route'"),
        ({"route": "strait"}, "either a 'route'"),
        ({"route": "strayt", "from": None, "to": None}, "Did you mean 'strait'"),
        ({"share": 1.2}, "largest allowed"),
        ({"material": "zinc"}, "zinc"),
        ({"from": "JPN", "to": "USA"}, "no trade"),
        ({"share": 1, "detour": {"days": "10 d"}}, "nothing is left to go round"),
        ({"detour": {"cost": "5 %"}}, "days"),
    ],
)
def test_what_does_not_fit_is_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        shipped(**keys)
