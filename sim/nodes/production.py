"""Wanted throughput, shared by mines and processors (docs/model.md, equations 1 to 3)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from sim.network import ProcessRows
from sim.world import World

Array = NDArray[np.float64]
Index = NDArray[np.int64]

RECOVERY_FROM, RECOVERY_TO = 4.0, 8.0
"""Multiples of target stock between which the recovered share of a joint or by-product falls from 1 to 0."""


class Works:
    """The facilities of one process: what they usually make, could make and wish to make, and where output goes.

    Parameters
    ----------
    world : World
    rows : ProcessRows
    by_product : bool
        Whether output follows a host, so that what piles up is left unrecovered.
    """

    def __init__(self, world: World, rows: ProcessRows, by_product: bool) -> None:
        self.world, self.rows = world, rows
        base, shape = world.baseline, (rows.facility.size, world.draws.replications)
        self.material = world.network.supplier_material[rows.outputs[0]]
        self.throughput, self.capacity = base.throughput[rows.facility], base.capacity[rows.facility]
        self.utilisation = base.utilisation[rows.facility]
        self.price = base.price[world.network.supplier_material[rows.outputs[:, 0]]]
        self.made = [base.made[output] for output in rows.outputs]
        self.target = [base.supplier_cover[output] * made for output, made in zip(rows.outputs, self.made, strict=True)]
        self.recovers = by_product or len(rows.outputs) > 1
        self.usual, self.limit, self.wish = np.empty(shape), np.empty(shape), np.empty(shape)

    @property
    def growth(self) -> Array:
        """The demand path of each member's first product, (member, replication)."""
        return np.asarray(self.world.growth_now[self.material])

    @property
    def available(self) -> Array:
        """Share of capacity that is up, (member, replication)."""
        return np.asarray(self.world.levers.available[self.rows.facility])

    def look(self) -> None:
        """Update the usual throughput and its limit, (member, replication), units per day.

        Usual is the start times growth, plus what plants opened since make at usual utilisation; the limit is what
        the capacity that is up can make.
        """
        growth, plants = self.growth, self.world.plant_capacity[self.rows.facility]
        np.multiply(self.throughput, growth, out=self.usual)
        self.usual += plants * self.utilisation
        np.multiply(self.capacity, growth, out=self.limit)
        self.limit += plants
        self.limit *= self.available

    def wanted(self) -> Array:
        """Return what members would make if inputs allowed, (member, replication), units per day; after `look`."""
        world, rows = self.world, self.rows
        beliefs, habits, base = world.beliefs, world.habits, world.baseline
        return wish(
            rows.outputs, base.made, base.supplier_cover, self.price, beliefs.sales, world.stocks.supplier,
            beliefs.shadow, beliefs.shadow_smooth, beliefs.input_cost, beliefs.caution, self.usual, self.limit,
            habits.eps_s, habits.T_s, habits.phi_s, float(world.step), self.wish,
        )  # fmt: skip

    def put_out(self, throughput: Array) -> None:
        """Move output into stock; a joint or by-product that piles up is partly left unrecovered.

        Parameters
        ----------
        throughput : (member, replication) float, units per day
        """
        self.world.throughput[self.rows.facility] = throughput
        for output, made, target in zip(self.rows.outputs, self.made, self.target, strict=True):
            amount = made * throughput * float(self.world.step)
            self.world.stocks.make(output, amount)
            if self.recovers:
                self._leave_surplus(output, amount, target * self.usual)

    def _leave_surplus(self, output: Index, amount: Array, target: Array) -> None:
        stock = self.world.stocks.supplier[output]
        if not (stock > RECOVERY_FROM * target).any():
            return
        multiple = np.divide(stock, target, out=np.zeros_like(stock), where=target > 0)
        recovered = np.clip((RECOVERY_TO - multiple) / (RECOVERY_TO - RECOVERY_FROM), 0.0, 1.0)
        self.world.stocks.leave(output, (1.0 - recovered) * amount)


@njit(cache=True, error_model="numpy")
def wish(
    outputs: Index,
    made: Array,
    cover: Array,
    price: Array,
    sales: Array,
    stock: Array,
    shadow: Array,
    shadow_smooth: Array,
    input_cost: Array,
    caution: Array,
    usual: Array,
    most: Array,
    eps_s: Array,
    close: Array,
    phi_s: Array,
    review: float,
    out: Array,
) -> Array:
    """Fill wanted throughput (docs/model.md, equations 1 and 2).

    One product: ``x exp(eps_s c) + (s* - s - x D) / T_s``. Joint products are weighed by value: sales at current
    prices, price and stock gap at baseline shares; the gap ``s* clip(1 - exp(-c_now / phi_s), -2, 1)`` uses what
    scarcity adds to the price now, without input cost and caution, which say nothing of stocks.

    Parameters
    ----------
    outputs : (output, member) int
        Supplier rows.
    made, cover, sales, stock, shadow, shadow_smooth, input_cost, caution : (supplier, replication) float
    price : (output, replication) float, USD/t
        Baseline.
    usual, most : (member, replication) float, units per day
    eps_s, close, phi_s : (replication,) float
    out : (member, replication) float, units per day
        Overwritten and returned.
    """
    count = outputs.shape[0]
    for m in range(outputs.shape[1]):
        for r in range(usual.shape[1]):
            value, current, sold, log_price, now, days = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(count):
                s = outputs[i, m]
                worth = made[s, r] * price[i, r]
                value += worth
                lifted = worth * np.exp(shadow[s, r])
                current += lifted
                sold += lifted * sales[s, r] / made[s, r]
                log_price += worth * np.exp(shadow_smooth[s, r])
                now += worth * np.exp(shadow[s, r] - input_cost[s, r] - caution[s, r])
                days += cover[s, r] / count
            s = outputs[0, m]
            if count == 1:
                sold, log_price = sales[s, r] / made[s, r], shadow_smooth[s, r]
                gap = days * max(usual[m, r], sold) - stock[s, r] / made[s, r] - sold * review
            else:
                sold, log_price = sold / current, np.log(log_price / value)
                scarcity = 1.0 - np.exp(-np.log(now / value) / phi_s[r])
                gap = days * max(usual[m, r], sold) * min(max(scarcity, -2.0), 1.0)
            wanted = sold * np.exp(eps_s[r] * log_price) + gap / close[r]
            out[m, r] = min(max(wanted, 0.0), most[m, r])
    return out
