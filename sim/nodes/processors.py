"""Processors: buyers upstream, suppliers downstream; a Leontief recipe per plant and cover class.

Plants of one facility differ in the cover of their input shelves: each class starves by itself, and the
product is pooled. Recipes thrift with price where the product does not contain the input.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.compiled import exponential, njit
from sim.network import ProcessRows
from sim.nodes.production import PLANTS, Works
from sim.world import Steps, World

Array = NDArray[np.float64]
Index = NDArray[np.int64]

IDLE_SHARE = 0.02
"""A plant keeps buying for at least this share of its baseline, so that one that starved once starts again."""


def processors(world: World, groups: Sequence[ProcessRows]) -> Steps:
    """Turn inputs into products at each review, at all plants."""
    works, recipe = Works(world, groups), Recipe(world, groups)
    while True:
        yield world.next(Phase.PRODUCTION, PLANTS)
        works.look()
        works.put_out(recipe.run(works.wanted(), works.usual))


class Recipe:
    """The recipes of plants: take from shelves what is wanted, as far as they reach.

    A line is one cover class of one plant. Scratch arrays are (shelf, replication), shelves being the inputs of a line.

    Attributes
    ----------
    shelf : (shelf,) int
        Buyer rows, by plant, line and input.
    line_ptr, shelf_ptr : (plant + 1,) and (line + 1,) int
        Lines of each plant, and shelves of each line.
    unsettled : (place,) int
        Shelves of plants that opened after the start and have not settled in all replications.
    """

    def __init__(self, world: World, groups: Sequence[ProcessRows]) -> None:
        self.world = world
        plants = [rows.inputs[:, m] for rows in groups for m in range(rows.facility.size)]  # each (input, class)
        lines = [plant[:, c] for plant in plants for c in range(plant.shape[1])]
        self.shelf = np.concatenate(lines)
        self.line_ptr = np.cumsum([0, *(plant.shape[1] for plant in plants)]).astype(np.int64)
        self.shelf_ptr = np.cumsum([0, *(line.size for line in lines)]).astype(np.int64)
        self.line_share = world.baseline.class_share[self.shelf[self.shelf_ptr[:-1]]]
        shape = (self.shelf.size, world.draws.replications)
        self.need, self.used = np.empty(shape), np.empty(shape)
        self.met, self.least = np.empty(shape), np.empty(shape)
        self.curtailed, self.destroyed = np.empty(shape), np.empty(shape)
        self.kept = 1.0 - world.habits.tolerance
        self.throughput = np.empty((len(plants), world.draws.replications))
        self.unsettled = np.flatnonzero(~world.beliefs.settled[self.shelf].all(axis=1))

    def run(self, wanted: Array, usual: Array) -> Array:
        """Use what is wanted as far as inputs reach, set what to buy for, and return throughput.

        Parameters
        ----------
        wanted, usual : (plant, replication) float, units per day

        Returns
        -------
        (plant, replication) float, units per day
        """
        world, habits, beliefs = self.world, self.world.habits, self.world.beliefs
        taken = world.baseline.taken
        run_plants(
            self.line_ptr, self.shelf_ptr, self.shelf, self.line_share,
            taken * world.levers.recipe if world.levers.holds("recipe") else taken, world.baseline.thrift,
            world.stocks.buyer, wanted, usual, beliefs.price, beliefs.price_smooth, world.levers.demand, habits.eps,
            habits.eps_L, habits.tau_L, float(world.step), self.kept, beliefs.adaptation, beliefs.requirement,
            self.throughput, self.need, self.met, self.least, self.used, self.curtailed, self.destroyed,
        )  # fmt: skip
        world.stocks.use(self.shelf, self.used)
        self._settle()
        world.recorder.note_use(self.shelf, self.met, self.need, self.least, self.curtailed, self.destroyed, world.day)
        return self.throughput

    def _settle(self) -> None:
        """Note which new plants have settled, each input having covered half its target once; the rest lack nothing.

        The shortage of an input that is counted is how far that input alone would have reached.
        """
        places = self.unsettled
        if not places.size:
            return
        world, rows = self.world, self.shelf[places]
        half = 0.5 * world.baseline.cover[rows] * world.beliefs.requirement[rows]
        settled = world.beliefs.settled[rows] | (world.stocks.buyer[rows] >= half) & (half > 0)
        world.beliefs.settled[rows] = settled
        self.met[places] = np.where(settled, self.met[places], self.need[places])
        self.unsettled = places[~settled.all(axis=1)]


@njit(cache=True, error_model="numpy")
def run_plants(
    line_ptr: Index, shelf_ptr: Index, shelf: Index, line_share: Array, taken: Array, thrift: Array, stock: Array,
    wanted: Array, usual: Array, price: Array, price_smooth: Array, demand: Array, eps: Array, eps_long: Array,
    tau_long: Array, review: float, kept_share: float, adaptation: Array, requirement: Array,
    throughput: Array, need: Array, met: Array, least: Array, used: Array, curtailed: Array, destroyed: Array,
) -> None:  # fmt: skip
    """Run plants for a review (docs/model.md, equations 3 to 5).

    ``recipe_i = taken_i exp(-thrift_i (eps max(p_i, 0) + b_i))`` with slow thrift
    ``db_i/dt = (eps_L max(p_i smoothed, 0) - b_i) / tau_L``; each class makes what its scarcest input allows.

    Parameters
    ----------
    line_ptr, shelf_ptr, shelf, line_share
        As of `Recipe`; the share of each line in its plant.
    taken, thrift, stock, price, price_smooth, demand : (buyer, replication) float
        `taken` includes the class share and what policies substitute; `demand` is a factor that they hold.
    wanted, usual : (plant, replication) float, units per day
        What plants would make, and usually do: they buy for at least `IDLE_SHARE` of that.
    kept_share : float
        Share of the need below which an input counts as short.
    adaptation, requirement : (buyer, replication) float
        Changed in place: b, and t/d to buy for.
    throughput : (plant, replication) float, units per day
        Overwritten, as are the rest, (shelf, replication), t:
    need, used : t wanted and used
    met, least : t that this input alone would allow, and below which it counts as short
    curtailed, destroyed : t given up to price at once, and to slow thrift
    """
    reps = wanted.shape[1]
    throughput[:] = 0.0
    kept, fast, running = np.ones(reps), np.ones(reps), np.empty(reps)
    for m in range(wanted.shape[0]):
        for line in range(line_ptr[m], line_ptr[m + 1]):
            running[:] = 1.0
            for row in range(shelf_ptr[line], shelf_ptr[line + 1]):
                b = shelf[row]
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
            for row in range(shelf_ptr[line], shelf_ptr[line + 1]):
                for r in range(reps):
                    used[row, r] = need[row, r] * running[r]
            for r in range(reps):
                throughput[m, r] += wanted[m, r] * line_share[line] * running[r]


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
