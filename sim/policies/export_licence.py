"""export_licence and extraterritorial_rule: an office clears applications, holds goods at the border, refuses some.

The office's throughput caps each buyer's applications, for a licence names its user; its shadow price is the
licence rent. Count a measure once: either a delay with applications near normal, or a path of exports without delay.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Days, Names, Number, Ratio, reads
from sim.network import Index, Network
from sim.policies.base import Held, LaneMeasure, policy
from sim.policies.paths import BY_DATE, mean_of_path
from sim.sums import sum_by_buyer, sum_by_group, sum_rows
from sim.world import World

Array = NDArray[np.float64]

Share = Annotated[Number, reads("1", 0.0, 5.0)]

Path = Annotated[dict[dt.date, Share], BY_DATE]
"""Share of baseline by date, linear in between; or one share."""


@policy("export_licence")
class ExportLicence(LaneMeasure):
    """Exports need a licence: applications are capped, cleared goods wait, some are refused."""

    applications: Path = Field(description="what the office lets through, as a share of each buyer's baseline")
    delay: Days = Field(
        Number(0.0), description="days cleared goods wait at the border; 45 working_days by Chinese law"
    )
    refused: Ratio = Field(Number(0.0), description="share of waiting goods that is refused and returns to the seller")

    @property
    def longest_delay(self) -> float:
        """Longest delay in its range, days."""
        return self.delay.high if self.delay.high is not None else self.delay.value

    def act(self, world: World, held: Held) -> None:
        """Cap applications of each buyer, and hold the covered share of goods at the border."""
        if held.window.asleep(world):
            held.let_go()
            return
        level, cap = held.window.level(world), held.caps["exports"]
        affected = self.affected(world, held)
        self.warn(world, held, affected)
        coverage = self.covered(world, held) * affected
        inside = world.base_flow(cap) * (1.0 - coverage + coverage * mean_of_path(world, self.applications))
        self.hold(world, held, level * (coverage > 0), inside)
        if self.longest_delay > 0:
            share = (level * coverage)[cap.group_of]
            world.levers.delay(cap.lanes, world.draws.number(self.delay), share, world.draws.number(self.refused))

    def affected(self, world: World, held: Held) -> Array:
        """Return the share of each buyer's covered trade that needs the licence, (group, replication)."""
        return np.ones((len(held.caps["exports"].groups), world.draws.replications))


@policy("extraterritorial_rule")
class ExtraterritorialRule(ExportLicence):
    """Foreign-made goods with controlled content above a de-minimis share need the licence too.

    The content of a product is the value share of its inputs that relationships bring from the controlling country.
    """

    destination: Names | None = Field(
        None, alias="to", description="buyers it covers; all outside the controlling country unless given"
    )
    de_minimis: Ratio = Field(description="value share of controlled content above which the rule applies")
    content: Names = Field(description="controlled materials whose content counts")

    def lanes(self, network: Network) -> Index:
        """Return lanes that leave a country, between suppliers and buyers outside the controlling one."""
        home = network.expand(self.origin)
        lanes = network.lanes(self.material, None, self.destination)
        abroad = [
            network.suppliers[s].country != network.buyers[b].country
            and network.suppliers[s].country not in home
            and network.buyers[b].country not in home
            and not network.suppliers[s].stockpile
            for s, b in zip(network.lane_supplier[lanes], network.lane_buyer[lanes], strict=True)
        ]
        return self.without_exceptions(network, lanes[np.array(abroad, dtype=bool)] if lanes.size else lanes)

    def affected(self, world: World, held: Held) -> Array:
        """Return the share of each buyer's foreign-made goods that holds more than the de-minimis content."""
        cap, reps = held.caps["exports"], world.draws.replications
        above = self._content(world) > world.draws.number(self.de_minimis)
        flow = np.ascontiguousarray(world.lane_baseline * above[world.network.lane_supplier])
        total = sum_by_group(world.lane_baseline, cap.lanes, cap.ptr, np.empty((len(cap.groups), reps)))
        caught = sum_by_group(flow, cap.lanes, cap.ptr, np.empty_like(total))
        return np.divide(caught, total, out=np.zeros_like(total), where=total > 0)

    def _content(self, world: World) -> Array:
        """Return the controlled value share of each supplier's product, (supplier, replication)."""
        network, home = world.network, world.network.expand(self.origin)
        from_home = np.isin(network.supplier_country, list(home))[network.lane_supplier]
        relation = world.beliefs.relation
        total = sum_by_buyer(relation, network.lane_ptr, np.empty_like(world.baseline.requirement))
        brought = sum_by_buyer(relation * from_home[:, None], network.lane_ptr, np.empty_like(total))
        share = np.divide(brought, total, out=np.zeros_like(total), where=total > 0)
        value = world.baseline.value_share * world.baseline.class_share[:, None] * share
        content = np.zeros_like(world.baseline.sales)
        for rows in network.process_rows:
            taken = [i for i, row in enumerate(rows.inputs) if network.buyers[row[0, 0]].material in self.content]
            if taken:
                inputs = np.concatenate(rows.inputs[taken], axis=-1)
                content[rows.outputs] = np.array([sum_rows(value[member]) for member in inputs])
        return content
