"""Compiled sums and moves over rows; replication is the last, contiguous axis throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sim.compiled import exponential, njit

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@njit(cache=True, error_model="numpy")
def sum_rows(values: Array) -> Array:
    """Sum (row, replication) over rows, in row order: the same bits for one replication as for many."""
    out = np.zeros(values.shape[1])
    for i in range(values.shape[0]):
        for r in range(out.size):
            out[r] += values[i, r]
    return out


@njit(cache=True, error_model="numpy")
def sum_by_buyer(values: Array, lane_ptr: Index, out: Array) -> Array:
    """Sum lane values over each buyer's lanes, in lane order.

    Parameters
    ----------
    values : (lane, replication) float
    lane_ptr : (buyer + 1,) int
    out : (buyer, replication) float
        Overwritten and returned.
    """
    for b in range(lane_ptr.size - 1):
        out[b, :] = 0.0
        for lane in range(lane_ptr[b], lane_ptr[b + 1]):
            for r in range(out.shape[1]):
                out[b, r] += values[lane, r]
    return out


@njit(cache=True, error_model="numpy")
def sum_by_supplier(values: Array, lane_supplier: Index, out: Array) -> Array:
    """Sum lane values over each supplier's lanes, in lane order.

    Parameters
    ----------
    values : (lane, replication) float
    lane_supplier : (lane,) int
    out : (supplier, replication) float
        Overwritten and returned.
    """
    out[:] = 0.0
    for lane in range(lane_supplier.size):
        s = lane_supplier[lane]
        for r in range(out.shape[1]):
            out[s, r] += values[lane, r]
    return out


@njit(cache=True, error_model="numpy")
def sum_by_group(values: Array, lanes: Index, ptr: Index, out: Array) -> Array:
    """Sum lane values over groups of lanes that need not lie together.

    Parameters
    ----------
    values : (lane, replication) float
    lanes : (member,) int
        Lanes of all groups, one group after the other.
    ptr : (group + 1,) int
        Group g holds ``lanes[ptr[g]:ptr[g + 1]]``.
    out : (group, replication) float
        Overwritten and returned.
    """
    for g in range(ptr.size - 1):
        out[g, :] = 0.0
        for i in range(ptr[g], ptr[g + 1]):
            for r in range(out.shape[1]):
                out[g, r] += values[lanes[i], r]
    return out


@njit(cache=True, error_model="numpy")
def add_by_material(tables: tuple[Array, ...], material: Index, out: Array) -> None:
    """Add rows of one or more tables to their material, in row order.

    Parameters
    ----------
    tables : tuple of (row, replication) float
    material : (row,) int
    out : (material, replication) float
        Changed in place.
    """
    for i in range(material.size):
        m = material[i]
        for values in tables:
            for r in range(out.shape[1]):
                out[m, r] += values[i, r]


@njit(cache=True, error_model="numpy")
def enter(rows: Index, amount: Array, stock: Array, ledger: Array) -> None:
    """Add amounts (row, replication), t, to the stock and the ledger of some rows, in place."""
    for i in range(rows.size):
        row = rows[i]
        for r in range(amount.shape[1]):
            stock[row, r] += amount[i, r]
            ledger[row, r] += amount[i, r]


@njit(cache=True, error_model="numpy")
def part(rows: Index, amount: Array, stock: Array, ledger: Array) -> None:
    """Move amounts (row, replication), t, from the stock of some rows to the ledger, all of it."""
    for i in range(rows.size):
        row = rows[i]
        for r in range(amount.shape[1]):
            stock[row, r] -= amount[i, r]
            ledger[row, r] += amount[i, r]


@njit(cache=True, error_model="numpy")
def take(rows: Index, amount: Array, stock: Array, ledger: Array) -> None:
    """Move amounts (row, replication), t, from the stock of some rows to the ledger; never more than there is."""
    for i in range(rows.size):
        row = rows[i]
        for r in range(amount.shape[1]):
            taken = min(amount[i, r], stock[row, r])
            stock[row, r] -= taken
            ledger[row, r] += taken


@njit(cache=True, error_model="numpy")
def follow(values: Array, scale: float, weight: Array, smooth: Array) -> None:
    """Move a smoothed value, (row, replication), towards scaled values by a weight (replication,), in place."""
    for i in range(smooth.shape[0]):
        for r in range(smooth.shape[1]):
            smooth[i, r] += weight[r] * (values[i, r] * scale - smooth[i, r])


@njit(cache=True, error_model="numpy")
def mark_up(log_price: Array, noise: Array, material: Index, out: Array) -> None:
    """Fill ``exp(log_price + noise)``, (row, replication), the log noise being that of each row's material."""
    for i in range(material.size):
        m = material[i]
        for r in range(out.shape[1]):
            out[i, r] = exponential(log_price[i, r] + noise[m, r])


@njit(cache=True, error_model="numpy")
def spread_caution(requirement: Array, hoarding: Array, material: Index, weight: Array, caution: Array) -> None:
    """Move the caution of each material, (material, replication), towards the mean of its buyers' by requirement.

    Parameters
    ----------
    requirement, hoarding : (buyer, replication) float
    material : (buyer,) int
    weight : (replication,) float
    """
    total, held = np.zeros(caution.shape), np.zeros(caution.shape)
    for b in range(material.size):
        m = material[b]
        for r in range(weight.size):
            total[m, r] += requirement[b, r]
            held[m, r] += requirement[b, r] * hoarding[b, r]
    for m in range(caution.shape[0]):
        for r in range(weight.size):
            mean = held[m, r] / total[m, r] if total[m, r] > 0.0 else 0.0
            caution[m, r] += weight[r] * (mean - caution[m, r])
