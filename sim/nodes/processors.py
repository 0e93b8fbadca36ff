"""Processors: buyers upstream, suppliers downstream; a Leontief recipe per plant and cover class.

Plants of one facility differ in the cover of their input shelves: each class starves by itself, and the
product is pooled. Recipes thrift with price where the product does not contain the input.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.calendar import Phase
from sim.network import ProcessRows
from sim.nodes.production import put_out, usual_throughput, wanted_throughput
from sim.world import World

Array = NDArray[np.float64]

IDLE_SHARE = 0.02
"""A plant keeps buying for at least this share of its baseline, so that one that starved once starts again."""


def processor(world: World, rows: ProcessRows, stage: int) -> Iterator[simpy.Event]:
    """Turn inputs into products at each review.

    Parameters
    ----------
    stage : int
        Place in the chain, upstream first.
    """
    plant = Plant(world, rows)
    while True:
        yield world.next(Phase.PRODUCTION, stage)
        plant.run()


class Plant:
    """All facilities of one process: shapes (input, member, class, replication)."""

    def __init__(self, world: World, rows: ProcessRows) -> None:
        self.world, self.rows = world, rows
        self.flat = rows.inputs.reshape(-1)
        self.shape = (*rows.inputs.shape, world.draws.replications)
        self.share = world.baseline.class_share[rows.inputs[0]][..., None]

    def run(self) -> None:
        """Make what is wanted as far as inputs reach, and set what to buy for."""
        world, rows = self.world, self.rows
        wanted = wanted_throughput(world, rows)
        self._adapt()
        recipe = self._recipe()
        need = recipe * wanted[None, :, None, :] * float(world.step)
        stock = world.stocks.buyer[self.flat].reshape(self.shape)
        reach = np.minimum(np.divide(stock, need, out=np.ones_like(need), where=need > 0), 1.0)
        running = reach.min(axis=0)
        world.stocks.use(self.flat, (need * running).reshape(len(self.flat), -1))
        throughput = wanted * (self.share * running).sum(axis=1)
        put_out(world, rows, throughput, by_product=False)
        world.beliefs.wanted[rows.facility] = wanted
        self._set_requirement(wanted)
        self._record(need, reach)

    def _adapt(self) -> None:
        """Slow thrift b, as for consumers (docs/model.md, equation 5)."""
        world, habits = self.world, self.world.habits
        pressure = np.maximum(world.beliefs.price_smooth[self.flat], 0.0)
        slow = world.beliefs.adaptation
        slow[self.flat] += world.step * (habits.eps_L * pressure - slow[self.flat]) / habits.tau_L

    def _recipe(self) -> Array:
        world = self.world
        base = world.baseline.taken[self.flat]
        thrift = world.baseline.thrift[self.flat]
        fast = world.habits.eps * np.maximum(world.beliefs.price[self.flat], 0.0)
        return np.asarray((base * np.exp(-thrift * (fast + world.beliefs.adaptation[self.flat]))).reshape(self.shape))

    def _set_requirement(self, wanted: Array) -> None:
        world = self.world
        idle = IDLE_SHARE * usual_throughput(world, self.rows)
        slow = np.exp(-world.baseline.thrift[self.flat] * world.beliefs.adaptation[self.flat])
        per_unit = (world.baseline.taken[self.flat] * slow).reshape(self.shape)
        running = np.maximum(wanted, idle)[None, :, None, :]
        world.beliefs.requirement[self.flat] = (per_unit * running).reshape(len(self.flat), -1) * world.levers.demand[self.flat]

    def _settle(self) -> None:
        """A new plant has settled once each input has covered half its target."""
        world = self.world
        settled = world.beliefs.settled[self.flat]
        if not settled.all():
            half = 0.5 * world.baseline.cover[self.flat] * world.beliefs.requirement[self.flat]
            world.beliefs.settled[self.flat] = settled | ((world.stocks.buyer[self.flat] >= half) & (half > 0))

    def _record(self, need: Array, reach: Array) -> None:
        """Count each input's shortage by how far that input alone would have reached; not while a new plant starts up."""
        world = self.world
        self._settle()
        reach = np.where(world.beliefs.settled[self.flat].reshape(self.shape), reach, 1.0)
        want = need.reshape(len(self.flat), -1)
        use = (need * reach).reshape(len(self.flat), -1)
        threshold = (1.0 - world.habits.tolerance) * want
        world.recorder.note_use(self.flat, use, want, threshold, world.day)
        thrift = world.baseline.thrift[self.flat]
        slow = np.exp(-thrift * world.beliefs.adaptation[self.flat])
        fast = np.exp(-thrift * world.habits.eps * np.maximum(world.beliefs.price[self.flat], 0.0))
        full = np.divide(want, slow * fast)
        world.recorder.note_response(self.flat, full * slow * (1.0 - fast), full * (1.0 - slow))
