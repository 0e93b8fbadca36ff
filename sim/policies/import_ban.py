"""import_ban and sourcing_standard: buyers refuse suppliers, wholly or in part.

A buyer that refuses takes at most ``1 - coverage`` of its normal trade with those it refuses. Suppliers at home and
reserves are never refused. A ban names whom it refuses; a standard refuses whoever stands in a country whose
governance score lies below a threshold, and buyers need time to comply.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Days, Names, Number, Real
from sim.gates import Cap, CapBook
from sim.network import Index, Network
from sim.policies.base import Held, LaneMeasure, policy
from sim.world import World

Array = NDArray[np.float64]


class _Refusal(LaneMeasure):
    """What both share: buyers, and the lanes from suppliers they may refuse."""

    destination: Names = Field(alias="by", description="countries, blocs or facilities that refuse to buy")

    def lanes(self, network: Network) -> Index:
        """Return the lanes into the buyers from suppliers abroad, reserves excepted."""
        lanes = super().lanes(network)
        reserve = np.array([network.suppliers[s].stockpile for s in network.lane_supplier[lanes]], dtype=np.bool_)
        return lanes[~reserve]

    def refuse(self, world: World, held: Held, share: Array | float) -> None:
        """Cap trade with those refused, (group, replication) share of what is covered."""
        self.warn(world, held)
        level, covered = held.window.level(world), self.covered(world, held) * share
        self.hold(world, held, level * (covered > 0), (1.0 - covered) * world.base_flow(held.caps["exports"]))


@policy("import_ban")
class ImportBan(_Refusal):
    """Refuse the goods of some suppliers, as sanctions do; goods already under way are delivered."""

    origin: Names = Field(alias="from", description="countries, blocs or facilities that are refused")

    def act(self, world: World, held: Held) -> None:
        """Cap each buyer at the share that is not covered; at full coverage its lanes close."""
        if held.window.asleep(world):
            held.let_go()
            return
        self.refuse(world, held, 1.0)


@policy("sourcing_standard")
class SourcingStandard(_Refusal):
    """Refuse suppliers in countries whose governance score is below a threshold.

    ``coverage`` is the share of buyers that comply, ``except_from`` names suppliers graded by themselves, which count
    as compliant. Scores are those of ``governance`` in configs/countries.yaml; where score or threshold is a range it
    is drawn, and a country may be refused in some replications only.
    """

    origin: Names | None = Field(  # type: ignore[assignment]
        None, alias="from", description="only these may be refused; all below the threshold unless given"
    )
    indicator: Literal["rule_of_law", "control_of_corruption", "political_stability"] = Field(
        "rule_of_law", description="which of the Worldwide Governance Indicators, about -2.5 to 2.5"
    )
    threshold: Real = Field(description="lowest score that buyers accept")
    transition: Days = Field(
        Number(0.0, dimension="d"), description="from the entry into force until all who comply do, evenly"
    )

    def scores(self, network: Network) -> dict[str, Number]:
        """Return the score of each country."""
        return network.world.governance.get(self.indicator, {})

    def lanes(self, network: Network) -> Index:
        """Return the lanes from suppliers that may be below the threshold."""
        lanes, scores = super().lanes(network), self.scores(network)
        lowest = {name: score.value if score.low is None else score.low for name, score in scores.items()}
        most = self.threshold.value if self.threshold.high is None else self.threshold.high
        countries = network.supplier_country[network.lane_supplier[lanes]]
        return lanes[[lowest.get(country, np.inf) < most for country in countries]]

    def caps(self, network: Network, book: CapBook) -> dict[str, Cap]:
        """One limit per buyer and country refused, because a country may be refused in some replications only."""
        lanes = self.lanes(network)
        countries = network.supplier_country[network.lane_supplier[lanes]]
        groups = [group for each in np.unique(countries) for group in book.per_buyer(lanes[countries == each]).groups]
        return {"exports": Cap(tuple(groups))}

    def check(self, network: Network) -> Iterator[str]:
        """Yield countries without a score, and an error if nobody is refused."""
        if not set(self.material) <= set(network.material_index):
            yield from super().check(network)
            return
        sellers = network.supplier_country[network.lane_supplier[_Refusal.lanes(self, network)]]
        unknown = sorted(set(sellers.tolist()) - set(self.scores(network)))
        if unknown:
            yield f"indicator: {', '.join(unknown)} have no score of {self.indicator} in configs/countries.yaml."
        elif not self.lanes(network).size:
            buyers, score = ", ".join(self.destination), f"{self.indicator} below {self.threshold.value:g}"
            yield f"threshold: no supplier abroad of {buyers} has a {score}; nobody is refused."
        else:
            yield from super().check(network)

    def act(self, world: World, held: Held) -> None:
        """Refuse those below the threshold, as far as buyers have come to comply."""
        if held.window.asleep(world):
            held.let_go()
            return
        days = np.maximum(world.draws.number(self.transition), 1e-9)
        start = np.minimum(held.window.start, world.calendar.horizon)
        since = np.maximum(start, world.day)
        ends = np.minimum(held.window.end, world.day + world.step)
        middle = np.where(ends > since, 0.5 * (since + ends) - start, 0.0)
        self.refuse(world, held, np.clip(middle / days, 0.0, 1.0))

    def covered(self, world: World, held: Held) -> Array:
        """Return the share of each group's trade that is refused in the end, (group, replication)."""
        if "refused" not in held.memory:
            network, draws, cap = world.network, world.draws, held.caps["exports"]
            seller = [network.suppliers[network.lane_supplier[group[0]]].country for group in cap.groups]
            scores = {country: draws.number(self.scores(network)[country]) for country in dict.fromkeys(seller)}
            threshold = draws.number(self.threshold)
            below = np.array([scores[country] < threshold for country in seller])
            held.memory["refused"] = super().covered(world, held) * below
        return np.asarray(held.memory["refused"])
