"""stockpile_release and stockpile_build: a reserve sells to its beneficiaries, or buys below a price limit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sim.blueprint import Blueprint
from sim.config.schema import Days, Flow, Names, Number, Positive, Tonnes
from sim.errors import did_you_mean
from sim.levers import Spending
from sim.network import Index, Network
from sim.policies.base import Held, Policy, policy
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]

DAYS_PER_MONTH = 365.25 / 12


class _Reserve(Policy):
    """What release and build share: the reserve they act on."""

    stockpile: str = Field(description="the reserve: a stockpile of the world")

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for an unknown stockpile."""
        if self.stockpile not in network.world.stockpiles:
            hint = did_you_mean(self.stockpile, network.world.stockpiles)
            yield f"stockpile: got '{self.stockpile}'. Not a stockpile of this world.{hint}"

    def material(self, network: Network) -> str:
        """Return the material of the reserve."""
        return network.world.stockpiles[self.stockpile].material

    def pay(self, world: World, held: Held, money: Array) -> None:
        """Account public money for the country that owns the reserve."""
        pile = world.network.world.stockpiles[self.stockpile]
        world.levers.spend(Spending(held.name, pile.material, pile.country, money, np.zeros_like(money)))


@policy("stockpile_release")
class StockpileRelease(_Reserve):
    """Sell a reserve to its beneficiaries while a trigger holds, or between two dates.

    Acts separately in each replication; metal is moved, never made, so a release ends when the reserve is empty.
    Proceeds at market price count as negative public cost.
    """

    rate: Flow = Field(description="offered per day")
    monthly_cap: Tonnes | None = Field(None, description="most that may be sold in a month")
    beneficiaries: Names | None = Field(None, description="buyers; those of the owner's country unless given")
    reserve_price: Positive = Field(Number(1.0), description="lowest price over baseline at which it sells")

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Give the reserve lanes to its beneficiaries."""
        pile = blueprint.world.stockpiles.get(self.stockpile)
        if pile is not None:
            blueprint.let_sell(self.stockpile, self.beneficiaries or (pile.country,))

    def lanes(self, network: Network) -> Index:
        """Return the lanes from the reserve to its beneficiaries."""
        owner = (network.world.stockpiles[self.stockpile].country,)
        lanes = network.lanes([self.material(network)], [self.stockpile], self.beneficiaries or owner)
        return lanes[[network.buyers[b].kind != "stockpile" for b in network.lane_buyer[lanes]]]

    def act(self, world: World, held: Held) -> None:
        """Offer stock in the replications where the measure is in force."""
        lanes = self.lanes(world.network)
        row = world.network.supplier_row[(self.stockpile, self.material(world.network))]
        sold = sum_rows(world.lane_flow[lanes])
        self._account(world, held, row, lanes, sold)
        level = held.window.holds * 1.0 if held.window.watch is not None else held.window.level(world)
        level = level * (world.stocks.supplier[row] > 0)
        if not level.any():
            return
        rate = world.draws.number(self.rate)
        need = world.beliefs.requirement[world.network.lane_buyer[lanes]]
        prior = level * rate * need / np.maximum(sum_rows(need), 1e-30)
        amount = np.minimum(level * rate * world.step, self._allowance(world, held, sold))
        floor = np.log(np.maximum(world.draws.number(self.reserve_price), 1e-6))
        world.levers.offer(row, amount, floor, lanes, prior)

    def _allowance(self, world: World, held: Held, sold: Array) -> Array:
        """Return what the monthly cap leaves, t; months of 30.4 days since the start of the run."""
        if self.monthly_cap is None:
            return np.full(world.draws.replications, np.inf)
        month = int(world.day // DAYS_PER_MONTH)
        before = held.memory.get("month_sold", np.zeros(world.draws.replications))
        same = held.memory.get("month") == month
        used = before + sold if same else np.zeros(world.draws.replications)
        held.memory |= {"month": month, "month_sold": used}
        return np.maximum(world.draws.number(self.monthly_cap) - used, 0.0)

    def _account(self, world: World, held: Held, row: int, lanes: Index, sold: Array) -> None:
        if sold.any():
            price = world.baseline.price[world.network.supplier_material[row]]
            paid = np.exp(world.beliefs.price[world.network.lane_buyer[lanes]])
            self.pay(world, held, -sum_rows(world.lane_flow[lanes] * paid) * price)
            first = held.happened.setdefault("first sale", np.full(world.draws.replications, np.inf))
            held.happened["first sale"] = np.where(
                (sold > 0) & np.isinf(first), np.maximum(world.day - world.step, held.window.start), first
            )


@policy("stockpile_build")
class StockpileBuild(_Reserve):
    """Buy for a reserve up to a target, below a price limit."""

    rate: Flow = Field(description="bought per day at most")
    target: Days = Field(description="days of the country's use to hold at the end")
    price_limit: Positive = Field(
        Number(1.5), description="price over baseline above which it stops buying, softened over 5 %"
    )

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Let the reserve buy."""
        blueprint.fillers.add(self.stockpile)

    def act(self, world: World, held: Held) -> None:
        """Buy while in force and below the target."""
        network, material = world.network, self.material(world.network)
        dock = int(network.buyer_rows[(self.stockpile, material)][0])
        row = network.supplier_row[(self.stockpile, material)]
        lanes = np.arange(network.lane_ptr[dock], network.lane_ptr[dock + 1])
        bought = sum_rows(world.lane_flow[lanes])
        if bought.any():
            price = world.baseline.price[network.supplier_material[row]]
            self.pay(world, held, bought * price * np.exp(world.beliefs.price[dock]))
        level = held.window.level(world)
        country = network.world.stockpiles[self.stockpile].country
        users = [
            i
            for i, buyer in enumerate(network.buyers)
            if (buyer.material, buyer.country) == (material, country) and i != dock
        ]
        wanted = world.draws.number(self.target) * sum_rows(world.baseline.requirement[users])
        coming = world.stocks.in_transit[dock] + world.stocks.buyer[dock]  # what landed today is not yet stored
        missing = np.maximum(wanted - world.stocks.supplier[row] - coming, 0.0)
        amount = np.minimum(level * world.draws.number(self.rate) * world.step, missing)
        if amount.any():
            world.levers.buy(dock, amount, np.log(world.draws.number(self.price_limit)))
