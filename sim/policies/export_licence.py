"""export_licence and extraterritorial_rule: an office clears applications, holds goods at the border, refuses some.

The office's throughput caps each buyer's applications, for a licence names its user; its shadow price is the
licence rent. Count a measure once: either a delay with applications near normal, or a path of exports without delay.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from sim.config.schema import Days, Names, Number, Ratio, reads
from sim.network import Index, Network
from sim.policies.base import Held, LaneMeasure, hold_cap, policy
from sim.world import World

Array = NDArray[np.float64]

Share = Annotated[Number, reads("1", 0.0, 5.0)]


def _read_path(raw: Any) -> Any:
    """Let a constant stand for a path."""
    return raw if isinstance(raw, dict) and not {"value", "low"} & set(raw) else {dt.date.min: raw}


Path = Annotated[dict[dt.date, Share], BeforeValidator(_read_path)]
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
        self.warn(world, held)
        level, cap = held.window.level(world), held.caps["exports"]
        affected = self.affected(world, held)
        coverage = world.draws.number(self.coverage) * affected
        base = world.base_flow(cap.groups)
        hold_cap(
            world,
            held,
            cap,
            level * (affected.max(axis=0) > 0),
            base * (1.0 - coverage + coverage * self.office(world)),
        )
        if level.any() and self.longest_delay > 0:
            days, refused = world.draws.number(self.delay), world.draws.number(self.refused)
            for group, share in zip(cap.groups, coverage, strict=True):
                world.levers.delay(group, days, level * share, refused)

    def affected(self, world: World, held: Held) -> Array:
        """Return the share of each buyer's covered trade that needs the licence, (group, replication)."""
        return np.ones((len(held.caps["exports"].groups), world.draws.replications))

    def office(self, world: World) -> Array:
        """Return the mean of the path over this review, (replication,)."""
        dates = sorted(self.applications)
        shares = np.array([world.draws.number(self.applications[date]) for date in dates])
        if len(dates) == 1:
            return np.asarray(shares[0])
        days = np.array([world.calendar.day(date.toordinal()) for date in dates])
        points = world.day + (np.arange(8) + 0.5) / 8 * world.step
        place = np.clip(np.searchsorted(days, points) - 1, 0, len(days) - 2)
        part = np.clip((points - days[place]) / (days[place + 1] - days[place]), 0.0, 1.0)[:, None]
        return np.asarray((shares[place] * (1.0 - part) + shares[place + 1] * part).mean(axis=0))


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
        return lanes[np.array(abroad, dtype=bool)] if lanes.size else lanes

    def affected(self, world: World, held: Held) -> Array:
        """Return the share of each buyer's foreign-made goods that holds more than the de-minimis content."""
        network = world.network
        above = self._content(world) > world.draws.number(self.de_minimis)
        flow = world.lane_baseline
        rows = []
        for group in held.caps["exports"].groups:
            total = flow[group].sum(axis=0)
            held_back = (flow[group] * above[network.lane_supplier[group]]).sum(axis=0)
            rows.append(np.divide(held_back, total, out=np.zeros_like(total), where=total > 0))
        return np.array(rows)

    def _content(self, world: World) -> Array:
        """Return the controlled value share of each supplier's product, (supplier, replication)."""
        network, home = world.network, world.network.expand(self.origin)
        relation = world.beliefs.relation
        from_home = np.array([network.suppliers[s].country in home for s in network.lane_supplier])
        share = np.zeros_like(world.baseline.sales)
        for s, row in enumerate(network.suppliers):
            if row.stockpile:
                continue
            process = network.world.processes[network.blueprint.facilities[row.owner].process]
            for material in set(process.inputs) & set(self.content):
                for b in network.buyer_rows[(row.owner, material)]:
                    lanes = np.arange(network.lane_ptr[b], network.lane_ptr[b + 1])
                    total = relation[lanes].sum(axis=0)
                    brought = np.divide(
                        relation[lanes][from_home[lanes]].sum(axis=0),
                        total,
                        out=np.zeros_like(total),
                        where=total > 0,
                    )
                    share[s] += world.baseline.value_share[b] * world.baseline.class_share[b] * brought
        return share
