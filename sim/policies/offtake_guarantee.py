"""offtake_guarantee: governments buy what plants cannot sell, so that they go on making it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.blueprint import Blueprint
from sim.config import schema
from sim.config.schema import Flow, Number, Positive
from sim.errors import did_you_mean
from sim.network import Index, Network
from sim.policies.base import Held, policy
from sim.policies.support import Support, usual_sales
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]


@policy("offtake_guarantee")
class OfftakeGuarantee(Support):
    """Buy up to a volume of what plants make of their usual output and the market does not take.

    Plants count on ``g = min(volume, usual - x)`` beside their smoothed sales x, several of them in proportion to what
    they lack. Before they produce, sponsors take what lies above the target stock, at most ``g`` a day, and pay
    `price` over baseline for it. It goes into `stockpile`, from which a release may sell it, or else into a store of
    the sponsors' own that nobody draws on: metal is moved, never lost. It changes hands at the plant, without time on
    the way and whatever stops trade at the border. A plant that sells what it usually does costs nothing.
    """

    volume: Flow = Field(description="most that is bought per day, from all plants together")
    price: Positive = Field(Number(1.0), description="price paid, over baseline")
    stockpile: str | None = Field(None, description="reserve that takes the metal; a store of its own unless given")

    @model_validator(mode="after")
    def _one_material(self) -> OfftakeGuarantee:
        if self.material is None or len(self.material) != 1:
            raise ValueError("give the one 'material' that is bought.")
        return self

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Add a store where no reserve is named."""
        if self.stockpile is None:
            assert self.material is not None
            owner, empty = next(iter(self.sponsors)), Number(0.0, dimension="t")
            store = schema.Stockpile(title=self.title or name, country=owner, material=self.material[0], tonnes=empty)
            known = {**blueprint.world.stockpiles, name: store}
            blueprint.world = blueprint.world.model_copy(update={"stockpiles": known})

    def check(self, network: Network) -> Iterator[str]:
        """Yield what is wrong with the plants, and a reserve that does not hold their material."""
        yield from super().check(network)
        if self.stockpile is None:
            return
        pile = network.world.stockpiles.get(self.stockpile)
        if pile is None:
            hint = did_you_mean(self.stockpile, network.world.stockpiles)
            yield f"stockpile: got '{self.stockpile}'. Not a stockpile of this world.{hint}"
        elif pile.material not in (self.material or ()):
            yield f"stockpile: got '{self.stockpile}', which holds {pile.material}."

    def act(self, world: World, held: Held) -> None:
        """Take what is left over, then let plants count on the same."""
        level = held.window.level(world)
        if not level.any():
            return
        assert self.material is not None
        rows = held.memory.setdefault("rows", self.rows(world.network))
        volume = level * world.draws.number(self.volume)
        lacking = np.maximum(usual_sales(world, rows) - world.beliefs.sales[rows], 0.0)
        total = sum_rows(lacking)
        share = np.divide(np.minimum(volume, total), total, out=np.zeros_like(total), where=total > 0)
        counted = lacking * share
        self._take(world, held, rows, counted, level)
        world.levers.back_sales(rows, counted)

    def _take(self, world: World, held: Held, rows: Index, counted: Array, level: Array) -> None:
        """Move what lies above the target stock into the reserve, and pay for it."""
        assert self.material is not None
        store = world.network.supplier_row[self.stockpile or held.name, self.material[0]]
        planned = world.beliefs.sales[rows] + counted
        target = world.baseline.supplier_cover[rows] * np.maximum(usual_sales(world, rows), planned)
        over = world.stocks.supplier[rows] - (target - planned * world.step)
        amount = np.where(over > 1e-9 * target, np.minimum(over, counted * world.step), 0.0)
        if not amount.any():
            return
        world.stocks.hand_over(rows, store, amount)
        normal = world.baseline.price[world.network.supplier_material[rows]]
        self.pay(world, held, rows, amount * normal * world.draws.number(self.price))
        bought = amount.any(axis=0)
        first = held.happened.setdefault("first purchase", np.full(world.draws.replications, np.inf))
        held.happened["first purchase"] = np.where(bought & np.isinf(first), world.day, first)
