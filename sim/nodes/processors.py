"""Processors: buyers upstream, suppliers downstream; a Leontief recipe per plant and cover class.

Plants of one facility differ in the cover of their input shelves: each class starves by itself, and the
product is pooled. Recipes thrift with price where the product does not contain the input.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.compiled import exponential, njit
from sim.network import ProcessRows
from sim.nodes.production import Works
from sim.world import Steps, World

Array = NDArray[np.float64]
Index = NDArray[np.int64]

IDLE_SHARE = 0.02
"""A plant keeps buying for at least this share of its baseline, so that one that starved once starts again."""


def processor(world: World, rows: ProcessRows, stage: int) -> Steps:
    """Turn inputs into products at each review.

    Parameters
    ----------
    stage : int
        Place in the chain, upstream first.
    """
    works, recipe = Works(world, rows, by_product=False), Recipe(world, rows)
    while True:
        yield world.next(Phase.PRODUCTION, stage)
        works.look()
        works.put_out(recipe.run(works.wanted(), works.usual))


class Recipe:
    """The recipe of one process at all its facilities: takes from shelves what is wanted, as far as they reach.

    Scratch arrays are (row, replication) over inputs, members and classes.
    """

    def __init__(self, world: World, rows: ProcessRows) -> None:
        self.world, self.rows = world, rows
        self.class_share = world.baseline.class_share[rows.inputs[0, 0]]
        self.flat = rows.inputs.reshape(-1)
        shape = (self.flat.size, world.draws.replications)
        self.need, self.used = np.empty(shape), np.empty(shape)
        self.met, self.least = np.empty(shape), np.empty(shape)
        self.curtailed, self.destroyed = np.empty(shape), np.empty(shape)
        self.kept = 1.0 - world.habits.tolerance
        self.throughput = np.empty((rows.facility.size, world.draws.replications))
        self.settled = False

    def run(self, wanted: Array, usual: Array) -> Array:
        """Use what is wanted as far as inputs reach, set what to buy for, and return throughput.

        Parameters
        ----------
        wanted, usual : (member, replication) float, units per day

        Returns
        -------
        (member, replication) float, units per day
        """
        world, rows, habits, beliefs = self.world, self.rows, self.world.habits, self.world.beliefs
        beliefs.wanted[rows.facility] = wanted
        run_plants(
            rows.inputs,
            self.class_share,
            world.baseline.taken * world.levers.recipe if world.levers.holds("recipe") else world.baseline.taken,
            world.baseline.thrift,
            world.stocks.buyer,
            wanted,
            usual,
            beliefs.price,
            beliefs.price_smooth,
            beliefs.adaptation,
            world.levers.demand,
            habits.eps,
            habits.eps_L,
            habits.tau_L,
            float(world.step),
            self.kept,
            beliefs.requirement,
            self.throughput,
            self.need,
            self.met,
            self.least,
            self.used,
            self.curtailed,
            self.destroyed,
        )
        world.stocks.use(self.flat, self.used)
        self._record()
        return self.throughput

    def _record(self) -> None:
        """Count each input's shortage by how far that input alone would have reached, once a plant has settled."""
        met = self.met if self.settled else np.where(self._settle(), self.met, self.need)
        self.world.recorder.note_use(
            self.flat, met, self.need, self.least, self.curtailed, self.destroyed, self.world.day
        )

    def _settle(self) -> NDArray[np.bool_]:
        """Return where plants have settled: each input of a new one has covered half its target once."""
        world = self.world
        half = 0.5 * world.baseline.cover[self.flat] * world.beliefs.requirement[self.flat]
        full = (world.stocks.buyer[self.flat] >= half) & (half > 0)
        settled = world.beliefs.settled[self.flat] | full
        world.beliefs.settled[self.flat] = settled
        self.settled = bool(settled.all())
        return np.asarray(settled)


@njit(cache=True, error_model="numpy")
def run_plants(
    inputs: Index,
    class_share: Array,
    taken: Array,
    thrift: Array,
    stock: Array,
    wanted: Array,
    usual: Array,
    price: Array,
    price_smooth: Array,
    adaptation: Array,
    demand: Array,
    eps: Array,
    eps_long: Array,
    tau_long: Array,
    review: float,
    kept_share: float,
    requirement: Array,
    throughput: Array,
    need: Array,
    met: Array,
    least: Array,
    used: Array,
    curtailed: Array,
    destroyed: Array,
) -> None:
    """Run all members of one process for a review (docs/model.md, equations 3 to 5).

    ``recipe_i = taken_i exp(-thrift_i (eps max(p_i, 0) + b_i))`` with slow thrift
    ``db_i/dt = (eps_L max(p_i smoothed, 0) - b_i) / tau_L``; each class makes what its scarcest input allows.

    Parameters
    ----------
    inputs : (input, member, class) int
        Buyer rows.
    class_share : (class,) float
    taken, thrift, stock, price, price_smooth, demand : (buyer, replication) float
        `taken` includes the class share and what policies substitute; `demand` is a factor that they hold.
    wanted, usual : (member, replication) float, units per day
        What members would make, and usually do: they buy for at least `IDLE_SHARE` of that.
    kept_share : float
        Share of the need below which an input counts as short.
    adaptation, requirement : (buyer, replication) float
        Changed in place: b, and t/d to buy for.
    throughput : (member, replication) float, units per day
        Overwritten, as are the rest, (input * member * class, replication), t:
    need, used : t wanted and used
    met, least : t that this input alone would allow, and below which it counts as short
    curtailed, destroyed : t given up to price at once, and to slow thrift
    """
    members, classes, reps = inputs.shape[1], inputs.shape[2], wanted.shape[1]
    throughput[:] = 0.0
    kept, fast, running = np.ones(reps), np.ones(reps), np.empty(reps)
    for m in range(members):
        for c in range(classes):
            running[:] = 1.0
            for i in range(inputs.shape[0]):
                b, row = inputs[i, m, c], (i * members + m) * classes + c
                _thrift(
                    thrift[b], price[b], price_smooth[b], eps, eps_long, tau_long, review, adaptation[b], kept, fast
                )
                for r in range(reps):
                    full = taken[b, r] * wanted[m, r] * review
                    amount = full * kept[r] * fast[r]
                    some, held = amount > 0.0, stock[b, r]
                    reach = min(held / (amount if some else 1.0), 1.0)
                    reach = reach if some else 1.0
                    need[row, r] = amount
                    met[row, r] = amount * reach
                    running[r] = min(running[r], reach)
                for r in range(reps):
                    full = taken[b, r] * wanted[m, r] * review
                    least[row, r] = kept_share * need[row, r]
                    curtailed[row, r] = full * kept[r] - need[row, r]
                    destroyed[row, r] = full - full * kept[r]
                for r in range(reps):
                    running_on = max(wanted[m, r], IDLE_SHARE * usual[m, r])
                    requirement[b, r] = taken[b, r] * kept[r] * running_on * demand[b, r]
            for i in range(inputs.shape[0]):
                row = (i * members + m) * classes + c
                for r in range(reps):
                    used[row, r] = need[row, r] * running[r]
            for r in range(reps):
                throughput[m, r] += wanted[m, r] * class_share[c] * running[r]


@njit(error_model="numpy")
def _thrift(
    thrift: Array, price: Array, price_smooth: Array, eps: Array, eps_long: Array, tau_long: Array, review: float,
    adaptation: Array, kept: Array, fast: Array,
) -> None:  # fmt: skip
    """Let the thrift of one input follow its price; fill what it keeps of the recipe, slowly and at once."""
    for r in range(kept.size):
        slow = adaptation[r]
        slow += review * (eps_long[r] * max(price_smooth[r], 0.0) - slow) / tau_long[r]
        adaptation[r] = slow
        kept[r] = exponential(-thrift[r] * slow)
    for r in range(kept.size):
        fast[r] = exponential(-thrift[r] * eps[r] * max(price[r], 0.0))
