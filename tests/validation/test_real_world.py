"""The rare-earth world under the controls of the story: it keeps its promises and moves in the right direction."""

from __future__ import annotations

import numpy as np
import pytest

from sim.nodes.markets import Book
from sim.world import World
from tests.probe import Array, real_case, run_block, until, watch
from tests.promises import Promises, assert_causes_add_up

REPLICATIONS = 6


def price(scenario: str, end: str = "2026-04-30") -> dict[tuple[str, str], Array]:
    """Return (material, country) -> (replication,) mean price pressure."""
    recorder = run_block(until(real_case(scenario=scenario), end), 1, 0, REPLICATIONS).recorder
    return dict(zip(recorder.network.groups, recorder.price_sum / recorder.calendar.horizon, strict=True))


def test_prices_abroad_part_from_those_of_china_under_the_controls() -> None:
    """Europe and Japan pay more for the same oxide and magnets, China hardly more than without controls."""
    controls, calm = price("china_controls"), price("baseline")
    for material in ("dytb_oxide", "magnets"):
        home = controls[material, "CHN"] / calm[material, "CHN"]
        for country in ("EU27", "JPN"):
            abroad = controls[material, country] / calm[material, country]
            assert np.all(abroad > home), (material, country)
            assert abroad.mean() > 1.15 * home.mean(), (material, country)
        assert home.mean() < 1.2, material


@pytest.mark.parametrize("scenario", ["china_controls", "framework_and_allies"])
def test_everything_holds_with_everything_on(scenario: str) -> None:
    """Licences, refusals, outages, reserves, projects: mass, signs, causes (design section 6, "Mass balance")."""
    promises = Promises()

    def look(world: World, book: Book) -> None:
        if world.review % 4 == 0:
            promises(world, book)
        else:
            assert_causes_add_up(world, book)

    watch(until(real_case(scenario=scenario), "2027-09-30"), look, replications=4)
    assert 0 < promises.ledger.worst < 1e-9


def test_every_clearing_converges() -> None:
    """The busiest scenario without one failure (design section 6, "Solver")."""
    block = run_block(until(real_case(scenario="framework_and_allies"), "2028-06-30"), 2, 1, 4)
    assert block.clearings == 4 * 6 * block.recorder.calendar.reviews
    assert block.unconverged == 0
