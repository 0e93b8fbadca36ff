"""Decides how many replications are enough: runs go on until the intervals asked for are narrow enough.

What is asked for reads ``2%`` or ``shortage_days=0.5,differences.price_mean=2%``: half the width of the 95 %
interval of a mean, in the metric's own unit or as a share of the mean, for every scenario, material and country in
focus; with ``differences.``, of the paired differences from every reference. A share of days is taken of no less
than one review, since days are counted in reviews: no number of runs pins down 2 % of nothing.

The decision looks at whole blocks only, in their order, and the number of blocks that is tried next follows from
the intervals alone. It is the same for any number of workers, and for a run that was interrupted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.compare import aligned, pairs
from sim.config.load import Plan
from sim.config.schema import Experiment
from sim.draws import BLOCK_SIZE
from sim.errors import ConfigError, Problem, did_you_mean
from sim.metrics import METRICS, UNITS, Key
from sim.moments import Moments
from sim.parts import PartFile

Array = NDArray[np.float64]

USUAL = ("shortage_days", "price_mean")
"""Metrics of an amount that names none."""

DIFFERENCES = "differences"

FIRST = 2
"""Blocks before the first decision: fewer tell little of the width of an interval."""

MARGIN = 1.05
"""More replications than the intervals so far call for, so that one more round mostly suffices."""

GROWTH = 4
"""Most that the number of replications is multiplied by between two decisions."""

MOST = 100_000
"""Replications at which a run ends, narrow enough or not, unless told otherwise."""


@dataclass(frozen=True)
class Target:
    """How narrow the interval of one metric is to be.

    Attributes
    ----------
    metric : str
    amount : float
        Half the width: in the unit of the metric, or as a share of the mean.
    relative, differences : bool
        Whether a share; whether of the paired differences.
    """

    metric: str
    amount: float
    relative: bool
    differences: bool

    def allowed(self, mean: Array, review: float) -> Array:
        """Return half the width that is narrow enough, by mean; ``review`` in days."""
        if not self.relative:
            return np.full_like(mean, self.amount)
        least = review if UNITS[self.metric] == "d" else 0.0
        return np.asarray(self.amount * np.maximum(np.abs(mean), least))


@dataclass(frozen=True)
class Widest:
    """The interval that is furthest from what was asked.

    Attributes
    ----------
    half_width, allowed, mean : float
        In the unit of the metric.
    """

    scenario: str
    reference: str | None
    material: str
    country: str
    metric: str
    mean: float
    half_width: float
    allowed: float

    @property
    def excess(self) -> float:
        """Half the width over what is allowed; at most 1 is narrow enough."""
        if self.half_width == 0.0:
            return 0.0
        return self.half_width / self.allowed if self.allowed > 0.0 else math.inf


def read_targets(text: str, experiment: Experiment, scenarios: Sequence[str]) -> tuple[Target, ...]:
    """Return what ``--precision`` asks for.

    Raises
    ------
    ConfigError
        With all that is wrong with it.
    """
    found: list[Target] = []
    problems: list[Problem] = []
    for word in text.split(","):
        try:
            found += _read(word.strip())
        except ValueError as error:
            problems.append(Problem("--precision", f"got '{word.strip()}'. {error}", "command line"))
    if any(target.differences for target in found) and not pairs(scenarios, experiment.references):
        message = "asks for differences, but the experiment has nothing to compare: give it 'references'."
        problems.append(Problem("--precision", message, "command line"))
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _read(word: str) -> Iterator[Target]:
    name, equals, amount = word.rpartition("=")
    differences = name == DIFFERENCES or name.startswith(f"{DIFFERENCES}.")
    metric = name.removeprefix(DIFFERENCES).removeprefix(".") if differences else name
    if equals and not metric and not differences:
        raise ValueError("Name a metric before '='.")
    if metric and metric not in METRICS:
        raise ValueError(f"Not a metric.{did_you_mean(metric, METRICS)} Allowed are {', '.join(METRICS)}.")
    relative = amount.endswith("%")
    try:
        size = float(amount.removesuffix("%")) / (100.0 if relative else 1.0)
    except ValueError:
        size = math.nan
    if not 0.0 < size < math.inf:
        raise ValueError("Write an amount above 0, such as 2%, shortage_days=0.5 or differences.price_mean=2%.")
    if not metric and not relative:
        raise ValueError("An amount without '%' needs its metric, such as shortage_days=0.5.")
    yield from (Target(each, size, relative, differences) for each in ((metric,) if metric else USUAL))


@dataclass
class Gauge:
    """Intervals of what is asked for, over the blocks so far.

    Parameters
    ----------
    plan : Plan
    targets : sequence of Target
    review : float, d
    """

    plan: Plan
    targets: Sequence[Target]
    review: float
    keys: dict[str, list[Key]] = field(default_factory=dict)
    moments: dict[tuple[str, str | None], Moments] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._metrics = list(dict.fromkeys(target.metric for target in self.targets))
        names = [scenario.name for scenario in self.plan.scenarios]
        wanted = {target.differences for target in self.targets}
        self._levels = [(name, None) for name in names] if False in wanted else []
        self._pairs = pairs(names, self.plan.experiment.references) if True in wanted else []

    def add(self, parts: Mapping[str, Path]) -> None:
        """Take in one block, scenario by scenario."""
        rows = [METRICS.index(metric) for metric in self._metrics]
        values: dict[str, tuple[list[Key], Array]] = {}
        for name, path in parts.items():
            with PartFile(path) as part:
                keys = self.keys.setdefault(name, in_focus(self.plan.experiment, part.keys))
                values[name] = keys, aligned((part.keys, part.array("metrics")), keys)[rows]
        for name, none in self._levels:
            self._moments((name, none), values[name][1]).add(values[name][1])
        for name, other in self._pairs:
            (keys, ours), (others, theirs) = values[name], values[other]
            shared = [(k, others.index(key)) for k, key in enumerate(keys) if key in others]
            difference = ours[:, [k for k, _ in shared]] - theirs[:, [o for _, o in shared]]
            self._moments((name, other), difference).add(difference)

    def _moments(self, pair: tuple[str, str | None], values: Array) -> Moments:
        return self.moments.setdefault(pair, Moments(values.shape[:2]))

    def widest(self) -> Widest | None:
        """Return the interval furthest from what is asked; None where there is nothing to measure."""
        found = [each for pair in self.moments for each in self._intervals(*pair)]
        return max(found, key=lambda each: each.excess, default=None)

    def _intervals(self, name: str, other: str | None) -> Iterator[Widest]:
        moments = self.moments[name, other]
        mean, low, _ = moments.interval()
        keys = self.keys[name] if other is None else [k for k in self.keys[name] if k in self.keys[other]]
        for target in self.targets:
            if target.differences != (other is not None):
                continue
            m = self._metrics.index(target.metric)
            allowed = target.allowed(mean[m], self.review)
            for k, key in enumerate(keys):
                if moments.count[m, k]:
                    half = mean[m, k] - low[m, k] if moments.count[m, k] > 1 else math.inf
                    numbers = (float(mean[m, k]), float(half), float(allowed[k]))
                    yield Widest(name, other, key.material, key.country, target.metric, *numbers)


def in_focus(experiment: Experiment, keys: Sequence[Key]) -> list[Key]:
    """Return the rows of whole countries that the experiment's focus names."""
    focus = experiment.focus
    return [
        key
        for key in keys
        if key.sector == "all"
        and key.country in focus.countries
        and (not focus.materials or key.material in focus.materials)
    ]


# -- rounds ---------------------------------------------------------------------------------------------


def first_count(least: int | None, most: int) -> int:
    """Return the replications before the first decision: whole blocks."""
    wanted = FIRST if least is None else math.ceil(least / BLOCK_SIZE)
    return min(wanted * BLOCK_SIZE, last_count(most))


def last_count(most: int) -> int:
    """Return the most replications: whole blocks, at least one."""
    return max(most // BLOCK_SIZE, 1) * BLOCK_SIZE


def next_count(count: int, widest: Widest | None, most: int) -> int:
    """Return the replications before the next decision; the same number if this one is the last.

    The width of an interval falls with the square root of the number of replications.
    """
    if widest is None or widest.excess <= 1.0:
        return count
    wanted = count * min(MARGIN * widest.excess**2, GROWTH)
    blocks = max(math.ceil(wanted / BLOCK_SIZE), count // BLOCK_SIZE + 1)
    return min(blocks * BLOCK_SIZE, last_count(most))


@dataclass
class Precision:
    """What was asked, and what came of it.

    Attributes
    ----------
    asked : str
    most : int
        Replications allowed.
    rounds : list of (int, Widest or None)
        Replications at every decision, and the widest interval then.
    """

    asked: str
    most: int
    rounds: list[tuple[int, Widest | None]] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        """Whether all intervals are narrow enough."""
        widest = self.rounds[-1][1]
        return widest is None or widest.excess <= 1.0

    def plain(self) -> dict[str, Any]:
        """Return it for the manifest."""

        def told(widest: Widest | None) -> dict[str, Any] | None:
            if widest is None:
                return None
            numbers = {key: value for key, value in vars(widest).items() if value is not None}
            return {key: value if value != math.inf else "unknown" for key, value in numbers.items()}

        return {
            "asked": self.asked,
            "max_replications": self.most,
            "reached": self.reached,
            "rounds": [{"replications": count, "widest": told(widest)} for count, widest in self.rounds],
        }
