"""What buyers ask for and sellers ask: the price-dependent base-stock policy and the reserve price.

Pure functions of arrays ``(row, replication)``; docs/model.md, equations 6 to 9. The demand of a buyer over a
review is ``D(v) = clip(flow * exp(-elasticity * v) + stock * exp(-v / phi_b) + offset, 0, cap)``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SCARCITY_LOW, SCARCITY_HIGH = -1.2, 1.5
"""Bounds of the log reserve price that stocks alone can move."""

URGENCY_WINDOW = 20.0
"""Days of use below which a shelf begins to feel empty, unless half the buyer's cover is less."""


class Demand(NamedTuple):
    """Coefficients of buyers' demand curves over one review, each (buyer, replication).

    Attributes
    ----------
    flow, stock, offset, cap : t
    elasticity, stock_rate : 1
    """

    flow: Array
    elasticity: Array
    stock: Array
    stock_rate: Array
    offset: Array
    cap: Array


def order_demand(
    requirement: Array,
    elasticity: Array,
    position: Array,
    wanted_days: Array,
    urgency: Array,
    phi_b: Array,
    close_days: Array,
    kappa: Array,
    review: float,
) -> Demand:
    """Return demand over a review under the price-dependent base-stock policy (docs/model.md, equation 6).

    Parameters
    ----------
    requirement : (buyer, replication) float, t/d
    position : (buyer, replication) float, t
        On hand plus on order, after consumption and before this order.
    wanted_days : (buyer, replication) float, d
        Cover, precautionary days and lead time.
    urgency : (buyer, replication) float
        w, in log price.
    phi_b, kappa : (replication,) float
    close_days : (replication,) float, d
        T_b.
    """
    per_day = review / close_days
    rate = np.broadcast_to(1.0 / phi_b, requirement.shape)
    return Demand(
        flow=review * requirement,
        elasticity=elasticity,
        stock=per_day * requirement * wanted_days * np.exp(urgency * rate),
        stock_rate=rate,
        offset=-per_day * (position + requirement * review),
        cap=review * kappa * requirement,
    )


def shelf_gap(on_hand: Array, landing: Array, requirement: Array, cover: Array) -> Array:
    """Return how empty a shelf is, g in [0, 1] (docs/model.md, equation 7).

    Parameters
    ----------
    on_hand, landing : (buyer, replication) float, t
        Stock, and goods that land within half the window.
    requirement : (buyer, replication) float, t/d
    cover : (buyer, replication) float, d
    """
    need = urgency_window(cover) * requirement
    return np.asarray(np.maximum(0.0, 1.0 - np.divide(on_hand + landing, need, out=np.ones_like(need), where=need > 0)))


def urgency_window(cover: Array) -> Array:
    """Return m = min(20 d, cover / 2), in days."""
    return np.asarray(np.minimum(URGENCY_WINDOW, 0.5 * cover))


def scarcity_price(stock: Array, target: Array, phi_s: Array) -> Array:
    """Return the log reserve price that stock alone sets (docs/model.md, equation 8; theory of storage).

    Parameters
    ----------
    stock, target : (supplier, replication) float, t
    phi_s : (replication,) float
    """
    ratio = np.divide(stock, target, out=np.ones_like(stock), where=target > 0)
    return np.asarray(np.clip(-phi_s * np.log(np.maximum(ratio, 1e-30)), SCARCITY_LOW, SCARCITY_HIGH))
