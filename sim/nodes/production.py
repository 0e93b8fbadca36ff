"""Wanted throughput, shared by mines and processors (docs/model.md, equations 1 to 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit
from sim.network import ProcessRows
from sim.world import World

Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

BEFORE_HOSTS, MINES, PLANTS, AFTER_HOSTS, COMPANIES = 0, 1, 2, 3, 4
"""Stages of production. By-products follow simulated hosts: later ones as they ran in the last review."""

RECOVERY_FROM, RECOVERY_TO = 4.0, 8.0
"""Multiples of target stock between which the recovered share of a joint or by-product falls from 1 to 0."""


class Works:
    """Facilities of one or more processes: what they usually make, could make and wish to make, and where output goes.

    Nothing that one facility makes is used by another in the same review, so all of a kind take one call.

    Parameters
    ----------
    world : World
    groups : sequence of ProcessRows

    Attributes
    ----------
    facility, material : (member,) int
        Members lie together by process; the material is the first product.
    product, product_ptr : int
        Supplier rows of member m are ``product[product_ptr[m]:product_ptr[m + 1]]``.
    hosted, recovers : (member,) bool
        By-products follow a host; of joint and by-products, what piles up is left unrecovered.
    """

    def __init__(self, world: World, groups: Sequence[ProcessRows]) -> None:
        self.world, base, reps = world, world.baseline, world.draws.replications
        self.facility = np.concatenate([rows.facility for rows in groups])
        products = [rows.outputs[:, m] for rows in groups for m in range(rows.facility.size)]
        self.product = np.concatenate(products)
        self.product_ptr = np.cumsum([0, *(each.size for each in products)]).astype(np.int64)
        self.material = world.network.supplier_material[self.product[self.product_ptr[:-1]]]
        processes = [world.network.world.processes[rows.process] for rows in groups for _ in rows.facility]
        self.hosted = np.array([process.host is not None for process in processes], dtype=np.bool_)
        self.recovers = self.hosted | (np.diff(self.product_ptr) > 1)
        self.utilisation = base.utilisation[self.facility]
        members, products_made = (self.facility.size, reps), (self.product.size, reps)
        self.usual, self.limit, self.wish = np.empty(members), np.empty(members), np.empty(members)
        self.amount, self.surplus = np.empty(products_made), np.empty(products_made)

    def look(self) -> None:
        """Update the usual throughput and its limit, (member, replication), units per day.

        Usual is the start times growth, plus what plants opened since make at usual utilisation; the limit is what
        the capacity that is up can make.
        """
        world, base = self.world, self.world.baseline
        look_around(
            self.facility, self.material, base.throughput, base.capacity, base.utilisation, world.growth_now,
            world.plant_capacity, world.levers.available, self.usual, self.limit,
        )  # fmt: skip

    def wanted(self) -> Array:
        """Return what members would make if inputs allowed, (member, replication), units per day; after `look`.

        What they wish to make, as far as a production limit lets them; by-products what they usually do of their limit.
        """
        world = self.world
        beliefs, habits, base = world.beliefs, world.habits, world.baseline
        sales, shadow, shadow_smooth = self._seen()
        wished = wish(
            self.product_ptr, self.product, self.hosted, base.made, base.supplier_cover, base.price,
            world.network.supplier_material, sales, world.stocks.supplier, shadow, shadow_smooth, beliefs.input_cost,
            beliefs.caution, self.usual, self.limit, self.utilisation, habits.eps_s, habits.T_s, habits.phi_s,
            float(world.step), self.wish,
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
        return np.minimum(throughput, levers.limit[self.facility]) if levers.holds("limit") else throughput

    def put_out(self, throughput: Array) -> None:
        """Move output into stock; a joint or by-product that piles up is partly left unrecovered.

        Parameters
        ----------
        throughput : (member, replication) float, units per day
        """
        world, base = self.world, self.world.baseline
        world.throughput[self.facility] = throughput
        piled = output_of(
            self.product_ptr, self.product, self.recovers, base.made, base.supplier_cover, self.usual, throughput,
            float(world.step), world.stocks.supplier, self.amount, self.surplus,
        )  # fmt: skip
        world.stocks.make(self.product, self.amount)
        if piled:
            world.stocks.leave(self.product, self.surplus)


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
    product_ptr: Index, product: Index, recovers: Mask, made: Array, cover: Array, usual: Array, throughput: Array,
    review: float, stock: Array, amount: Array, surplus: Array,
) -> bool:  # fmt: skip
    """Fill what a review's throughput makes of each product, and what of that is left unrecovered, t.

    Parameters
    ----------
    product_ptr, product, recovers
        As of `Works`.
    made, cover, stock : (supplier, replication) float
    usual, throughput : (member, replication) float, units per day
    amount, surplus : (product, replication) float
        Overwritten; the second only where anything is left.

    Returns
    -------
    bool
        Whether anything is left.
    """
    reps, piled = amount.shape[1], False
    for m in range(recovers.size):
        for i in range(product_ptr[m], product_ptr[m + 1]):
            s = product[i]
            for r in range(reps):
                amount[i, r] = made[s, r] * throughput[m, r] * review
            heaps = 0
            if recovers[m]:
                for r in range(reps):
                    target = cover[s, r] * made[s, r] * usual[m, r]
                    heaps += (target > 0.0) & (stock[s, r] + amount[i, r] > RECOVERY_FROM * target)
            if heaps > 0:
                if not piled:
                    piled = True
                    surplus[:] = 0.0
                for r in range(reps):
                    target = cover[s, r] * made[s, r] * usual[m, r]
                    held = stock[s, r] + amount[i, r]
                    if target > 0.0 and held > RECOVERY_FROM * target:
                        recovered = (RECOVERY_TO - held / target) / (RECOVERY_TO - RECOVERY_FROM)
                        surplus[i, r] = (1.0 - min(max(recovered, 0.0), 1.0)) * amount[i, r]
    return piled


@njit(cache=True, error_model="numpy")
def wish(
    product_ptr: Index, product: Index, hosted: Mask, made: Array, cover: Array, price: Array, material: Index,
    sales: Array, stock: Array, shadow: Array, shadow_smooth: Array, input_cost: Array, caution: Array,
    usual: Array, most: Array, utilisation: Array, eps_s: Array, close: Array, phi_s: Array, review: float, out: Array,
) -> Array:  # fmt: skip
    """Fill wanted throughput (docs/model.md, equations 1 and 2).

    One product: ``x exp(eps_s c) + (s* - s - x D) / T_s``. Joint products are weighed by value: sales at current
    prices, price and stock gap at baseline shares; the gap ``s* clip(1 - exp(-c_now / phi_s), -2, 1)`` uses what
    scarcity adds to the price now, without input cost and caution, which say nothing of stocks.

    Parameters
    ----------
    product_ptr, product, hosted
        As of `Works`; a hosted member makes its usual share of the most it can.
    made, cover, sales, stock, shadow, shadow_smooth, input_cost, caution : (supplier, replication) float
    price : (material, replication) float, USD/t
        Baseline.
    material : (supplier,) int
    usual, most, utilisation : (member, replication) float, units per day, and 1
    eps_s, close, phi_s : (replication,) float
    out : (member, replication) float, units per day
        Overwritten and returned.
    """
    reps = usual.shape[1]
    sold, lifted, log_price, gap = np.empty(reps), np.empty(reps), np.empty(reps), np.empty(reps)
    for m in range(hosted.size):
        if hosted[m]:
            for r in range(reps):
                out[m, r] = most[m, r] * utilisation[m, r]
            continue
        s = product[product_ptr[m]]
        if product_ptr[m + 1] - product_ptr[m] == 1:
            for r in range(reps):
                sold[r] = sales[s, r] / made[s, r]
                log_price[r] = shadow_smooth[s, r]
                most_days = cover[s, r] * max(usual[m, r], sold[r])
                gap[r] = most_days - stock[s, r] / made[s, r] - sold[r] * review
        else:
            _weigh(product[product_ptr[m]:product_ptr[m + 1]], made, cover, price, material, sales, shadow,
                   shadow_smooth, input_cost, caution, usual[m], phi_s, sold, lifted, log_price, gap)  # fmt: skip
        for r in range(reps):
            wanted = sold[r] * exponential(eps_s[r] * log_price[r]) + gap[r] / close[r]
            out[m, r] = min(max(wanted, 0.0), most[m, r])
    return out


@njit(error_model="numpy")
def _weigh(
    products: Index, made: Array, cover: Array, price: Array, material: Index, sales: Array, shadow: Array,
    shadow_smooth: Array, input_cost: Array, caution: Array, usual: Array, phi_s: Array, sold: Array, current: Array,
    log_price: Array, gap: Array,
) -> None:  # fmt: skip
    """Fill sales, log price and stock gap, (replication,), of one member's joint products together."""
    reps = usual.size
    value, now, days = np.zeros(reps), np.zeros(reps), np.zeros(reps)
    sold[:], current[:], log_price[:] = 0.0, 0.0, 0.0
    for i in range(products.size):
        s, m = products[i], material[products[i]]
        for r in range(reps):
            worth = made[s, r] * price[m, r]
            value[r] += worth
            days[r] += cover[s, r] / products.size
            log_price[r] += worth * exponential(shadow_smooth[s, r])
        for r in range(reps):
            lifted = made[s, r] * price[m, r] * exponential(shadow[s, r])
            current[r] += lifted
            sold[r] += lifted * sales[s, r] / made[s, r]
        for r in range(reps):
            now[r] += made[s, r] * price[m, r] * exponential(shadow[s, r] - input_cost[s, r] - caution[s, r])
    for r in range(reps):
        sold[r] = sold[r] / current[r]
        log_price[r] = np.log(log_price[r] / value[r])
        scarcity = 1.0 - np.exp(-np.log(now[r] / value[r]) / phi_s[r])
        gap[r] = days[r] * max(usual[r], sold[r]) * min(max(scarcity, -2.0), 1.0)
