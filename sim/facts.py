"""The tables of a run by what a sentence asks of them: levels, differences, odds, money, and names for readers.

Decides which materials and countries are told of, and under which names. Leaves the words to `wording`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sim.errors import ResultsError
from sim.moments import Moments
from sim.results import Results

ARTICLE = ("United", "European", "Democratic", "Czech", "Netherlands", "Philippines")
"""First words of names of countries that take an article."""

KEY = ["scenario", "material", "country"]

RUNS = "replications.parquet"

TOGETHER = 1024
"""Replications of two scenarios that are compared at a time."""

PAIRED = ("shortage_days", "price_mean")
"""Metrics that are compared between scenarios of which none is a reference."""


@dataclass(frozen=True)
class Estimate:
    """A mean over replications with its interval."""

    mean: float
    low: float
    high: float

    @classmethod
    def of(cls, row: Mapping[str, Any], name: str) -> Estimate:
        """Return the estimate in a row of a table."""
        return cls(float(row[name]), float(row["ci_low"]), float(row["ci_high"]))

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    def scaled(self, factor: float) -> Estimate:
        """Return it in another unit; a negative factor turns the interval round."""
        ends = sorted((self.low * factor, self.high * factor))
        return Estimate(self.mean * factor, *ends)

    def text(self) -> str:
        """Return the mean with as many digits as help."""
        if 0 < abs(self.mean) < 0.005:
            return "less than 0.01" if self.mean > 0 else "more than -0.01"
        return _rounded(self.mean, self._digits)

    def between(self) -> str:
        """Return the interval in brackets; nothing where one replication gives none."""
        if math.isnan(self.low):
            return ""
        return f"({_rounded(self.low, self._digits)} to {_rounded(self.high, self._digits)})"

    def __str__(self) -> str:
        return f"{self.text()} {self.between()}".rstrip()

    @property
    def _digits(self) -> int:
        size = abs(self.mean)
        return 0 if size >= 100 else 1 if size >= 10 else 2


def _rounded(number: float, digits: int) -> str:
    """Return a rounded number; what rounds to zero has no sign."""
    return f"{round(number, digits) + 0.0:,.{digits}f}"


class Facts:
    """The tables of a run, by what a sentence asks of them.

    Parameters
    ----------
    results : Results
    """

    def __init__(self, results: Results) -> None:
        self.results = results
        self.resolved: dict[str, Any] = results.manifest["resolved"]
        self.experiment: dict[str, Any] = self.resolved["experiment"]
        self.scenarios = list(self.resolved["scenarios"])
        self.references = [name for name in self.experiment["references"] if name in self.scenarios]
        self.world: dict[str, Any] = self.resolved["scenarios"][self.scenarios[0]]["world"]
        self._pairs: dict[tuple[str, str], dict[tuple[str, str, str], Estimate]] = {}

    @cached_property
    def _levels(self) -> dict[tuple[str, ...], dict[str, Any]]:
        frame = self.results.summary
        return _indexed(frame[frame["sector"] == "all"], [*KEY, "metric"])

    @cached_property
    def _differences(self) -> dict[tuple[str, ...], dict[str, Any]]:
        frame = self.results.comparison
        return _indexed(frame[frame["sector"] == "all"], ["reference", *KEY, "metric"])

    @cached_property
    def _headlines(self) -> dict[tuple[str, ...], dict[str, Any]]:
        return _indexed(self.results.headlines, KEY)

    @cached_property
    def materials(self) -> list[str]:
        """Materials told of, along the chain; those that no country in focus buys are left out."""
        asked = self.experiment["focus"].get("materials") or list(self.world["materials"])
        asked = [asked] if isinstance(asked, str) else asked
        return [name for name in self.world["materials"] if name in asked and self.buyers(name)]

    @property
    def companies(self) -> list[str]:
        """Companies laid over the world."""
        return list(self.experiment.get("companies") or ())

    def bought_by(self, company: str) -> list[str]:
        """Return the materials on a company's bill."""
        return [key[1] for key in self._headlines if key[0] == self.scenarios[0] and key[2] == company]

    def products(self, company: str) -> str:
        """Return what a company makes, in the plural."""
        plants = [each for each in self.world["facilities"].values() if each.get("reported_as") == company]
        return f"{self.world['processes'][plants[0]['process']]['unit']}s"

    def buyers(self, material: str) -> list[str]:
        """Return the countries in focus that buy a material."""
        first = self.scenarios[0]
        return [c for c in self.experiment["focus"]["countries"] if (first, material, c) in self._headlines]

    def level(self, scenario: str, material: str, country: str, metric: str) -> Estimate | None:
        """Return a metric of a scenario."""
        row = self._levels.get((scenario, material, country, metric))
        if row is None:
            return None
        found = Estimate.of(row, "mean")
        # No metric told of is negative; the interval of a mean near zero may be.
        return Estimate(found.mean, max(found.low, 0.0), found.high)

    def gain(self, scenario: str, reference: str, material: str, country: str, metric: str) -> Estimate | None:
        """Return the paired difference of a metric from a reference."""
        if reference not in self.references:
            return self._paired(scenario, reference).get((material, country, metric))
        row = self._differences.get((reference, scenario, material, country, metric))
        return None if row is None else Estimate.of(row, "difference")

    def _paired(self, scenario: str, other: str) -> dict[tuple[str, str, str], Estimate]:
        """Return paired differences from a scenario that is no reference, from the single runs."""
        if (scenario, other) not in self._pairs:
            self._pairs[scenario, other] = _differences(self.results.directory, scenario, other)
        return self._pairs[scenario, other]

    def chance(self, scenario: str, material: str, country: str) -> Estimate:
        """Return the probability of any shortage, in per cent."""
        row = self._headlines[scenario, material, country]
        names = ("shortage_probability", "shortage_ci_low", "shortage_ci_high")
        return Estimate(*(100.0 * float(row[name]) for name in names))

    def cost(self, scenario: str) -> tuple[Estimate, Estimate]:
        """Return public and private money of all policies of a scenario, USD."""
        frame = self.results.costs
        row = frame[(frame["scenario"] == scenario) & (frame["policy"] == "all")].iloc[0]
        public, private = (
            Estimate(*(float(row[f"{kind}_{end}"]) for end in ("usd", "ci_low", "ci_high")))
            for kind in ("public", "private")
        )
        return public, private

    # -- names for readers ----------------------------------------------------------------------------

    def label(self, scenario: str) -> str:
        """Return a scenario's title, with the word counterfactual where it did not happen."""
        record = self.resolved["scenarios"][scenario]
        said = "counterfactual" in record["title"].lower()
        return record["title"] + (" (counterfactual)" if record["counterfactual"] and not said else "")

    def country(self, code: str) -> str:
        """Return a country's name."""
        return str(self.world["countries"].get(code, code)).partition(" (")[0]

    def the(self, code: str) -> str:
        """Return a country's name as it stands inside a sentence."""
        name = self.country(code)
        return f"the {name}" if name.split()[0] in ARTICLE else name[:1].lower() + name[1:] if code == "ROW" else name

    def material(self, name: str) -> str:
        """Return a material's title."""
        return str(self.world["materials"][name]["title"])

    def inside(self, name: str) -> str:
        """Return a material's title as it stands inside a sentence."""
        title = self.material(name)
        return title[:1].lower() + title[1:] if title.split()[0][1:].islower() else title


def _indexed(frame: pd.DataFrame, names: list[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    rows = frame.to_dict("records")
    return {tuple(str(row[name]) for name in names): {str(k): v for k, v in row.items()} for row in rows}


def _differences(directory: Path, scenario: str, other: str) -> dict[tuple[str, str, str], Estimate]:
    """Return paired differences between two scenarios, by material, country and metric.

    Read block by block, so that memory does not grow with the number of replications.
    """
    try:
        file = pq.ParquetFile(directory / RUNS)
        moments: dict[tuple[str, str], Moments] = {}
        for ours, theirs in zip(_blocks(file, scenario), _blocks(file, other), strict=True):
            ours, theirs = ours.align(theirs, join="inner")
            for (material, country), part in (ours - theirs).groupby(["material", "country"], sort=False):
                values = part.to_numpy(float).T
                moments.setdefault((str(material), str(country)), Moments((len(PAIRED),))).add(values)
    except (OSError, ValueError) as error:
        raise ResultsError(f"{directory.name}/{RUNS}: cannot be read ({error}). Run the experiment again.") from None
    found = {}
    for (material, country), each in moments.items():
        for metric, *ends in zip(PAIRED, *each.interval(), strict=True):
            found[material, country, metric] = Estimate(*(float(end) for end in ends))
    return found


def _blocks(file: pq.ParquetFile, scenario: str) -> Iterator[pd.DataFrame]:
    """Yield a scenario's paired metrics by material, country and replication, `TOGETHER` replications at a time."""
    index = ["material", "country", "replication"]
    held = pd.DataFrame(columns=[*index, *PAIRED])
    first = 0
    for group in range(file.num_row_groups):
        table = file.read_row_group(group, columns=["scenario", "sector", *index, *PAIRED])
        mine = pc.and_(pc.equal(table["scenario"], scenario), pc.equal(table["sector"], "all"))
        frame = table.filter(mine).select([*index, *PAIRED]).to_pandas().astype({"material": str, "country": str})
        held = pd.concat([held, frame]) if len(held) else frame
        while len(held) and int(held["replication"].max()) >= first + TOGETHER:
            ready = held["replication"] < first + TOGETHER
            yield held[ready].set_index(index)
            held, first = held[~ready], first + TOGETHER
    yield held.set_index(index)
