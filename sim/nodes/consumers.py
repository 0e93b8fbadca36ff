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
    return walk(np.ascontiguousarray(shocks), keep, np.sqrt(1.0 - keep**2), deviation, 0.5 * deviation**2)


@njit(cache=True, error_model="numpy")
def walk(shocks: Array, keep: Array, spread: Array, deviation: Array, less: Array) -> Array:
    """Return ``deviation x - less`` of the autoregression ``x' = keep x + spread shock``, (review, replication)."""
    path = np.empty_like(shocks)
    state = shocks[0].copy()
    for i in range(shocks.shape[0]):
        for r in range(state.size):
            if i > 0:
                state[r] = keep[r] * state[r] + spread[r] * shocks[i, r]
            path[i, r] = deviation[r] * state[r] - less[r]
    return path


def consumers(world: World) -> Steps:
    """Use materials in every country at each review."""
    users = Users(world)
    while True:
        yield world.next(Phase.CONSUMPTION)
        users.run()


class Users:
    """All consumers of all materials: rows are materials, countries and cover classes."""

    def __init__(self, world: World) -> None:
        self.world = world
        network = world.network
        rows = [(i, row) for i, row in enumerate(network.buyers) if row.kind == "consumer"]
        self.rows = np.array([i for i, _ in rows], dtype=np.int64)
        self.path = rows_now(network, world.grown_buyer)[self.rows]
        shape = (self.rows.size, world.draws.replications)
        self.scratch = tuple(np.empty(shape) for _ in range(5))
        owners = [(row.owner, row.material) for _, row in rows]
        lucky = {owner: place for place, owner in enumerate(dict.fromkeys(owners))}
        self.luck = np.array([lucky[owner] for owner in owners], dtype=np.int64)
        self.noise = self._noise(list(lucky))

    def _noise(self, owners: list[tuple[str, str]]) -> Array:
        """Return factors on use, (review, country and material, replication); the classes of both share its luck."""
        world, habits = self.world, self.world.habits
        reviews, step = world.calendar.reviews, float(world.step)
        if not world.switches.noise:
            return np.ones((reviews, len(owners), world.draws.replications))
        paths = np.empty((reviews, len(owners), world.draws.replications))
        for i, (country, material) in enumerate(owners):
            entity = f"consumers.{country}.{material}"
            path = noise_path(world.draws, entity, habits.demand_noise, habits.demand_noise_days, reviews, step)
            paths[:, i] = raise_rows(path)
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
def raise_rows(logs: Array) -> Array:
    """Replace logs (row, replication) by their exponentials, and return them."""
    for i in range(logs.shape[0]):
        for r in range(logs.shape[1]):
            logs[i, r] = exponential(logs[i, r])
    return logs


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
        Factor on the requirement.
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
            full[r] = baseline[b, r] * growth[own, r] * noise[country, r] * demand[b, r]
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
