"""project_of_interest: new capacity with public and private money, a lead time, a ramp and odds of success."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.blueprint import Blueprint
from sim.config import schema
from sim.config.schema import Days, Flow, Money, Number, Ratio
from sim.draws import Draws
from sim.levers import Spending
from sim.network import Network
from sim.policies.base import Held, Policy, policy
from sim.world import World

Array = NDArray[np.float64]


@policy("project_of_interest")
class ProjectOfInterest(Policy):
    """A mine, separation or magnet plant that is decided, built, and may fail.

    ``start`` is the decision. Public support raises the odds and shortens the lead time of what remains to be built.
    Money is spent evenly from the decision to the first output; a project that fails has spent its money too.
    """

    country: str = Field(description="where it is built")
    process: str = Field(description="what it does: a process of the world")
    capacity: Flow = Field(description="full capacity, in units of the process")
    lead_time: Days = Field(description="from decision to first output, without public support")
    ramp: Days = Field(description="from first output to full capacity")
    success: Ratio = Field(description="odds that it comes on line, without public support")
    cost: Money = Field(description="investment")
    public_share: Ratio = Field(description="share of the investment paid by governments")
    sponsors: dict[str, Ratio] = Field(description="government: share of the public money")
    support_lead_time: Ratio = Field(
        Number(0.0), description="share by which full public funding shortens the lead time"
    )
    support_success: Ratio = Field(
        Number(0.0), description="share of the failure odds that full public funding removes"
    )
    suppliers: dict[str, dict[str, Ratio]] = Field(
        default_factory=dict, description="input: {country or facility: share}"
    )
    customers: dict[str, dict[str, Ratio]] = Field(description="product: {country or facility: share of sales}")

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Add the plant with nothing flowing."""
        facility = schema.Facility(
            title=self.title or name,
            country=self.country,
            process=self.process,
            throughput=self.capacity,
            opens=self.start,
            ramp=self.ramp,
            suppliers=self.suppliers,
            customers=self.customers,
        )
        blueprint.add_facility(name, facility)

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for an unknown process or product."""
        process = network.world.processes.get(self.process)
        if process is None:
            yield f"process: got '{self.process}'. Not a process of this world."
            return
        for missing in set(process.inputs) - set(self.suppliers):
            yield f"suppliers: nobody supplies its input '{missing}'."

    def opening(self, draws: Draws, start: Array, name: str) -> tuple[Array, Array]:
        """Return the day of first output (inf where it fails) and the day money is spent by, each (replication,)."""
        public = draws.number(self.public_share)
        lead = draws.number(self.lead_time) * (1.0 - public * draws.number(self.support_lead_time))
        odds = 1.0 - (1.0 - draws.number(self.success)) * (1.0 - public * draws.number(self.support_success))
        done = draws.uniform(f"policies.{name}", "success") < odds
        ready = start + lead
        return np.where(done, ready, np.inf), ready

    def act(self, world: World, held: Held) -> None:
        """Spend while building, then ramp up."""
        start = held.window.start
        if held.memory.get("start") is not start:
            held.memory |= {"start": start, "dates": self.opening(world.draws, start, held.name)}
        opens, ready = held.memory["dates"]
        held.happened["first output"] = opens
        self._spend(world, held, start, ready)
        ramp = np.maximum(world.draws.number(self.ramp), 1e-9)
        level = np.clip((world.day + 0.5 * world.step - opens) / ramp, 0.0, 1.0)
        if level.any():
            world.open_plant(held.name, world.draws.number(self.capacity), level)

    def _spend(self, world: World, held: Held, start: Array, ready: Array) -> None:
        if not ((start < world.day + world.step) & (ready > world.day)).any():
            return
        inside = np.clip(np.minimum(world.day + world.step, ready) - np.maximum(world.day, start), 0.0, None)
        rate = np.divide(inside, ready - start, out=np.zeros_like(inside), where=np.isfinite(ready) & (ready > start))
        money = world.draws.number(self.cost) * rate
        if not money.any():
            return
        public = world.draws.number(self.public_share)
        material = next(iter(world.network.world.processes[self.process].outputs))
        for country, share in self.sponsors.items():
            part = world.draws.number(share)
            world.levers.spend(
                Spending(held.name, material, country, money * public * part, money * (1.0 - public) * part)
            )
