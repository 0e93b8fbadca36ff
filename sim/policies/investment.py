"""What policies that build something share: a decision, a lead time, a ramp, odds of success, and money."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Days, Money, Number, Ratio
from sim.draws import Draws
from sim.levers import Spending
from sim.policies.base import Held, Policy
from sim.world import World

Array = NDArray[np.float64]


class Investment(Policy):
    """A measure that is decided, takes time, costs money and may fail.

    ``start`` is the decision; what is decided stays, so an end matters only where it is before the start: then it is
    withdrawn. Public support shortens the lead time and raises the odds. Money is spent evenly from the decision to
    the first effect; what fails has spent its money too.
    """

    lead_time: Days = Field(description="from decision to first effect, without public support")
    ramp: Days = Field(description="from first to full effect")
    success: Ratio = Field(description="odds that it works, without public support")
    cost: Money = Field(description="investment")
    public_share: Ratio = Field(description="share of the investment paid by governments")
    sponsors: dict[str, Ratio] = Field(description="government: share of the public money")
    support_lead_time: Ratio = Field(
        Number(0.0), description="share by which full public funding shortens the lead time"
    )
    support_success: Ratio = Field(
        Number(0.0), description="share of the failure odds that full public funding removes"
    )

    def opening(self, draws: Draws, start: Array, name: str) -> tuple[Array, Array]:
        """Return the day of the first effect (inf where it fails) and the day money is spent by, (replication,)."""
        public = draws.number(self.public_share)
        lead = draws.number(self.lead_time) * (1.0 - public * draws.number(self.support_lead_time))
        done = draws.uniform(f"policies.{name}", "success") < self.odds(draws)
        ready = start + lead
        return np.where(done, ready, np.inf), ready

    def odds(self, draws: Draws) -> Array:
        """Return the odds that it works, public support included, (replication,)."""
        public = draws.number(self.public_share)
        return 1.0 - (1.0 - draws.number(self.success)) * (1.0 - public * draws.number(self.support_success))

    def proceed(self, world: World, held: Held, material: str, event: str) -> Array:
        """Spend for this review and return how far the measure has come, (replication,) in [0, 1].

        Parameters
        ----------
        material : str
            What the money is accounted under.
        event : str
            What the first effect is called on the timeline.
        """
        window, memory = held.window, held.memory
        decided, before = np.where(window.start < window.end, window.start, np.inf), memory.get("decided")
        if before is not None:
            decided = np.where(before < world.day, before, decided)  # what has begun is not begun again
        if before is None or not np.array_equal(decided, before):
            memory |= {"decided": decided, "dates": self.opening(world.draws, decided, held.name)}
        opens, ready = memory["dates"]
        held.happened[event] = opens
        money = world.draws.number(self.cost) * share_of_time(world, memory["decided"], ready)
        pay(world, held, money, world.draws.number(self.public_share), self.sponsors, material)
        ramp = np.maximum(world.draws.number(self.ramp), 1e-9)
        return np.asarray(np.clip((world.day + 0.5 * world.step - opens) / ramp, 0.0, 1.0))


def share_of_time(world: World, start: Array, ready: Array) -> Array:
    """Return the part of the time between two days that falls into this review, (replication,).

    All of it in the review of the start where both are the same day.
    """
    now, later = world.day, world.day + world.step
    inside = np.clip(np.minimum(later, ready) - np.maximum(now, start), 0.0, None)
    takes_time = np.isfinite(ready) & (ready > start)
    length = np.subtract(ready, start, out=np.ones_like(inside), where=takes_time)
    at_once = (ready == start) & (start >= now) & (start < later)
    return np.where(takes_time, inside / length, at_once * 1.0)


def pay(
    world: World, held: Held, money: Array, public_share: Array, sponsors: Mapping[str, Number], material: str
) -> None:
    """Account money (replication,) USD of an investment: public and private parts, by the sponsors' shares."""
    if not money.any():
        return
    for country, share in sponsors.items():
        part = world.draws.number(share)
        world.levers.spend(
            Spending(held.name, material, country, money * public_share * part, money * (1.0 - public_share) * part)
        )
