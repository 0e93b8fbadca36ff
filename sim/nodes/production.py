"""Wanted throughput, shared by mines and processors (docs/model.md, equations 1 to 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit
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
        base, reps = world.baseline, world.draws.replications
        self.material = world.network.supplier_material[rows.outputs[0]]
        self.utilisation = base.utilisation[rows.facility]
        self.price = base.price[world.network.supplier_material[rows.outputs[:, 0]]]
        self.recovers = by_product or len(rows.outputs) > 1
        self.outputs = rows.outputs.reshape(-1)
        members = (rows.facility.size, reps)
        self.usual, self.limit, self.wish = np.empty(members), np.empty(members), np.empty(members)
        self.amount, self.surplus = np.empty((self.outputs.size, reps)), np.empty((self.outputs.size, reps))

    def look(self) -> None:
        """Update the usual throughput and its limit, (member, replication), units per day.

        Usual is the start times growth, plus what plants opened since make at usual utilisation; the limit is what
        the capacity that is up can make.
        """
        world, base = self.world, self.world.baseline
        look_around(
            self.rows.facility, self.material, base.throughput, base.capacity, base.utilisation, world.growth_now,
            world.plant_capacity, world.levers.available, self.usual, self.limit,
        )  # fmt: skip

    def wanted(self) -> Array:
        """Return what members would make if inputs allowed, (member, replication), units per day; after `look`.

        What they wish to make, as far as a production limit lets them.
        """
        world, rows = self.world, self.rows
        beliefs, habits, base = world.beliefs, world.habits, world.baseline
        sales, shadow, shadow_smooth = self._seen()
        wished = wish(
            rows.outputs, base.made, base.supplier_cover, self.price, sales, world.stocks.supplier,
            shadow, shadow_smooth, beliefs.input_cost, beliefs.caution, self.usual, self.limit,
            habits.eps_s, habits.T_s, habits.phi_s, float(world.step), self.wish,
        )  # fmt: skip
        return self.permitted(wished)

    def _seen(self) -> tuple[Array, Array, Array]:
        """Return sales and log price, now and smoothed, that members go by, (supplier, replication): see `levers`.

        Where a floor backs the price, the stock gap of joint products, read off today's price without input cost and
        caution, falls no lower than at the floor; a floor above the normal price fills no shelf.
        """
        beliefs, levers = self.world.beliefs, self.world.levers
        sales = beliefs.sales + levers.backed if levers.holds("backed") else beliefs.sales
        if not levers.holds("floor"):
            return sales, beliefs.shadow, beliefs.shadow_smooth
        steady = np.minimum(levers.floor, 0.0) + beliefs.input_cost + beliefs.caution
        return sales, np.maximum(beliefs.shadow, steady), np.maximum(beliefs.shadow_smooth, levers.floor)

    def permitted(self, throughput: Array) -> Array:
        """Return what of a throughput, (member, replication), production limits let members make."""
        levers = self.world.levers
        return np.minimum(throughput, levers.limit[self.rows.facility]) if levers.holds("limit") else throughput

    def put_out(self, throughput: Array) -> None:
        """Move output into stock; a joint or by-product that piles up is partly left unrecovered.

        Parameters
        ----------
        throughput : (member, replication) float, units per day
        """
        world, base = self.world, self.world.baseline
        world.throughput[self.rows.facility] = throughput
        piled = output_of(
            self.rows.outputs, base.made, base.supplier_cover, self.usual, throughput, float(world.step),
            world.stocks.supplier, self.recovers, self.amount, self.surplus,
        )  # fmt: skip
        world.stocks.make(self.outputs, self.amount)
        if piled:
            world.stocks.leave(self.outputs, self.surplus)


@njit(cache=True, error_model="numpy")
def look_around(
    facility: Index,
    material: Index,
    throughput: Array,
    capacity: Array,
    utilisation: Array,
    growth: Array,
    opened: Array,
    available: Array,
    usual: Array,
    limit: Array,
) -> None:
    """Fill what members usually make and at most can, (member, replication), units per day.

    Parameters
    ----------
    facility, material : (member,) int
        The material is its first product.
    throughput, capacity, utilisation, opened, available : (facility, replication) float
        `opened` is capacity of plants that opened since the start.
    growth : (material, replication) float
    """
    for m in range(facility.size):
        f, product = facility[m], material[m]
        for r in range(usual.shape[1]):
            usual[m, r] = throughput[f, r] * growth[product, r] + opened[f, r] * utilisation[f, r]
            limit[m, r] = (capacity[f, r] * growth[product, r] + opened[f, r]) * available[f, r]


@njit(cache=True, error_model="numpy")
def output_of(
    outputs: Index,
    made: Array,
    cover: Array,
    usual: Array,
    throughput: Array,
    review: float,
    stock: Array,
    recovers: bool,
    amount: Array,
    surplus: Array,
) -> bool:
    """Fill what a review's throughput makes of each product, and what of that is left unrecovered, t.

    Parameters
    ----------
    outputs : (output, member) int
        Supplier rows.
    made, cover, stock : (supplier, replication) float
    usual, throughput : (member, replication) float, units per day
    recovers : bool
        Whether a surplus is left: of joint and by-products.
    amount, surplus : (output * member, replication) float
        Overwritten.

    Returns
    -------
    bool
        Whether anything is left.
    """
    members, piled = outputs.shape[1], False
    for i in range(outputs.shape[0]):
        for m in range(members):
            s, row = outputs[i, m], i * members + m
            for r in range(amount.shape[1]):
                new = made[s, r] * throughput[m, r] * review
                amount[row, r] = new
                surplus[row, r] = 0.0
                target = cover[s, r] * made[s, r] * usual[m, r]
                held = stock[s, r] + new
                if recovers and target > 0.0 and held > RECOVERY_FROM * target:
                    recovered = (RECOVERY_TO - held / target) / (RECOVERY_TO - RECOVERY_FROM)
                    surplus[row, r] = (1.0 - min(max(recovered, 0.0), 1.0)) * new
                    piled = True
    return piled


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
    count, reps = outputs.shape[0], usual.shape[1]
    sold, lifted, log_price, gap = np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps)
    for m in range(outputs.shape[1]):
        s = outputs[0, m]
        if count == 1:
            for r in range(reps):
                sold[r] = sales[s, r] / made[s, r]
                log_price[r] = shadow_smooth[s, r]
                most_days = cover[s, r] * max(usual[m, r], sold[r])
                gap[r] = most_days - stock[s, r] / made[s, r] - sold[r] * review
        else:
            _weigh(outputs[:, m], made, cover, price, sales, shadow, shadow_smooth, input_cost, caution, usual[m],
                   phi_s, sold, lifted, log_price, gap)  # fmt: skip
        for r in range(reps):
            wanted = sold[r] * exponential(eps_s[r] * log_price[r]) + gap[r] / close[r]
            out[m, r] = min(max(wanted, 0.0), most[m, r])
    return out


@njit(error_model="numpy")
def _weigh(
    outputs: Index, made: Array, cover: Array, price: Array, sales: Array, shadow: Array, shadow_smooth: Array,
    input_cost: Array, caution: Array, usual: Array, phi_s: Array, sold: Array, current: Array, log_price: Array,
    gap: Array,
) -> None:  # fmt: skip
    """Fill sales, log price and stock gap, (replication,), of one member's joint products together."""
    reps = usual.size
    value, now, days = np.zeros(reps), np.zeros(reps), np.zeros(reps)
    sold[:], current[:], log_price[:] = 0.0, 0.0, 0.0
    for i in range(outputs.size):
        s = outputs[i]
        for r in range(reps):
            worth = made[s, r] * price[i, r]
            value[r] += worth
            days[r] += cover[s, r] / outputs.size
            log_price[r] += worth * exponential(shadow_smooth[s, r])
        for r in range(reps):
            lifted = made[s, r] * price[i, r] * exponential(shadow[s, r])
            current[r] += lifted
            sold[r] += lifted * sales[s, r] / made[s, r]
        for r in range(reps):
            now[r] += made[s, r] * price[i, r] * exponential(shadow[s, r] - input_cost[s, r] - caution[s, r])
    for r in range(reps):
        sold[r] = sold[r] / current[r]
        log_price[r] = np.log(log_price[r] / value[r])
        scarcity = 1.0 - np.exp(-np.log(now[r] / value[r]) / phi_s[r])
        gap[r] = days[r] * max(usual[r], sold[r]) * min(max(scarcity, -2.0), 1.0)
