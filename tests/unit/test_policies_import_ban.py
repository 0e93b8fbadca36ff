"""import_ban and sourcing_standard in a small world: three smelters sell to Japan and the United States."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.errors import ConfigError
from tests.examples import FILE, FULL_WORLD, split
from tests.probe import Array, assert_same, everything, run_block, tiny_case, watch
from tests.worlds import COUNTRIES

NOTED = {"material": "metal", "start": "2025-03-12", "source": "assumption"}  # the eleventh review
BAN = {"type": "import_ban", "by": "JPN", "from": "MYS", **NOTED}
STANDARD = {"type": "sourcing_standard", "by": "JPN", "threshold": 0.5, **NOTED}
SCORES = "governance: {rule_of_law: {source: survey, CHN: -0.5, MYS: 0.1, JPN: 1.5, USA: 1.3}}\n"
FILES = {FILE: split(), "configs/countries.yaml": COUNTRIES + SCORES}
CALM = ["horizon.end=2025-12-31", "behaviour.precaution=0"]


def traded(raw: dict[str, Any], files: dict[str, str] = FILES, **more: dict[str, Any]) -> Array:
    """(review, lane) metal shipped over normal: from MYS, USA and CHN to Japan, then to the United States."""
    case = tiny_case(files=files, policies={"refusal": raw, **more}, overrides=CALM)

    def look(world: Any, book: Any) -> Array:
        lanes = world.network.lanes(["metal"], ["MYS", "USA", "CHN"], ["JPN", "USA"])
        lanes = [i for i in lanes if not world.network.suppliers[world.network.lane_supplier[i]].stockpile]
        return np.asarray(book.flow[lanes, 0] / world.baseline.flow[lanes, 0] / world.step)

    return np.array(watch(case, look, replications=1))


# -- a ban ------------------------------------------------------------------------------------------------


def test_who_refuses_buys_nothing_and_others_go_on() -> None:
    found = traded({**BAN, "duration": "70 d"})
    assert found[:10] == pytest.approx(1.0, rel=1e-6)
    assert np.all(found[10:20, 0] == 0.0)
    assert (found[10:20, 1:] > 0.0).all()
    assert found[20, 0] > 0.0


def test_whom_it_refuses_sells_elsewhere() -> None:
    """Malaysia sells more to the United States, which leave their other suppliers to Japan."""
    found = traded(BAN)
    assert (found[11:20, 3] > 1.1).all()
    assert (found[11:20, 4:] < 1.0).all()


def test_it_buys_more_from_those_it_does_not_refuse() -> None:
    found = traded(BAN)
    assert (found[10:20, 1:3] > 1.2).all()


def test_the_share_that_is_not_covered_goes_on() -> None:
    assert traded({**BAN, "coverage": 0.7})[10:20, 0] == pytest.approx(0.3, rel=1e-4)


def test_a_review_that_it_cuts_ships_its_part() -> None:
    assert traded({**BAN, "start": "2025-03-15"})[10, 0] == pytest.approx(3 / 7, rel=1e-4)


def test_nobody_refuses_its_own_suppliers() -> None:
    """The United States refuse the United States and China: only China is refused."""
    found = traded({**BAN, "by": ["USA", "JPN"], "from": ["USA", "CHN"]})
    from_usa_at_home, from_china = found[10:, 4], found[10:, [2, 5]]
    assert (from_usa_at_home > 0.5).all()
    assert not from_china.any()


def test_reserves_are_not_refused() -> None:
    """Japan's reserve sells to the United States, which refuse Japan."""
    release = {
        "type": "stockpile_release", "stockpile": "reserve", "rate": "2 t/d", "beneficiaries": "USA",
        "start": "2025-03-12", "source": "assumption",
    }  # fmt: skip
    refusal = {**BAN, "by": "USA", "from": ["JPN", "MYS"]}
    case = tiny_case(files=FILES, policies={"refusal": refusal, "release": release}, overrides=CALM)

    def look(world: Any, book: Any) -> float:
        lanes = world.network.lanes(["metal"], ["reserve"], ["USA"])
        return float(book.flow[lanes].sum())

    assert watch(case, look, replications=1)[12] > 0.0


def test_a_ban_that_covers_nothing_changes_nothing() -> None:
    without = everything(run_block(tiny_case(files=FILES, overrides=CALM), 1, 0, 2))
    nothing = tiny_case(files=FILES, policies={"ban": {**BAN, "coverage": 0}}, overrides=CALM)
    found = everything(run_block(nothing, 1, 0, 2))
    causes = without["causes"].shape[1]
    assert_same(
        without,
        {
            name: value[:, :causes] if name == "causes" else value
            for name, value in found.items()
            if not name.startswith("timeline")
        },
    )


# -- a standard -------------------------------------------------------------------------------------------


def test_it_refuses_those_below_the_threshold() -> None:
    found = traded(STANDARD)
    assert not found[10:, [0, 2]].any()
    assert (found[10:, 1] > 1.0).all()
    assert (found[11:, [3, 5]] > 1.0).all()


def test_a_lower_threshold_refuses_fewer() -> None:
    found = traded({**STANDARD, "threshold": 0})
    assert (found[10:, 0] > 1.0).all()
    assert not found[10:, 2].any()


def test_buyers_take_their_time_to_comply() -> None:
    """After a third of 84 days a third of trade is refused; each review counts from its middle."""
    found = traded({**STANDARD, "transition": "84 d"})
    weeks = np.arange(12)
    assert found[10:22, 2] == pytest.approx(1.0 - (7 * weeks + 3.5) / 84, rel=1e-3)
    assert not found[22:, 2].any()


def test_a_plant_graded_by_itself_counts_as_compliant() -> None:
    found = traded({**STANDARD, "except_from": "smelter"})
    assert (found[10:, 0] > 1.0).all()
    assert not found[10:, 2].any()


def test_a_score_that_is_a_range_refuses_in_some_replications() -> None:
    """The score of Malaysia is drawn from -0.3 to 0.5 with its mode at 0.1: below 0.1 in half of them."""
    case = tiny_case(
        files=FULL_WORLD, policies={"s": {**STANDARD, "threshold": 0.1}}, overrides=[*CALM, "switches.uncertainty=true"]
    )

    def look(world: Any, book: Any) -> Array:
        return np.asarray(book.flow[world.network.lanes(["metal"], ["MYS"], ["JPN"])[0]])

    flow = watch(case, look, replications=64)[12]
    assert (flow == 0.0).mean() == pytest.approx(0.5, abs=0.15)


# -- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({**BAN, "by": "JPM"}, "JPN"),
        ({**BAN, "from": "JPN"}, "no trade in metal leaves JPN"),
        ({**BAN, "to": "JPN"}, "to"),
        ({**BAN, "coverage": 1.5}, "largest allowed"),
        ({**STANDARD, "threshold": -1}, "nobody is refused"),
        ({**STANDARD, "indicator": "happiness"}, "rule_of_law"),
        ({**STANDARD, "indicator": "political_stability"}, "CHN, MYS, USA have no score of political_stability"),
        ({**STANDARD, "transition": "60"}, "needs a unit"),
    ],
)
def test_what_does_not_fit_is_refused(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        traded(raw)
