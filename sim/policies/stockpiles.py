"""stockpile_release and stockpile_build: a reserve sells to its beneficiaries, or buys below a price limit.

A release with a refill is a state machine per replication: idle, releasing while its trigger (``when`` with
``until``) or its dates say so, and filling once prices have been low for long enough, until it holds what it held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from sim.blueprint import Blueprint
from sim.config.schema import Days, Flow, Names, Number, Positive, Ratio, Section, Tonnes
from sim.errors import did_you_mean
from sim.gates import Cap, CapBook
from sim.levers import Spending
from sim.network import Index, Network
from sim.offers import Bid, Offer
from sim.policies.base import Held, Policy, policy
from sim.sectors import sector_problems, sector_shares
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]

DAYS_PER_MONTH = 365.25 / 12


def _read_beneficiaries(raw: Any) -> Any:
    """Let a name or a list of names stand for a mapping without shares."""
    names = [raw] if isinstance(raw, str) else raw
    return raw if isinstance(raw, Mapping) else dict.fromkeys(names)


Beneficiaries = Annotated[dict[str, Ratio | None], BeforeValidator(_read_beneficiaries)]
"""Names, or names with their shares."""


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

    def row(self, network: Network) -> int:
        """Return the reserve's place among suppliers."""
        return network.supplier_row[(self.stockpile, self.material(network))]

    def dock(self, network: Network) -> int:
        """Return the reserve's place among buyers."""
        return int(network.buyer_rows[(self.stockpile, self.material(network))][0])

    def bought(self, world: World, held: Held) -> Array:
        """Book what this policy bought in the last review, and return it, (replication,) t."""
        network, dock = world.network, self.dock(world.network)
        bid: Bid | None = held.memory.pop("bid", None)
        if bid is None:
            return np.zeros(world.draws.replications)
        bought = sum_rows(world.lane_flow[network.lane_ptr[dock] : network.lane_ptr[dock + 1]]) * bid.part
        if bought.any():
            price = world.baseline.price[network.buyer_material[dock]]
            self.pay(world, held, bought * price * np.exp(world.beliefs.price[dock]))
        return np.asarray(bought)

    def pay(self, world: World, held: Held, money: Array) -> None:
        """Account public money for the country that owns the reserve."""
        pile = world.network.world.stockpiles[self.stockpile]
        world.levers.spend(Spending(held.name, pile.material, pile.country, money, np.zeros_like(money)))


class Refill(Section):
    """How a reserve buys back what it sold."""

    rate: Flow = Field(description="bought back per day at most")
    price_limit: Positive = Field(Number(1.2), description="price over baseline above which it does not buy")
    wait: Days = Field(Number(0.0), description="how long prices must be below the limit after the release")


@policy("stockpile_release")
class StockpileRelease(_Reserve):
    """Sell a reserve to its beneficiaries while a trigger holds, or between two dates; buy back after it if asked to.

    Acts separately in each replication; metal is moved, never made, so a release ends when the reserve is empty.
    """

    rate: Flow = Field(description="offered per day")
    monthly_cap: Tonnes | None = Field(None, description="most that may be sold in a month of 30.4 days")
    beneficiaries: Beneficiaries | None = Field(
        None, description="who may buy, or their shares of each offer; the owner's country unless given"
    )
    price: Literal["auction", "fixed"] = Field("auction", description="sold at the market's price, or at a fixed one")
    reserve_price: Positive = Field(Number(1.0), description="lowest price over baseline at which it sells by auction")
    fixed_price: Positive | None = Field(None, description="price over baseline at which it sells if price is fixed")
    first_call: Names | None = Field(None, description="sectors whose unmet want is served first with what it sells")
    refill: Refill | None = Field(None, description="how it buys back what it sold; not at all unless given")

    @model_validator(mode="after")
    def _prices_and_shares(self) -> StockpileRelease:
        if (self.price == "fixed") != (self.fixed_price is not None):
            raise ValueError("'price: fixed' and 'fixed_price' need each other.")
        if self.price == "fixed" and "reserve_price" in self.model_fields_set:
            raise ValueError("give either a 'reserve_price' or a 'fixed_price', not both.")
        shares = [share.value for share in self.shares.values()]
        if shares and len(shares) != len(self.beneficiaries or ()):
            raise ValueError("beneficiaries: give a share to each, or to none.")
        if shares and abs(sum(shares) - 1.0) > 0.005:
            raise ValueError(f"beneficiaries: shares add up to {sum(shares):g}. They must add up to 1.")
        return self

    @property
    def shares(self) -> dict[str, Number]:
        """Shares of the beneficiaries, where they are given."""
        return {name: share for name, share in (self.beneficiaries or {}).items() if share is not None}

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Give the reserve lanes to its beneficiaries, and let it buy if it refills."""
        pile = blueprint.world.stockpiles.get(self.stockpile)
        if pile is not None:
            blueprint.let_sell(self.stockpile, tuple(self.beneficiaries or (pile.country,)))
        if self.refill is not None:
            blueprint.fillers.add(self.stockpile)

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for an unknown stockpile or sector, and for a beneficiary that has no use for it."""
        yield from super().check(network)
        if self.stockpile not in network.world.stockpiles:
            return
        for name in self.beneficiaries or ():
            if self.shares and not self.lanes_to(network, name).size:
                yield f"beneficiaries: got '{name}', which buys no {self.material(network)}."
        yield from sector_problems(network, self.groups(network), self.first_call or (), "first_call")

    def caps(self, network: Network, book: CapBook) -> dict[str, Cap]:
        """Ask for one limit per beneficiary where shares are given."""
        return {name: book.shared(self.lanes_to(network, name)) for name in self.shares}

    def lanes(self, network: Network) -> Index:
        """Return the lanes from the reserve to its beneficiaries."""
        owner = (network.world.stockpiles[self.stockpile].country,)
        lanes = network.lanes([self.material(network)], [self.stockpile], tuple(self.beneficiaries or owner))
        return lanes[[network.buyers[b].kind != "stockpile" for b in network.lane_buyer[lanes]]]

    def lanes_to(self, network: Network, beneficiary: str) -> Index:
        """Return the lanes from the reserve to one beneficiary."""
        lanes = network.lanes([self.material(network)], [self.stockpile], [beneficiary])
        return lanes[[network.buyers[b].kind != "stockpile" for b in network.lane_buyer[lanes]]]

    def groups(self, network: Network) -> list[tuple[str, str]]:
        """Return the beneficiaries' (material, country) pairs in which sectors are told apart: no plant buys there."""
        places = dict.fromkeys(network.buyers[b].place for b in network.lane_buyer[self.lanes(network)])
        pairs = [(self.material(network), place) for place in places]
        return [pair for pair in pairs if sector_shares(network, *pair)]

    def act(self, world: World, held: Held) -> None:
        """Offer stock in the replications where the measure is in force, and buy back where it is over."""
        lanes, row = self.lanes(world.network), self.row(world.network)
        flow = self._flow(world, held, lanes)
        sold = sum_rows(flow)
        self._account(world, held, row, lanes, flow)
        allowed = self._allowance(world, held, sold)
        self._follow_sectors(world, held, lanes, flow)
        level = held.window.level(world)
        if held.window.watch is not None:
            level = level * held.window.holds
        if self.refill is not None:
            self._refill(world, held, self.refill, lanes, level, sold)
        level = level * (world.stocks.supplier[row] > 0)
        if level.any():
            rate = world.draws.number(self.rate)
            amount = np.minimum(level * rate * world.step, allowed)
            self._share(world, held, flow, np.minimum(amount, world.stocks.supplier[row]))
            prior = self._prior(world, lanes, level * rate)
            floor = self._floor(world)
            sought = world.beliefs.price[world.network.lane_buyer[lanes]].max(axis=0) >= floor
            held.memory["offer"] = world.levers.offer(row, amount, floor, lanes, prior, sought)

    # -- what it offers -------------------------------------------------------------------------------

    def _floor(self, world: World) -> Array:
        """Return the log price below which it does not sell, (replication,); at a fixed price the trigger decides."""
        if self.price == "fixed":
            return np.zeros(world.draws.replications)
        return np.asarray(np.log(np.maximum(world.draws.number(self.reserve_price), 1e-6)))

    def _prior(self, world: World, lanes: Index, rate: Array) -> Array:
        """Return how an offer is laid out over lanes, (lane, replication) t/d, of (replication,) t/d in all.

        By requirement, that of first-call sectors if there are any; where shares are given, within each beneficiary.
        """
        need = world.beliefs.requirement[world.network.lane_buyer[lanes]]
        if self.first_call is not None:
            need = need * self._first_shares(world.network, lanes)[:, None]
        if not self.shares:
            return np.asarray(rate * need / np.maximum(sum_rows(need), 1e-30))
        drawn = {name: world.draws.number(share) for name, share in self.shares.items()}
        total = sum_rows(np.array(list(drawn.values())))
        out = np.zeros_like(need)
        for name, share in drawn.items():
            here = np.isin(lanes, self.lanes_to(world.network, name))
            out[here] = rate * share / total * need[here] / np.maximum(sum_rows(need[here]), 1e-30)
        return out

    def _first_shares(self, network: Network, lanes: Index) -> Array:
        """Return the share of first-call sectors in the use of each lane's buyer, (lane,); plants have none."""
        shares = {pair[1]: sector_shares(network, *pair) for pair in self.groups(network)}
        first = {place: sum(found.get(name, 0.0) for name in self.first_call or ()) for place, found in shares.items()}
        return np.array([first.get(network.buyers[b].place, 0.0) for b in network.lane_buyer[lanes]])

    def _share(self, world: World, held: Held, flow: Array, amount: Array) -> None:
        """Hold each beneficiary to its share of the offer and what the others left of theirs in the last review."""
        if not self.shares:
            return
        drawn = np.array([world.draws.number(share) for share in self.shares.values()])
        drawn /= sum_rows(drawn)
        unused = np.zeros_like(drawn)
        lanes, (review, last) = self.lanes(world.network), held.memory.get("offered", (-1, np.zeros_like(amount)))
        for i, name in enumerate(self.shares):
            taken = sum_rows(flow[np.isin(lanes, self.lanes_to(world.network, name))])
            unused[i] = np.maximum(drawn[i] * last - taken, 0.0) if review == world.review - 1 else 0.0
        spare = sum_rows(unused)
        for i, name in enumerate(self.shares):
            limit = np.where(amount > 0, drawn[i] * amount + spare - unused[i], np.inf)
            world.levers.cap(held.caps[name], limit[None], held.cause)
        held.memory["offered"] = world.review, amount

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

    # -- what it sold ---------------------------------------------------------------------------------

    def _flow(self, world: World, held: Held, lanes: Index) -> Array:
        """Return what this policy sold on its lanes in the last review, (lane, replication) t."""
        offer: Offer | None = held.memory.pop("offer", None)
        return (
            np.zeros((lanes.size, world.draws.replications)) if offer is None else world.lane_flow[lanes] * offer.part
        )

    def _account(self, world: World, held: Held, row: int, lanes: Index, flow: Array) -> None:
        sold = sum_rows(flow)
        if not sold.any():
            return
        buyers, price = world.network.lane_buyer[lanes], world.baseline.price[world.network.supplier_material[row]]
        market = np.exp(world.beliefs.price[buyers])
        if self.fixed_price is not None:
            fixed = world.draws.number(self.fixed_price)
            self.pay(world, held, -sold * fixed * price)
            world.recorder.note_discount(buyers, flow * (market - fixed) * price)
        else:
            self.pay(world, held, -sum_rows(flow * market) * price)
        self._note(world, held, "first sale", sold, held.window.start)

    def _note(self, world: World, held: Held, event: str, amount: Array, earliest: Array | float) -> None:
        """Date an event by the first review in which an amount is above zero."""
        first = held.happened.setdefault(event, np.full(world.draws.replications, np.inf))
        day = np.maximum(world.day - world.step, earliest)
        held.happened[event] = np.where((amount > 0) & np.isinf(first), day, first)

    def _follow_sectors(self, world: World, held: Held, lanes: Index, flow: Array) -> None:
        """Set aside what was sold in the last review for the sectors of the first call."""
        if self.first_call is None:
            return
        network, sectors = world.network, world.recorder.sectors
        followed = [sectors.followed[sectors.follow(*pair)] for pair in self.groups(network)]
        if not flow.any():
            return
        steps = world.baseline.lead_time[lanes] / world.step
        for group in followed:
            mark = group.earmark(self.first_call)
            for i, buyer in enumerate(network.lane_buyer[lanes]):
                if buyer in group.rows:
                    mark.send(int(np.searchsorted(group.rows, buyer)), flow[i], steps[i])

    # -- the way back ---------------------------------------------------------------------------------

    def _refill(self, world: World, held: Held, rule: Refill, lanes: Index, level: Array, sold: Array) -> None:
        """Buy back what was sold, once the release is over and prices have been low for long enough."""
        memory, none = held.memory, np.zeros(world.draws.replications)
        bought = self.bought(world, held)
        memory["owed"] = np.maximum(memory.get("owed", none) + sold - bought, 0.0)
        self._note(world, held, "first bought back", bought, 0.0)
        limit = world.draws.number(rule.price_limit)
        low = (level == 0) & (self._price(world, lanes) <= limit)
        memory["low"] = np.where(low, memory.get("low", none) + world.step, 0.0)
        ready = low & (memory["low"] > world.draws.number(rule.wait))
        amount = ready * np.minimum(world.draws.number(rule.rate) * world.step, memory["owed"])
        if amount.any():
            dock, bid = self.dock(world.network), np.log(np.maximum(limit, 1e-6))
            memory["bid"] = world.levers.buy(dock, amount, bid, amount > 0)

    def _price(self, world: World, lanes: Index) -> Array:
        """Return the last review's price over baseline in the owner's country, or where it sells."""
        network = world.network
        owner = (self.material(network), network.world.stockpiles[self.stockpile].country)
        if owner in network.groups:
            return world.signal("price_pressure", *owner)
        buyers = network.lane_buyer[lanes]
        need = world.beliefs.requirement[buyers]
        return np.asarray(sum_rows(need * np.exp(world.beliefs.price[buyers])) / np.maximum(sum_rows(need), 1e-30))


@policy("stockpile_build")
class StockpileBuild(_Reserve):
    """Buy for a reserve up to a target, below a price limit."""

    rate: Flow = Field(description="bought per day at most")
    target: Days = Field(description="days of the country's use to hold at the end")
    price_limit: Positive = Field(
        Number(1.5),
        description="price over baseline above which it stops buying, softened over theta + 5 % of log price",
    )

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Let the reserve buy."""
        blueprint.fillers.add(self.stockpile)

    def act(self, world: World, held: Held) -> None:
        """Buy while in force and below the target."""
        network, material = world.network, self.material(world.network)
        dock, row = self.dock(network), self.row(network)
        self.bought(world, held)
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
            limit = np.log(world.draws.number(self.price_limit))
            held.memory["bid"] = world.levers.buy(dock, amount, limit, world.beliefs.price[dock] <= limit)
