"""Consumers: use from stock, give way to price at once a little and slowly a lot (docs/model.md, equations 4 and 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.draws import Draws
from sim.world import Steps, World

Array = NDArray[np.float64]


def noise_path(draws: Draws, entity: str, deviation: Array, days: Array, reviews: int, step: float) -> Array:
    """Return a stationary Ornstein-Uhlenbeck path in logs whose exponential has mean one.

    Parameters
    ----------
    deviation : (replication,) float
        Standard deviation.
    days : (replication,) float, d
        Time constant.

    Returns
    -------
    (review, replication) float
        Exact at the reviews (Gillespie 1996).
    """
    shocks = draws.normal(entity, "noise", reviews)
    keep = np.exp(-step / days)
    spread = np.sqrt(1.0 - keep**2)
    path = np.empty_like(shocks)
    path[0] = shocks[0]
    for i in range(1, reviews):
        path[i] = keep * path[i - 1] + spread * shocks[i]
    return np.asarray(deviation * path - 0.5 * deviation**2)


def consumer(world: World, material: str) -> Steps:
    """Use one material in every country at each review."""
    users = Users(world, material)
    while True:
        yield world.next(Phase.CONSUMPTION)
        users.run()


class Users:
    """All consumers of one material: rows are countries times cover classes."""

    def __init__(self, world: World, material: str) -> None:
        self.world = world
        network = world.network
        owners = [
            (i, row.owner)
            for i, row in enumerate(network.buyers)
            if row.kind == "consumer" and row.material == material
        ]
        self.rows = np.array([i for i, _ in owners], dtype=np.int64)
        self.path = world.grown_buyer[self.rows]
        self.noise = self._noise(material, [owner for _, owner in owners])

    def _noise(self, material: str, owners: list[str]) -> Array:
        """(review, row, replication); the classes of a country share its luck."""
        world, habits = self.world, self.world.habits
        reviews, step = world.calendar.reviews, float(world.step)
        if not world.switches.noise:
            return np.zeros((reviews, len(owners), world.draws.replications))
        paths = {
            owner: noise_path(
                world.draws,
                f"consumers.{owner}.{material}",
                habits.demand_noise,
                habits.demand_noise_days,
                reviews,
                step,
            )
            for owner in dict.fromkeys(owners)
        }
        return np.stack([paths[owner] for owner in owners], axis=1)

    def run(self) -> None:
        """Adapt, decide what to want, use what the shelf allows."""
        world, habits, step, rows = self.world, self.world.habits, float(self.world.step), self.rows
        beliefs = world.beliefs
        slow = beliefs.adaptation
        slow[rows] += step * (habits.eps_L * np.maximum(beliefs.price_smooth[rows], 0.0) - slow[rows]) / habits.tau_L
        path = world.baseline.requirement[rows] * world.growth[self.path, world.review]
        path *= np.exp(self.noise[world.review])
        path *= world.levers.demand[rows]
        requirement = path * np.exp(-slow[rows])
        price = beliefs.price[rows]
        want = requirement * np.exp(-habits.eps * np.maximum(price, -1.0)) * step
        use = np.minimum(want, world.stocks.buyer[rows])
        world.stocks.use(rows, use)
        beliefs.requirement[rows] = requirement
        restrained = requirement * np.exp(-habits.eps * np.maximum(price, 0.0)) * step
        world.recorder.note_use(rows, use, want, (1.0 - habits.tolerance) * restrained, world.day)
        world.recorder.note_response(rows, requirement * step - want, (path - requirement) * step)
