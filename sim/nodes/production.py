"""Wanted throughput, shared by mines and processors (docs/model.md, equations 1 to 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.network import ProcessRows
from sim.world import World

Array = NDArray[np.float64]

RECOVERY_FROM, RECOVERY_TO = 4.0, 8.0
"""Multiples of target stock between which the recovered share of a joint or by-product falls from 1 to 0."""


def facility_growth(world: World, rows: ProcessRows) -> Array:
    """Return the demand path of each member's first product, (member, replication)."""
    return np.asarray(world.growth_now[world.network.supplier_material[rows.outputs[0]]])


def usual_throughput(world: World, rows: ProcessRows) -> Array:
    """Return the baseline path: start times growth, plus what plants opened since make at usual utilisation."""
    base, plants = world.baseline.throughput[rows.facility], world.plant_capacity[rows.facility]
    return np.asarray(base * facility_growth(world, rows) + plants * world.baseline.utilisation[rows.facility])


def wanted_throughput(world: World, rows: ProcessRows) -> Array:
    """Return what members would make if inputs allowed, (member, replication), units per day."""
    beliefs, habits, step = world.beliefs, world.habits, float(world.step)
    made = world.baseline.made[rows.outputs]
    sales = beliefs.sales[rows.outputs] / made
    stock = world.stocks.supplier[rows.outputs] / made
    cover = world.baseline.supplier_cover[rows.outputs].mean(axis=0)
    usual = usual_throughput(world, rows)
    if len(rows.outputs) == 1:
        sold, price = sales[0], beliefs.shadow_smooth[rows.outputs[0]]
        gap = cover * np.maximum(usual, sold) - stock[0] - sold * step
    else:
        sold, price, gap = _joint(world, rows, made, sales, cover, usual)
    wanted = sold * np.exp(habits.eps_s * price) + gap / habits.T_s
    return np.clip(wanted, 0.0, limit(world, rows))


def _joint(
    world: World, rows: ProcessRows, made: Array, sales: Array, cover: Array, usual: Array
) -> tuple[Array, Array, Array]:
    """Weigh joint products by value: sales at current prices, price and stock gap at baseline shares.

    The gap uses what scarcity adds to the price now, without input cost and caution, which say nothing of stocks.
    """
    beliefs = world.beliefs
    value = made * world.baseline.price[world.network.supplier_material[rows.outputs]]
    share = value / value.sum(axis=0)
    current = share * np.exp(beliefs.shadow[rows.outputs])
    current /= current.sum(axis=0)
    sold = (current * sales).sum(axis=0)
    price = np.log((share * np.exp(beliefs.shadow_smooth[rows.outputs])).sum(axis=0))
    scarcity = beliefs.shadow[rows.outputs] - beliefs.input_cost[rows.outputs] - beliefs.caution[rows.outputs]
    now = np.log((share * np.exp(scarcity)).sum(axis=0))
    gap = cover * np.maximum(usual, sold) * np.clip(1.0 - np.exp(-now / world.habits.phi_s), -2.0, 1.0)
    return sold, price, gap


def limit(world: World, rows: ProcessRows) -> Array:
    """Return what members can make with the capacity that is up, (member, replication), units per day."""
    capacity = (
        world.baseline.capacity[rows.facility] * facility_growth(world, rows) + world.plant_capacity[rows.facility]
    )
    return np.asarray(capacity * world.levers.available[rows.facility])


def put_out(world: World, rows: ProcessRows, throughput: Array, by_product: bool) -> None:
    """Move output into stock; a joint or by-product that piles up is partly left unrecovered.

    Parameters
    ----------
    throughput : (member, replication) float, units per day
    """
    step = float(world.step)
    joint = len(rows.outputs) > 1
    for output in rows.outputs:
        amount = world.baseline.made[output] * throughput * step
        world.stocks.make(output, amount)
        if joint or by_product:
            _leave_surplus(world, rows, output, amount)


def _leave_surplus(world: World, rows: ProcessRows, output: NDArray[np.int64], amount: Array) -> None:
    target = world.baseline.supplier_cover[output] * world.baseline.made[output] * usual_throughput(world, rows)
    stock = world.stocks.supplier[output]
    if not (stock > RECOVERY_FROM * target).any():
        return
    multiple = np.divide(stock, target, out=np.zeros_like(stock), where=target > 0)
    recovered = np.clip((RECOVERY_TO - multiple) / (RECOVERY_TO - RECOVERY_FROM), 0.0, 1.0)
    world.stocks.leave(output, (1.0 - recovered) * amount)
