"""A world as tables: who mines, processes, consumes and holds what, from whom, and for how long it would last.

Everything is the balanced start at central values: what a run starts from when no range is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.console import Group
from rich.table import Table
from rich.text import Text

from sim.balance import Baseline, balance
from sim.config.load import Plan
from sim.draws import Draws
from sim.engine import Case, lay_out
from sim.hazards import mean_availability
from sim.network import Network

Array = NDArray[np.float64]

DAYS_PER_YEAR = 365.25

NUMBERS = (
    "share", "share of capacity used", "tonnes held", "days of cover", "days to arrive", "balanced over given"
)  # fmt: skip
"""Headings of columns that hold numbers."""

SHARES = (
    "largest by place", "China by place", "HHI by place", "largest by owner", "China by owner", "HHI by owner",
    "left without the largest",
)  # fmt: skip

BALANCES = (
    "in", "made", "used", "implied stock change",
    "cover at users, d", "on the way, d", "at sellers, d", "in reserves, d",
)  # fmt: skip

STOCKED = "stock_building"
"""Sector of a consumer that stands for growing stocks."""

FAR = 0.1
"""Given numbers that balancing moved further than this are marked."""

MOVED = 0.01
"""Given numbers that balancing moved by less than this share are not listed."""


def describe(plan: Plan, cases: tuple[Case, ...]) -> Group:
    """Return the world of a plan's first scenario, and what its scenarios do, as tables to print."""
    world = Described.of(plan, cases[0])
    parts: list[Table | Text] = [_opening(plan, cases[0])]
    for material in world.network.materials:
        parts += [_heading(world, material), _suppliers(world, material), _buyers(world, material)]
    shares = Text("\nWho makes it, by where plants stand and by who owns them", style="bold")
    balances = Text("\nHow each material balances, and how long stocks would last", style="bold")
    return Group(
        *parts,
        shares,
        _concentration(world),
        balances,
        _balances(world),
        _balancing(world),
        _scenarios(plan),
        _policies(plan),
    )


@dataclass(frozen=True)
class Described:
    """A balanced start at central values; arrays have one replication, which is taken off.

    Attributes
    ----------
    network : Network
    sales : (supplier,) float, t/d
    requirement : (buyer,) float, t/d
    flow, lead_time : (lane,) float, t/d and d
    held : (supplier,) float, t
        Of stockpiles.
    """

    network: Network
    baseline: Baseline
    sales: Array
    requirement: Array
    flow: Array
    lead_time: Array
    held: Array

    @classmethod
    def of(cls, plan: Plan, case: Case) -> Described:
        """Balance a case at central values."""
        network, _, _ = lay_out(case)
        draws = Draws(plan.experiment.seed, 0, 1, uncertain=False)
        up = mean_availability(network, draws, case.switches.hazards)
        base = balance(network, draws, case.calendar.review, up)
        columns = (base.sales, base.requirement, base.flow, base.lead_time, base.holding)
        return cls(network, base, *(each[:, 0] for each in columns))

    def title(self, owner: str) -> str:
        """Return the title of a facility or stockpile, or the name of a country."""
        world = self.network.world
        if owner in self.network.blueprint.facilities:
            return self.network.blueprint.facilities[owner].title
        return world.stockpiles[owner].title if owner in world.stockpiles else world.countries.get(owner, owner)

    def suppliers_of(self, material: str) -> list[int]:
        """Return the rows that sell a material, the largest first, stockpiles last."""
        rows = [i for i, row in enumerate(self.network.suppliers) if row.material == material]
        return sorted(rows, key=lambda i: (self.network.suppliers[i].stockpile, -self.sales[i]))

    def by_country(self, material: str, *, owner: bool = False) -> dict[str, float]:
        """Return sales of a material by the country where the seller stands, t/d, the largest first.

        Parameters
        ----------
        owner : bool
            By the country of its owner instead.
        """
        sold: dict[str, float] = {}
        for i in self.suppliers_of(material):
            row = self.network.suppliers[i]
            facility = self.network.blueprint.facilities.get(row.owner)
            owned = owner and facility is not None and facility.owner_country is not None
            country = str(facility.owner_country) if facility is not None and owned else row.country
            sold[country] = sold.get(country, 0.0) + float(self.sales[i])
        return dict(sorted(sold.items(), key=lambda item: -item[1]))


def concentration(amounts: Array) -> float:
    """Return the Herfindahl-Hirschman index of some amounts, between 0 and 10,000.

    The sum of squared shares in per cent (Hirschman 1945; Herfindahl 1950); 0 where there is nothing.
    """
    total = amounts.sum()
    return float(((100.0 * amounts / total) ** 2).sum()) if total > 0 else 0.0


# -- tables ---------------------------------------------------------------------------------------------


def _opening(plan: Plan, case: Case) -> Text:
    horizon, experiment = case.horizon, plan.experiment
    return Text.assemble(
        (f"{experiment.title}\n", "bold"),
        f"{experiment.question}\n",
        f"{horizon.start} to {horizon.end}, a review every {horizon.review.value:g} days; "
        f"{experiment.replications} replications of {len(plan.scenarios)} scenarios, seed {experiment.seed}.\n"
        f"The start, at central values, of scenario '{case.name}':",
    )


def _heading(world: Described, material: str) -> Text:
    record = world.network.world.materials[material]
    sold = world.by_country(material)
    total = sum(sold.values())
    leader = next(iter(sold))
    price = world.baseline.price[world.network.material_index[material], 0]
    return Text.assemble(
        (f"\n{record.title}", "bold"),
        f" ({record.basis}): {total * DAYS_PER_YEAR:,.0f} {record.unit}/yr at {price:,.0f} USD/{record.unit}; "
        f"{world.title(leader)} makes {sold[leader] / max(total, 1e-300):.0%}, "
        f"concentration by country (HHI) {concentration(np.array(list(sold.values()))):,.0f}",
    )


def _concentration(world: Described) -> Table:
    """Show who leads each stage, by where plants stand and by who owns them, and what is left without them.

    What is left is remaining supply over demand with the largest country removed, no stocks and no response: the
    N-1 share of the International Energy Agency.
    """
    table = _table("Stage", *SHARES)
    for material in world.network.materials:
        stands, owned = world.by_country(material), world.by_country(material, owner=True)
        total = max(sum(stands.values()), 1e-300)
        cells = []
        for sold in (stands, owned):
            leader = next(iter(sold))
            cells += [f"{leader} {sold[leader] / total:.0%}", f"{sold.get('CHN', 0.0) / total:.0%}"]
            cells.append(f"{concentration(np.array(list(sold.values()))):,.0f}")
        table.add_row(
            world.network.world.materials[material].title, *cells, f"{1.0 - max(stands.values()) / total:.0%}"
        )
    return table


def _balances(world: Described) -> Table:
    """Show what is made and used of each material, the stock change that given numbers imply, and days of cover.

    Where a side is closed by a facility or a recipe, that took up the difference and no stock change is implied; use
    that a file sets aside for growing stocks (sector ``stock_building``) counts as one.
    """
    table = _table("Material", *BALANCES)
    network, closure, base = world.network, world.baseline.closure, world.baseline
    for m, material in enumerate(network.materials):
        record = network.world.materials[material]
        sells, buys = network.supplier_material == m, network.buyer_material == m
        lanes = buys[network.lane_buyer]
        total = max(float(world.requirement[buys].sum()), 1e-300)
        implied = _stocked(world, material)
        for side, closer, sign in (("supply", record.supply_closed_by, 1), ("demand", record.demand_closed_by, -1)):
            if closer == "scale":
                implied += sign * float(closure.given[material, side][0] - closure.total[material][0])
        days = [
            (world.requirement * base.cover[:, 0])[buys].sum(),
            (world.flow * world.lead_time)[lanes].sum(),
            (world.sales * base.supplier_cover[:, 0])[sells].sum(),
            world.held[sells].sum(),
        ]
        flows = [float(world.sales[sells].sum()), float(world.requirement[buys].sum()) - _stocked(world, material)]
        numbers = [f"{flow * DAYS_PER_YEAR:,.0f}" for flow in flows]
        change = f"{implied * DAYS_PER_YEAR:+,.0f} ({implied / total:+.1%})" if abs(implied) > 1e-9 * total else "0"
        table.add_row(record.title, f"{record.unit}/yr", *numbers, change, *(f"{float(d) / total:.0f}" for d in days))
    return table


def _stocked(world: Described, material: str) -> float:
    """Return use that grows stocks, t/d."""
    found = 0.0
    for country, uses in world.network.world.consumers.items():
        share = uses[material].sectors.get(STOCKED) if material in uses else None
        if share is not None:
            rows = world.network.buyer_rows[country, material]
            found += share.value * float(world.requirement[rows].sum())
    return found


def _suppliers(world: Described, material: str) -> Table:
    table = _table("Sold by", "in", _yearly(world, material), "share", "share of capacity used", "tonnes held")
    network, total = world.network, sum(world.by_country(material).values())
    for i in world.suppliers_of(material):
        row = network.suppliers[i]
        if row.stockpile:
            table.add_row(world.title(row.owner), row.country, "", "", "", f"{world.held[i]:,.0f}")
            continue
        stock = world.sales[i] * world.baseline.supplier_cover[i, 0]
        opens = network.blueprint.facilities[row.owner].opens
        if opens is not None:
            table.add_row(world.title(row.owner), row.country, "opens later", "", "", "")
            continue
        used = world.baseline.utilisation[network.facility_index[row.owner], 0]
        numbers = (
            f"{world.sales[i] * DAYS_PER_YEAR:,.0f}",
            f"{world.sales[i] / max(total, 1e-300):.1%}",
            f"{used:.0%}",
        )
        table.add_row(world.title(row.owner), row.country, *numbers, f"{stock:,.0f}")
    return table


def _buyers(world: Described, material: str) -> Table:
    table = _table(
        "Bought by", "in", _yearly(world, material), "share", "days of cover", "days to arrive", "largest source"
    )
    network = world.network
    total = sum(float(world.requirement[rows].sum()) for (_, m), rows in network.buyer_rows.items() if m == material)
    for (owner, bought), rows in network.buyer_rows.items():
        first = network.buyers[rows[0]]
        need = float(world.requirement[rows].sum())
        if bought != material or first.kind == "stockpile":
            continue
        if need == 0.0:
            table.add_row(world.title(owner), first.country, "opens later", "", "", "", "")
            continue
        cover = float((world.requirement[rows] * world.baseline.cover[rows, 0]).sum()) / need
        arrives, source = _sources(world, rows)
        numbers = (f"{need * DAYS_PER_YEAR:,.0f}", f"{need / total:.1%}", f"{cover:.0f}", f"{arrives:.0f}")
        table.add_row(world.title(owner), first.country, *numbers, source)
    return table


def _sources(world: Described, rows: NDArray[np.int64]) -> tuple[float, str]:
    """Return the mean lead time of a buyer, days, and its largest source with its share."""
    network = world.network
    lanes = np.concatenate([np.arange(network.lane_ptr[b], network.lane_ptr[b + 1]) for b in rows])
    flow = world.flow[lanes]
    bought: dict[str, float] = {}
    for lane, amount in zip(lanes, flow, strict=True):
        country = network.suppliers[network.lane_supplier[lane]].country
        bought[country] = bought.get(country, 0.0) + float(amount)
    total = float(flow.sum())
    if total == 0.0:
        return float("nan"), ""
    leader = max(bought, key=lambda country: bought[country])
    return float((flow * world.lead_time[lanes]).sum()) / total, f"{leader} {bought[leader] / total:.0%}"


def _balancing(world: Described) -> Table:
    """List the given numbers that had to give way for supply to equal demand."""
    table = _table("Moved by balancing", "given", "balanced over given")
    closure = {address: float(factor[0]) for address, factor in world.baseline.closure.moved.items()}
    kinds = ((closure, "quantity"), (world.baseline.moved_lanes, "share of purchases"))
    for moved, kind in kinds:
        for address, factor in sorted(moved.items(), key=lambda item: -abs(np.log(max(item[1], 1e-9)))):
            if abs(factor - 1.0) > MOVED:
                far = abs(factor - 1.0) > FAR
                table.add_row(address, kind, f"{factor:.2f}" + (" (!)" if far else ""))
    return table


def _scenarios(plan: Plan) -> Table:
    table = _table("Scenario", "", "title")
    for number, scenario in enumerate(plan.scenarios, 1):
        title = scenario.title + (" (counterfactual)" if scenario.counterfactual else "")
        table.add_row(scenario.name, str(number), title)
    return table


def _policies(plan: Plan) -> Table:
    table = _table("Policy", "in scenarios", "type", "title")
    named = {name: raw for scenario in plan.scenarios for name, raw in scenario.policies.items()}
    for name, raw in named.items():
        numbers = [str(place) for place, scenario in enumerate(plan.scenarios, 1) if name in scenario.policies]
        table.add_row(name, " ".join(numbers), str(raw.get("type")), str(raw.get("title", "")))
    return table


def _yearly(world: Described, material: str) -> str:
    """Return the unit of a material's flows, for a heading."""
    return f"{world.network.world.materials[material].unit}/yr"


def _table(*headings: str) -> Table:
    table = Table(pad_edge=False)
    for heading in headings:
        right = heading in NUMBERS or heading in BALANCES[1:] or heading.endswith("/yr")
        table.add_column(heading, justify="right" if right else "left")
    return table
