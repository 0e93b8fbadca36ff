"""Measures how many replications common random numbers and Latin hypercubes save.

Common random numbers: without them the variance of a difference would be the sum of two variances, so that the
factor saved is (var a + var b) / var(a - b). Latin hypercube: of independent draws, the means of blocks of n would
vary by var / n, so that the factor is that over how much they vary. Both are measured on what the experiment's
focus reports: days of shortage and mean prices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compare import Comparison
from sim.config.schema import Experiment
from sim.draws import BLOCK_SIZE
from sim.metrics import METRICS, Key
from sim.moments import Moments
from sim.precision import USUAL, in_focus

Array = NDArray[np.float64]
Levels = Mapping[str, tuple[Sequence[Key], Moments]]
"""Scenario -> its keys, and moments (metric, key) over replications or over blocks."""

FEWEST_BLOCKS = 8
"""Full blocks below which the variance between them says too little."""


def reduction(experiment: Experiment, comparison: Comparison, levels: Levels, blocks: Levels) -> dict[str, Any]:
    """Return the factors saved, for the manifest; None where they cannot be measured.

    Parameters
    ----------
    comparison : Comparison
        Of all replications.
    levels, blocks : mapping
        Moments of replications, and of the means of full blocks.
    """
    paired = [_paired(experiment, comparison, levels, pair) for pair in comparison.moments]
    designed = [_designed(experiment, levels[name], blocks[name]) for name in levels]
    return {
        "common_random_numbers": _summary(paired),
        "latin_hypercube": _summary(designed),
        "of": list(USUAL),
    }


def _summary(found: Sequence[Array]) -> dict[str, Any] | None:
    factors = np.concatenate([*found, np.zeros(0)])
    if not factors.size:
        return None
    low, middle, high = (round(float(value), 3) for value in np.quantile(factors, (0.05, 0.5, 0.95)))
    return {"factor": middle, "p05": low, "p95": high, "quantities": int(factors.size)}


def _paired(experiment: Experiment, comparison: Comparison, levels: Levels, pair: tuple[str, str]) -> Array:
    keys = [key for key in in_focus(experiment, comparison.keys_of(pair)) if all(key in levels[n][0] for n in pair)]
    ours, theirs = (_variance(*levels[name], keys) for name in pair)
    difference = _variance(comparison.keys_of(pair), comparison.moments[pair], keys)
    return _ratio(ours + theirs, difference)


def _designed(
    experiment: Experiment, level: tuple[Sequence[Key], Moments], block: tuple[Sequence[Key], Moments]
) -> Array:
    keys = in_focus(experiment, level[0])
    between = _variance(*block, keys)
    few = _rows(block[0], block[1].count, keys) < FEWEST_BLOCKS
    return _ratio(_variance(*level, keys) / BLOCK_SIZE, np.where(few, np.nan, between))


def _variance(keys: Sequence[Key], moments: Moments, wanted: Sequence[Key]) -> Array:
    """Return variances of the usual metrics, (metric, key)."""
    count = _rows(keys, moments.count, wanted)
    return np.where(count > 1, _rows(keys, moments.squares, wanted) / np.maximum(count - 1, 1), np.nan)


def _rows(keys: Sequence[Key], values: NDArray[Any], wanted: Sequence[Key]) -> NDArray[Any]:
    places = [list(keys).index(key) for key in wanted]
    return values[[METRICS.index(metric) for metric in USUAL]][:, places]


def _ratio(whole: Array, part: Array) -> Array:
    """Return the factors where something varies at all."""
    measured = np.isfinite(whole) & np.isfinite(part) & (part > 1e-12 * np.maximum(whole, 1e-300)) & (whole > 0)
    return whole[measured] / part[measured]
