"""Consumers: use from stock, give way to price at once a little and slowly a lot (docs/model.md, equations 4 and 5)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.compiled import exponential, njit
from sim.draws import Draws
from sim.growth import rows_now
from sim.world import Steps, World

Array = NDArray[np.float64]
Index = NDArray[np.int64]


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
        self.path = rows_now(network, world.grown_buyer)[self.rows]
        shape = (self.rows.size, world.draws.replications)
        self.scratch = tuple(np.empty(shape) for _ in range(5))
        countries = list(dict.fromkeys(owner for _, owner in owners))
        self.luck = np.array([countries.index(owner) for _, owner in owners], dtype=np.int64)
        self.noise = self._noise(material, countries)

    def _noise(self, material: str, owners: list[str]) -> Array:
        """(review, country, replication); the classes of a country share its luck."""
        world, habits = self.world, self.world.habits
        reviews, step = world.calendar.reviews, float(world.step)
        if not world.switches.noise:
            return np.zeros((reviews, len(owners), world.draws.replications))
        paths = np.empty((reviews, len(owners), world.draws.replications))
        for i, owner in enumerate(owners):
            entity = f"consumers.{owner}.{material}"
            paths[:, i] = noise_path(world.draws, entity, habits.demand_noise, habits.demand_noise_days, reviews, step)
        return paths

    def run(self) -> None:
        """Adapt, decide what to want, use what the shelf allows."""
        world, habits, beliefs = self.world, self.world.habits, self.world.beliefs
        use_shelves(
            self.rows,
            world.baseline.requirement,
            world.growth[:, world.review],
            self.path,
            self.luck,
            self.noise[world.review],
            world.levers.demand,
            beliefs.price,
            beliefs.price_smooth,
            world.stocks.buyer,
            habits.eps,
            habits.eps_L,
            habits.tau_L,
            float(world.step),
            1.0 - habits.tolerance,
            beliefs.adaptation,
            beliefs.requirement,
            *self.scratch,
        )
        use, want, least, curtailed, destroyed = self.scratch
        world.stocks.use(self.rows, use)
        world.recorder.note_use(self.rows, use, want, least, curtailed, destroyed, world.day)
        if world.recorder.sectors.followed:
            world.recorder.sectors.note_use(
                self.rows, use, want, least, curtailed, destroyed, world.stocks.buyer, world.levers.first, world.day,
                world.recorder.disruption_start,
            )  # fmt: skip


@njit(cache=True, error_model="numpy")
def use_shelves(
    rows: Index,
    baseline: Array,
    growth: Array,
    path: Index,
    luck: Index,
    noise: Array,
    demand: Array,
    price: Array,
    price_smooth: Array,
    stock: Array,
    eps: Array,
    eps_long: Array,
    tau_long: Array,
    review: float,
    kept_share: float,
    adaptation: Array,
    requirement: Array,
    use: Array,
    want: Array,
    least: Array,
    curtailed: Array,
    destroyed: Array,
) -> None:
    """Let consumers adapt, want and use for a review (docs/model.md, equations 4 and 5).

    Parameters
    ----------
    rows, path, luck : (row,) int
        Buyer rows, and the demand path and the country of each.
    baseline, demand, price, price_smooth, stock : (buyer, replication) float
    growth : (path, replication) float
    noise : (country, replication) float
        Log of the requirement's noise.
    kept_share : float
        Share of the need at today's price below which a review counts as short.
    adaptation, requirement : (buyer, replication) float
        Changed in place.
    use, want, least, curtailed, destroyed : (row, replication) float, t
        Overwritten.
    """
    reps = use.shape[1]
    full, need = np.empty(reps), np.empty(reps)
    for i in range(rows.size):
        b, own, country = rows[i], path[i], luck[i]
        for r in range(reps):
            slow = adaptation[b, r]
            slow += review * (eps_long[r] * max(price_smooth[b, r], 0.0) - slow) / tau_long[r]
            adaptation[b, r] = slow
        for r in range(reps):
            full[r] = baseline[b, r] * growth[own, r] * exponential(noise[country, r]) * demand[b, r]
            need[r] = full[r] * exponential(-adaptation[b, r])
        for r in range(reps):
            wanted = need[r] * exponential(-eps[r] * max(price[b, r], -1.0)) * review
            want[i, r] = wanted
            use[i, r] = min(wanted, stock[b, r])
        for r in range(reps):
            curtailed[i, r] = need[r] * review - want[i, r]
            destroyed[i, r] = (full[r] - need[r]) * review
            requirement[b, r] = need[r]
        for r in range(reps):
            wanted = want[i, r]
            restrained = wanted if price[b, r] >= 0.0 else need[r] * review
            least[i, r] = kept_share * restrained
