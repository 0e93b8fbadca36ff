"""country_shock: a scripted blow to a whole country, such as an earthquake, a war or a blackout."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Days, Names, Number, Ratio
from sim.network import Index, Network
from sim.policies.base import Held, Policy, policy
from sim.world import World

Array = NDArray[np.float64]


@policy("country_shock")
class CountryShock(Policy):
    """Take capacity out of all facilities of some countries, or of one process there, with a linear recovery.

    Lost is ``severity`` from the start to the end, then ``severity (1 - (t - end) / recovery)``, integrated exactly
    over each review. Blows multiply with outages and with each other.
    """

    country: Names = Field(description="countries or blocs that are struck")
    process: Names | None = Field(None, description="processes that are struck; all unless given")
    severity: Ratio = Field(Number(1.0), description="share of capacity lost")
    recovery: Days = Field(Number(0.0, dimension="d"), description="days from the end until all of it is back")

    def facilities(self, network: Network) -> Index:
        """Return the rows of the plants that are struck."""
        struck = network.expand(self.country)
        return np.array(
            [
                row
                for row, plant in enumerate(network.blueprint.facilities.values())
                if plant.country in struck and (self.process is None or plant.process in self.process)
            ],
            dtype=np.int64,
        )

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error if nothing stands there."""
        if not self.facilities(network).size:
            what = "facility" if self.process is None else f"plant for {', '.join(self.process)}"
            yield f"country: no {what} of this world stands in {', '.join(self.country)}."

    def act(self, world: World, held: Held) -> None:
        """Stop plants for the part of the review inside the window, and in part while they recover."""
        window = held.window
        tail = recovering(world.day, world.step, window.end, world.draws.number(self.recovery))
        level = window.level(world) + np.where(window.start < window.end, tail, 0.0)
        lost = np.minimum(level, 1.0) * world.draws.number(self.severity)
        if lost.any():
            world.levers.stop(self.facilities(world.network), lost)
        ends = np.where(window.start < window.end, window.end + world.draws.number(self.recovery), np.inf)
        held.happened["recovered"] = ends


def recovering(day: float, step: float, end: Array, recovery: Array) -> Array:
    """Return the mean over a review of ``1 - (t - end) / recovery`` where it is between 0 and 1, (replication,).

    Parameters
    ----------
    day, step : float, d
        Start and length of the review.
    end, recovery : (replication,) float, d
    """
    over = np.isfinite(end) & (recovery > 0)
    since, length = np.where(over, end, 0.0), np.where(over, recovery, 1.0)
    left = np.clip((day - since) / length, 0.0, 1.0)
    right = np.clip((day + step - since) / length, 0.0, 1.0)
    return np.where(over, (right - left) * (1.0 - 0.5 * (left + right)) * length / step, 0.0)
