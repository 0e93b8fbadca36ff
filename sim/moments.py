"""Means, intervals and quantiles over replications, gathered block by block in a fixed order.

Moments merge as in Chan, Golub and LeVeque (1983), so that memory does not grow with the number of
replications; in block order, so that the result does not depend on who ran which block. Intervals are
computed as if replications were independent; those of a block share a Latin hypercube, which makes the
intervals conservative.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

from sim.compiled import njit

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

CONFIDENCE = 0.95
"""Of every interval."""


class Moments:
    """Count, mean and sum of squared deviations of many quantities at once; NaN is left out.

    Parameters
    ----------
    shape : tuple of int
        Of the quantities, without the replication axis.

    Attributes
    ----------
    count : int array
        Values that are not NaN.
    mean, squares : float arrays
        Mean, and sum of squared deviations from it.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.count: Counts = np.zeros(shape, dtype=np.int64)
        self.mean, self.squares = np.zeros(shape), np.zeros(shape)

    def add(self, values: Array) -> None:
        """Take in one block; replications are the last axis."""
        there = ~np.isnan(values)
        count = there.sum(axis=-1)
        mean = np.where(there, values, 0.0).sum(axis=-1) / np.maximum(count, 1)
        deviation = np.where(there, values - mean[..., None], 0.0)
        total = self.count + count
        step = mean - self.mean
        share = count / np.maximum(total, 1)
        self.squares += (deviation**2).sum(axis=-1) + step**2 * self.count * share
        self.mean += step * share
        self.count = total

    def interval(self) -> tuple[Array, Array, Array]:
        """Return mean, lower and upper end of the confidence interval of the mean (Student's t).

        The mean is NaN without values; the interval is NaN with fewer than two.
        """
        enough = self.count > 1
        degrees = np.maximum(self.count - 1, 1)
        error = np.sqrt(self.squares / degrees / np.maximum(self.count, 1))
        half = np.where(enough, special.stdtrit(degrees, 0.5 + CONFIDENCE / 2) * error, np.nan)
        mean = np.where(self.count > 0, self.mean, np.nan)
        return mean, mean - half, mean + half


def quantiles(values: Array, levels: tuple[float, ...]) -> Array:
    """Return quantiles over the last axis, linear between values, NaN left out.

    Parameters
    ----------
    values : (..., replication) float
    levels : tuple of float in [0, 1]

    Returns
    -------
    (level, ...) float
        NaN where there are no values.
    """
    ordered = np.sort(values, axis=-1)  # NaN last
    count = (~np.isnan(values)).sum(axis=-1)
    last = np.maximum(count - 1, 0)
    found = []
    for level in levels:
        place = level * last
        low = np.floor(place).astype(np.int64)
        high = np.minimum(low + 1, last)
        below = np.take_along_axis(ordered, low[..., None], axis=-1)[..., 0]
        above = np.take_along_axis(ordered, high[..., None], axis=-1)[..., 0]
        # Infinite neighbours would make inf - inf.
        step = np.subtract(above, below, out=np.zeros_like(below), where=above != below)
        found.append(np.where(count > 0, below + (place - low) * step, np.nan))
    return np.array(found)


def histogram_quantiles(counts: NDArray[np.uint32], middles: Array, levels: tuple[float, ...]) -> Array:
    """Return the middle of the bin in which each quantile lies.

    Parameters
    ----------
    counts : (..., bin) int
    middles : (bin,) float
    levels : tuple of float in (0, 1)

    Returns
    -------
    (level, ...) float
    """
    flat = np.ascontiguousarray(counts).reshape(-1, counts.shape[-1])
    found = _quantile_bins(flat, np.array(levels), np.empty((len(levels), flat.shape[0]), dtype=np.int64))
    return np.asarray(middles[found].reshape(len(levels), *counts.shape[:-1]))


@njit(cache=True)
def _quantile_bins(counts: NDArray[np.uint32], levels: Array, out: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fill (level, row) with the first bin up to which at least a share of a row's counts lies."""
    for row in range(counts.shape[0]):
        total = 0
        for k in range(counts.shape[1]):
            total += counts[row, k]
        for i in range(levels.size):
            wanted = levels[i] * total
            running, k = 0, 0
            while k < counts.shape[1] - 1 and running + counts[row, k] < wanted:
                running += counts[row, k]
                k += 1
            out[i, row] = k
    return out


@njit(cache=True)
def add_counts(bins: NDArray[np.uint16], counts: NDArray[np.uint32]) -> None:
    """Count the bins (row, replication) of each row into (row, bin), in place."""
    for row in range(bins.shape[0]):
        for r in range(bins.shape[1]):
            counts[row, bins[row, r]] += 1


def share_interval(hits: Counts, count: int) -> tuple[Array, Array, Array]:
    """Return a share with its Wilson score interval (Wilson 1927), which holds for shares of 0 and 1 too."""
    z = float(special.ndtri(0.5 + CONFIDENCE / 2))
    share = hits / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    # At the ends, rounding would leave 1e-18 for 0.
    low = np.where(hits == 0, 0.0, np.maximum(middle - half, 0.0))
    return share, low, np.where(hits == count, 1.0, np.minimum(middle + half, 1.0))
