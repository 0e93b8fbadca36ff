"""Paired differences between scenarios: replication by replication, since scenarios share their luck.

Decides what is subtracted from what. A group that only one of two scenarios has cannot be compared, but
for the money of policies: who has no policy spends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.metrics import METRICS, POLICY_COSTS, Key
from sim.moments import Moments

Array = NDArray[np.float64]
Metrics = tuple[Sequence[Key], Array]
"""Keys of a block, and its metrics (metric, key, replication)."""

_COSTS = [METRICS.index(name) for name in POLICY_COSTS]


def pairs(scenarios: Sequence[str], references: Sequence[str]) -> list[tuple[str, str]]:
    """Return every (scenario, reference), each scenario with all references but itself."""
    return [(name, other) for name in scenarios for other in references if other != name]


def aligned(metrics: Metrics, keys: Sequence[Key]) -> Array:
    """Return metrics by a list of keys; a key that is not there has NaN, and policies that cost nothing.

    Returns
    -------
    (metric, key, replication) float
    """
    own, values = metrics
    place = {key: row for row, key in enumerate(own)}
    out = np.full((values.shape[0], len(keys), values.shape[2]), np.nan)
    out[_COSTS] = 0.0
    there = [row for row, key in enumerate(keys) if key in place]
    out[:, there] = values[:, [place[keys[row]] for row in there]]
    return out


@dataclass
class Comparison:
    """Differences of every scenario from every reference, gathered block by block.

    Parameters
    ----------
    scenarios, references : sequence of str
    keys : mapping
        Scenario -> its keys over all blocks, in the order of reports.
    """

    scenarios: Sequence[str]
    references: Sequence[str]
    keys: Mapping[str, Sequence[Key]]
    moments: dict[tuple[str, str], Moments] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for pair in pairs(self.scenarios, self.references):
            self.moments[pair] = Moments((len(METRICS), len(self.keys_of(pair))))

    def keys_of(self, pair: tuple[str, str]) -> list[Key]:
        """Return the keys of a scenario, then those that only its reference has."""
        return list(dict.fromkeys([*self.keys[pair[0]], *self.keys[pair[1]]]))

    def add(self, block: Mapping[str, Metrics]) -> None:
        """Take in one block of every scenario."""
        for pair, moments in self.moments.items():
            keys = self.keys_of(pair)
            moments.add(aligned(block[pair[0]], keys) - aligned(block[pair[1]], keys))

    def rows(self) -> Iterator[tuple[object, ...]]:
        """Yield the rows of ``comparison.csv``; what no replication can compare is left out."""
        for (scenario, reference), moments in self.moments.items():
            mean, low, high = moments.interval()
            for k, key in enumerate(self.keys_of((scenario, reference))):
                for m, metric in enumerate(METRICS):
                    if moments.count[m, k]:
                        numbers = (mean[m, k], low[m, k], high[m, k], moments.count[m, k])
                        yield (scenario, reference, *key, metric, *numbers)
