"""export_ban: the lanes close."""

from __future__ import annotations

from sim.policies.base import Held, LaneMeasure, policy
from sim.world import World


@policy("export_ban")
class ExportBan(LaneMeasure):
    """Stop exports of the covered share."""

    def act(self, world: World, held: Held) -> None:
        """Cap each buyer at the share that is not covered; at full coverage its lanes close."""
        if held.window.asleep(world):
            held.let_go()
            return
        self.warn(world, held)
        covered = self.covered(world, held)
        level, cap = held.window.level(world), held.caps["exports"]
        self.hold(world, held, level * (covered > 0), (1.0 - covered) * world.base_flow(cap))
