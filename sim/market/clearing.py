"""Clears the markets of a review: the quiet ones all replications abreast, the busy ones by Newton's method in tiles.

What tiles do not take, markets with shared gates in force and the few where a step must be searched along, is left to
the scalar Newton kernel of `sim.market.equilibrium`, which holds the equations.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.market.quiet import clear_quiet_markets
from sim.market.tiles import clear_in_tiles
from sim.market.topology import MarketTopology

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@cache
def _newton() -> ModuleType:
    """Return the Newton kernel's module, loaded when a market is first cleared: with it comes the compiler."""
    from sim.market import equilibrium

    return equilibrium


def clear_markets(
    topology: MarketTopology,
    weight: Array,
    wedge: Array,
    theta: Array,
    demand_flow: Array,
    demand_elasticity: Array,
    demand_stock: Array,
    demand_stock_rate: Array,
    demand_offset: Array,
    demand_cap: Array,
    available: Array,
    floor: Array,
    supplier_scale: Array,
    gate_cap: Array,
    gate_scale: Array,
    licence_cap: Array,
    licence_scale: Array,
    v_max: float,
    tolerance: float,
    shadow: Array,
    gate_shadow: Array,
    log_price: Array,
    flow: Array,
    licence_shadow: Array,
    delivered: Array,
    iterations: Index,
) -> None:
    """Clear all markets of one review in every replication, filling the last seven arguments.

    Quantities are tonnes per review; prices are logs relative to each buyer's baseline price. Arrays
    are C-contiguous, replication last.

    Parameters
    ----------
    topology : MarketTopology
    weight : (lane, replication), t
        Volume of the relationship, K D; 0 closes the lane.
    wedge : (lane or 0, replication), log
        No rows where no lane has one.
    theta : (market, replication), at least 0.01
        Dispersion: 0 would be one world price, large is rigid contracts.
    demand_flow, demand_stock, demand_offset, demand_cap : (buyer, replication), t
        D(v) = clip(flow exp(-elasticity v) + stock exp(-stock_rate v) + offset, 0, cap); flow and
        stock are not negative.
    demand_elasticity, demand_stock_rate : (buyer, replication), 1, not negative
    available : (supplier, replication), t
        Stock on offer; may be inf. At or below 1e-6 of ``supplier_scale`` its lanes close.
    floor : (supplier, replication), log
        Reserve price.
    supplier_scale, gate_scale, licence_scale : (supplier | gate | licence, replication), t
        Baseline quantities, which say what is negligible.
    gate_cap, licence_cap : (gate | licence, replication), t
        Capacities; inf leaves the market as if the gate did not exist.
    v_max : float, positive
        Log price of the backstop substitute.
    tolerance : float, at least 1e-8
        Largest miss of a capacity, relative to max(capacity, 1e-3 baseline).
    shadow, gate_shadow, log_price : (supplier | gate | buyer, replication), log; in and out
        Solution of the last review in, of this one out; -inf starts a row at its floor, which is best
        for suppliers that were at theirs. The log price of a buyer with lanes who would take nothing at
        any price is -50: use ``delivered``.
    flow : (lane, replication), t; out
    licence_shadow : (licence, replication), log, not negative; out
    delivered : (buyer, replication), log; out
    iterations : (market, replication); out
        Newton steps, 0 where the last solution still held or the market is quiet, negative where the market did
        not converge.
    """
    newton = _newton()
    done = np.empty(theta.shape, dtype=np.bool_)
    clear_quiet_markets(
        topology, weight, wedge, theta, demand_flow, demand_elasticity, demand_stock, demand_stock_rate,
        demand_offset, demand_cap, available, floor, supplier_scale, gate_cap, licence_cap, licence_scale,
        v_max, newton.CLOSED, 4.0 * newton.ROUNDING, shadow, gate_shadow, log_price, flow, licence_shadow, delivered,
        iterations, done,
    )  # fmt: skip
    if not done.all():
        clear_in_tiles(
            topology, weight, wedge, theta, demand_flow, demand_elasticity, demand_stock, demand_stock_rate,
            demand_offset, demand_cap, available, floor, supplier_scale, gate_cap, licence_cap, licence_scale,
            v_max, tolerance, shadow, gate_shadow, log_price, flow, licence_shadow, delivered, iterations, done,
        )  # fmt: skip
    if not done.all():
        newton.clear_busy_markets(
            topology, weight, wedge, theta, demand_flow, demand_elasticity, demand_stock, demand_stock_rate,
            demand_offset, demand_cap, available, floor, supplier_scale, gate_cap, gate_scale, licence_cap,
            licence_scale, v_max, tolerance, shadow, gate_shadow, log_price, flow, licence_shadow, delivered,
            iterations, done,
        )  # fmt: skip


def compile_newton() -> None:
    """Compile the Newton kernels into their caches, on no market at all; they take longer than all others together."""
    none, start, rows = np.zeros(0, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros((0, 1))
    topology = MarketTopology(start, start, start, start, none, start, none, start, none)
    iterations, done = np.zeros((0, 1), dtype=np.int64), np.zeros((0, 1), dtype=np.bool_)
    arguments: tuple[Any, ...] = (topology, *[rows] * 15, 1.0, 1e-6, *[rows] * 6, iterations, done)
    clear_in_tiles(*arguments)
    _newton().clear_busy_markets(
        topology,
        *(rows for _ in range(16)),
        1.0,
        1e-6,
        *(rows for _ in range(6)),
        iterations,
        done,
    )
