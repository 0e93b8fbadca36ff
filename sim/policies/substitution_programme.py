"""substitution_programme: users learn to do with less of a material, or with another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np
from pydantic import Field

from sim.blueprint import BuyerRow
from sim.config.schema import Names, Ratio
from sim.network import Index, Network
from sim.policies.base import Held, policy
from sim.policies.investment import Investment
from sim.world import World


@policy("substitution_programme")
class SubstitutionProgramme(Investment):
    """Lower what a country's users need of a material, after a lead time and over a ramp, if it succeeds.

    Consumers need ``1 - share`` of what they did, plants take ``1 - share`` of it per unit of product, on top of the
    thrift that prices teach. What stands in its place is not simulated. A plant whose product contains the input
    (thrift 0) cannot do without.
    """

    country: Names = Field(description="where the users are")
    material: Names = Field(description="what they learn to do without")
    share: Ratio = Field(description="part of the need that is replaced at full effect")
    users: Literal["all", "consumers", "plants"] = Field(
        "all", description="whose need it is: all, consumers or plants"
    )

    def rows(self, network: Network, kind: str) -> Index:
        """Return the buyers of a kind, 'consumer' or 'processor', that it covers."""
        where = network.expand(self.country)
        if self.users not in ("all", "consumers" if kind == "consumer" else "plants"):
            return np.empty(0, dtype=np.int64)
        found = [
            i
            for i, row in enumerate(network.buyers)
            if row.kind == kind and row.material in self.material and row.country in where
        ]
        return np.array(found, dtype=np.int64)

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error if nobody is covered, or a plant that cannot substitute."""
        if not self.rows(network, "consumer").size and not self.rows(network, "processor").size:
            kind = {"all": "user", "consumers": "consumer", "plants": "plant"}[self.users]
            yield f"no {kind} of {', '.join(self.material)} in {', '.join(self.country)}."
        contained = dict.fromkeys(
            network.buyers[b].owner
            for b in self.rows(network, "processor")
            if _cannot_thrift(network, network.buyers[b])
        )
        if contained:
            names = ", ".join(list(contained)[:3]) + (" and others" if len(contained) > 3 else "")
            hint = " Write 'users: consumers' to leave plants out." if self.rows(network, "consumer").size else ""
            yield f"material: the product of {names} contains it (thrift 0), so no other can take its place.{hint}"

    def act(self, world: World, held: Held) -> None:
        """Spend while it is worked out, then lower requirements and recipes."""
        level = self.proceed(world, held, self.material[0], "first effect")
        if not level.any():
            return
        rows = held.memory.setdefault(
            "rows", (self.rows(world.network, "consumer"), self.rows(world.network, "processor"))
        )
        factor = 1.0 - world.draws.number(self.share) * level
        if rows[0].size:
            world.levers.shift_demand(rows[0], factor)
        if rows[1].size:
            world.levers.substitute(rows[1], factor)


def _cannot_thrift(network: Network, row: BuyerRow) -> bool:
    """Whether a plant's product contains an input, so that none of it can be saved."""
    process = network.blueprint.facilities[row.owner].process
    thrift = network.world.processes[process].inputs[row.material].thrift
    return (thrift.value if thrift.high is None else thrift.high) <= 0.0
