"""export_ban: the lanes close."""

from __future__ import annotations

from sim.policies.base import Held, LaneMeasure, hold_cap, policy
from sim.world import World


@policy("export_ban")
class ExportBan(LaneMeasure):
    """Stop exports of the covered share; goods already under way are delivered."""

    def act(self, world: World, held: Held) -> None:
        """Cap each buyer at the share that is not covered; at full coverage its lanes close."""
        if held.window.asleep(world):
            held.let_go()
            return
        self.warn(world, held)
        level, cap = held.window.level(world), held.caps["exports"]
        coverage = world.draws.number(self.coverage)
        hold_cap(world, held, cap, level * (coverage > 0), (1.0 - coverage) * world.base_flow(cap))
