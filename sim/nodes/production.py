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


def facility_growth(world: World, rows: ProcessRows) -> Array:
    """Return the demand path of each member's first product, (member, replication)."""
    return np.asarray(world.growth_now[world.network.supplier_material[rows.outputs[0]]])


def usual_throughput(world: World, rows: ProcessRows) -> Array:
    """Return the baseline path: start times growth, plus what plants opened since make at usual utilisation."""
    base, plants = world.baseline.throughput[rows.facility], world.plant_capacity[rows.facility]
    return np.asarray(base * facility_growth(world, rows) + plants * world.baseline.utilisation[rows.facility])


def wanted_throughput(world: World, rows: ProcessRows, usual: Array) -> Array:
    """Return what members would make if inputs allowed, (member, replication), units per day.

    Parameters
    ----------
    usual : (member, replication) float, units per day
        As of `usual_throughput`.
    """
    beliefs, habits, base = world.beliefs, world.habits, world.baseline
    return wish(
        rows.outputs,
        base.made,
        base.supplier_cover,
        base.price[world.network.supplier_material[rows.outputs[:, 0]]],
        beliefs.sales,
        world.stocks.supplier,
        beliefs.shadow,
        beliefs.shadow_smooth,
        beliefs.input_cost,
        beliefs.caution,
        usual,
        limit(world, rows),
        habits.eps_s,
        habits.T_s,
        habits.phi_s,
        float(world.step),
        np.empty_like(usual),
    )


@njit(cache=True)
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


def limit(world: World, rows: ProcessRows) -> Array:
    """Return what members can make with the capacity that is up, (member, replication), units per day."""
    capacity = (
        world.baseline.capacity[rows.facility] * facility_growth(world, rows) + world.plant_capacity[rows.facility]
    )
    return np.asarray(capacity * world.levers.available[rows.facility])


def put_out(world: World, rows: ProcessRows, throughput: Array, usual: Array, by_product: bool) -> None:
    """Move output into stock; a joint or by-product that piles up is partly left unrecovered.

    Parameters
    ----------
    throughput, usual : (member, replication) float, units per day
    """
    step = float(world.step)
    joint = len(rows.outputs) > 1
    for output in rows.outputs:
        amount = world.baseline.made[output] * throughput * step
        world.stocks.make(output, amount)
        if joint or by_product:
            _leave_surplus(world, output, amount, usual)


def _leave_surplus(world: World, output: Index, amount: Array, usual: Array) -> None:
    target = world.baseline.supplier_cover[output] * world.baseline.made[output] * usual
    stock = world.stocks.supplier[output]
    if not (stock > RECOVERY_FROM * target).any():
        return
    multiple = np.divide(stock, target, out=np.zeros_like(stock), where=target > 0)
    recovered = np.clip((RECOVERY_TO - multiple) / (RECOVERY_TO - RECOVERY_FROM), 0.0, 1.0)
    world.stocks.leave(output, (1.0 - recovered) * amount)
