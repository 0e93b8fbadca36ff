"""Companies: plants that assemble end products to a plan; what they make leaves the chain (docs/model.md, equation 4).

A company is a buyer laid over the world: a plan of end products, a bill of materials, shelves and suppliers of its own.
It builds what its scarcest material allows; what a plan asks for and shelves do not is an end product not built.
"""

from __future__ import annotations

import numpy as np

from sim.calendar import Phase
from sim.growth import rows_now
from sim.network import ProcessRows
from sim.nodes.consumers import noise_path
from sim.nodes.processors import Recipe
from sim.world import Steps, World


def company(world: World, rows: ProcessRows, stage: int) -> Steps:
    """Assemble end products at each review.

    Parameters
    ----------
    stage : int
        Companies come after all who make what they buy.
    """
    habits, step = world.habits, float(world.step)
    recipe = Recipe(world, [rows])
    base = world.baseline.throughput[rows.facility]
    path = rows_now(world.network, world.grown_buyer)[rows.inputs[0, :, 0]]
    noise = np.zeros((world.calendar.reviews, *base.shape))
    if world.switches.noise:
        for place, facility in enumerate(rows.facility):
            entity = f"facilities.{world.network.facilities[facility]}"
            deviation, days = habits.demand_noise, habits.demand_noise_days
            noise[:, place] = noise_path(world.draws, entity, deviation, days, world.calendar.reviews, step)
    while True:
        yield world.next(Phase.PRODUCTION, stage)
        plan = base * world.growth[path, world.review] * np.exp(noise[world.review])
        built = recipe.run(plan * world.levers.available[rows.facility], plan)
        world.throughput[rows.facility] = built
        world.recorder.note_built(rows.inputs[0, :, 0], plan * step, built * step)
