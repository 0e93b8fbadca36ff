"""export_duty and import_tariff: trade stays free but becomes dearer, and a government earns on it.

The wedge on a lane is ``ln(1 + coverage rate)``, times the share of the review in which it is in force. Who bears it
comes out of the market: the supplier's stock, the buyer's other suppliers and the rigidity of trade decide.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.config.schema import Names, Positive
from sim.gates import Cap, CapBook
from sim.levers import Spending
from sim.network import Index, Network
from sim.policies.base import Held, LaneMeasure, policy
from sim.policies.end_use import share_of_use
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]


class _Levy(LaneMeasure):
    """What duty and tariff share: a wedge, and what it brings in."""

    rate: Positive = Field(description="levy over the price before it: 0.25 or '25 %'")

    def caps(self, network: Network, book: CapBook) -> dict[str, Cap]:
        """Ask for no limit: a levy makes trade dearer and caps nothing."""
        return {}

    def check(self, network: Network) -> Iterator[str]:
        """Yield what `LaneMeasure` finds, and keys that make no sense where nothing is stopped."""
        yield from super().check(network)
        if self.transshipment is not None:
            yield "transshipment: a levy stops nothing; give 'smuggled', the share that does not pay."
        if self.under_way != "deliver":
            yield "under_way: a levy stops nothing; goods under way are delivered."

    def payee(self, network: Network, lane: int) -> str:
        """Return the country that earns on a lane."""
        raise NotImplementedError

    def act(self, world: World, held: Held) -> None:
        """Book what the last review brought in, then hold the wedge for this one."""
        if "lanes" not in held.memory:
            lanes = self.lanes(world.network)
            log_rate = np.log1p(self.pays(world, lanes) * world.draws.number(self.rate))
            held.memory |= {"lanes": lanes, "log_rate": log_rate}
        lanes = held.memory["lanes"]
        if "wedge" in held.memory:
            self._collect(world, held, lanes, held.memory.pop("wedge"))
        if held.window.asleep(world):
            return
        wedge = held.window.level(world) * held.memory["log_rate"]
        if wedge.any():
            held.memory["wedge"] = wedge
            world.levers.cost(lanes, wedge)

    def pays(self, world: World, lanes: Index) -> Array:
        """Return the share of the goods on each lane that pays, (lane, replication)."""
        paying = np.broadcast_to(world.draws.number(self.coverage), (lanes.size, world.draws.replications))
        if self.end_use is not None:
            paying = paying * share_of_use(world, self.end_use)[world.network.lane_buyer[lanes]]
        return paying if self.smuggled is None else paying * (1.0 - world.draws.number(self.smuggled))

    def _collect(self, world: World, held: Held, lanes: Index, wedge: Array) -> None:
        """Book the levy on what was shipped in the last review: the part of the delivered price that it is."""
        network = world.network
        buyers = network.lane_buyer[lanes]
        price = world.baseline.price[network.buyer_material[buyers]] * np.exp(world.beliefs.price[buyers])
        income = world.lane_flow[lanes] * price * -np.expm1(-wedge)
        payees = [(network.buyers[network.lane_buyer[lane]].material, self.payee(network, lane)) for lane in lanes]
        for material, country in dict.fromkeys(payees):
            earned = sum_rows(income[[each == (material, country) for each in payees]])
            world.levers.spend(Spending(held.name, material, country, -earned, np.zeros_like(earned)))


@policy("export_duty")
class ExportDuty(_Levy):
    """Add a duty to the price of the covered share of exports; the exporting country earns it."""

    def payee(self, network: Network, lane: int) -> str:
        """Return the exporting country."""
        return network.suppliers[network.lane_supplier[lane]].country


@policy("import_tariff")
class ImportTariff(_Levy):
    """Add a tariff to the price of the covered share of imports; the importing country earns it.

    What reserves abroad sell pays it too.
    """

    origin: Names | None = Field(  # type: ignore[assignment]
        None, alias="from", description="countries, blocs or facilities whose goods pay; all abroad unless given"
    )
    destination: Names = Field(alias="to", description="countries, blocs or facilities whose imports pay")

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error if no lane is covered, then what a levy finds."""
        if set(self.material) <= set(network.material_index) and not self.lanes(network).size:
            whence = ", ".join(self.origin) if self.origin else "abroad"
            yield f"no trade in {', '.join(self.material)} from {whence} enters {', '.join(self.destination)}."
        else:
            yield from super().check(network)

    def payee(self, network: Network, lane: int) -> str:
        """Return the importing country."""
        return network.buyers[network.lane_buyer[lane]].country
