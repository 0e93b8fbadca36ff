"""project_of_interest: new capacity with public and private money, a lead time, a ramp and odds of success."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from sim.blueprint import Blueprint
from sim.config import schema
from sim.config.schema import Flow, Number, Ratio
from sim.network import Network
from sim.policies.base import Held, policy
from sim.policies.investment import Investment
from sim.world import World


@policy("project_of_interest")
class ProjectOfInterest(Investment):
    """A mine, separation or magnet plant that is decided, built, and may fail.

    ``start`` is the decision. Public support raises the odds and shortens the lead time of what remains to be built.
    Money is spent evenly from the decision to the first output; a project that fails has spent its money too.
    """

    country: str = Field(description="where it is built")
    process: str = Field(description="what it does: a process of the world")
    capacity: Flow = Field(description="full capacity, in units of the process")
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
            opens=self.start or Number(0.0, dimension="date"),  # a trigger decides: there is no output before
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

    def act(self, world: World, held: Held) -> None:
        """Spend while building, then ramp up."""
        material = next(iter(world.network.world.processes[self.process].outputs))
        level = self.proceed(world, held, material, "first output")
        if level.any():
            world.open_plant(held.name, world.draws.number(self.capacity), level)
