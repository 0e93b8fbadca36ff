"""A saved results directory as the figures see it: frames, titles for readers, and what to look at first.

Decides which scenarios, countries and materials are drawn, in which order and under which names. Leaves the meaning
of the columns to `sim.results`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from sim.errors import ResultsError
from sim.plots.style import SCENARIO_COLOURS
from sim.results import Results


@dataclass(frozen=True)
class Saved:
    """A results directory, read as it is asked for."""

    directory: Path

    # -- frames ---------------------------------------------------------------------------------------

    @cached_property
    def results(self) -> Results:
        """The results themselves."""
        return Results(self.directory)

    @property
    def summary(self) -> pd.DataFrame:
        """Means, intervals and quantiles of every metric."""
        return self.results.summary

    @property
    def comparison(self) -> pd.DataFrame:
        """Paired differences of every metric, empty where nothing is compared."""
        return self.results.comparison

    @cached_property
    def series(self) -> pd.DataFrame:
        """Weekly bands over runs, of what has any."""
        frame = plain(self.results.series)
        return frame[frame["p50"].notna()]

    @cached_property
    def causes(self) -> pd.DataFrame:
        """Weekly mean parts of the log price."""
        return plain(self.results.causes)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """Dated events of policies; dates that never come are NaT."""
        frame = self.results.timeline.copy()
        for column in ("p05", "p50", "p95"):
            frame[column] = pd.to_datetime(frame[column], errors="coerce")
        return frame

    def runs(self, metric: str, material: str) -> pd.DataFrame:
        """Return a metric of one material, one row per scenario, replication and country, for all sectors together."""
        path = self.directory / "replications.parquet"
        columns = ["scenario", "country", metric]
        where = [("material", "==", material), ("sector", "==", "all"), ("country", "in", list(self.countries))]
        try:
            return plain(pd.read_parquet(path, columns=columns, filters=where))
        except (OSError, ValueError) as error:
            raise ResultsError(f"replications.parquet: cannot be read for the figures ({error}).") from None

    # -- what is drawn, in which order ----------------------------------------------------------------

    @cached_property
    def resolved(self) -> Mapping[str, Any]:
        """The resolved configuration: what was run."""
        try:
            resolved: Mapping[str, Any] = self.results.manifest["resolved"]
        except KeyError:
            raise ResultsError("manifest.json: holds no resolved configuration. Run the experiment again.") from None
        return resolved

    @cached_property
    def scenarios(self) -> tuple[str, ...]:
        """All scenarios of the run, in the order of the experiment."""
        run = set(self.summary["scenario"])
        known = [name for name in self.resolved["scenarios"] if name in run]
        return (*known, *sorted(run.difference(known)))

    @cached_property
    def references(self) -> tuple[str, ...]:
        """Scenarios that the others are compared with."""
        found = set(self.comparison["reference"]) if len(self.comparison) else set()
        return tuple(name for name in self.scenarios if name in found)

    @cached_property
    def focus(self) -> tuple[str, ...]:
        """Countries the study is about."""
        return tuple(self.resolved["experiment"]["focus"]["countries"])

    @cached_property
    def contrast(self) -> str | None:
        """Country they are shown against: the one whose part in the chain the study sets aside."""
        country = self.resolved["experiment"].get("independent_of")
        return None if country in self.focus else country

    @property
    def countries(self) -> tuple[str, ...]:
        """Countries drawn: those in focus, then the one they are shown against."""
        return self.focus if self.contrast is None else (*self.focus, self.contrast)

    @cached_property
    def materials(self) -> tuple[str, ...]:
        """Materials drawn: those in focus that one of the countries buys."""
        bought = self.series.loc[self.series["country"].isin(self.focus), "material"].unique()
        asked = self.resolved["experiment"]["focus"].get("materials") or self._world["materials"]
        return tuple(name for name in asked if name in bought)

    def buyers(self, material: str) -> tuple[str, ...]:
        """Return the drawn countries that buy a material."""
        found = set(self.series.loc[self.series["material"] == material, "country"])
        return tuple(country for country in self.countries if country in found)

    def builds_on(self, scenario: str, reference: str) -> bool:
        """Whether a scenario has every policy of a reference unchanged, and more."""
        mine, theirs = (self.resolved["scenarios"].get(name, {}).get("policies", {}) for name in (scenario, reference))
        return len(mine) > len(theirs) and all(mine.get(name) == raw for name, raw in theirs.items())

    # -- names for readers ----------------------------------------------------------------------------

    @cached_property
    def _world(self) -> Mapping[str, Any]:
        world: Mapping[str, Any] = self.resolved["scenarios"][self.scenarios[0]]["world"]
        return world

    def title(self, scenario: str) -> str:
        """Return a scenario's title."""
        return str(self.resolved["scenarios"].get(scenario, {}).get("title") or in_words(scenario))

    @property
    def titles(self) -> list[str]:
        """Titles of all scenarios, in order."""
        return [self.title(name) for name in self.scenarios]

    def counterfactual(self, scenario: str) -> bool:
        """Whether a scenario did not happen, as far as its title does not say so already."""
        said = "counterfactual" in self.title(scenario).lower()
        return bool(self.resolved["scenarios"].get(scenario, {}).get("counterfactual")) and not said

    def label(self, scenario: str) -> str:
        """Return a scenario's title, and the word counterfactual where it is one."""
        return self.title(scenario) + (" (counterfactual)" if self.counterfactual(scenario) else "")

    def colour(self, scenario: str) -> str:
        """Return the colour a scenario has in every figure."""
        return SCENARIO_COLOURS[self.scenarios.index(scenario) % len(SCENARIO_COLOURS)]

    def country(self, code: str) -> str:
        """Return a country's name, short enough for a panel."""
        return str(self._world.get("countries", {}).get(code, code)).split(" (")[0]

    def material(self, name: str) -> str:
        """Return a material's title."""
        return str(self._world["materials"].get(name, {}).get("title") or in_words(name))

    def of_material(self, name: str) -> str:
        """Return a material's title as it stands inside a sentence."""
        title = self.material(name)
        return title[:1].lower() + title[1:] if title[1:2].islower() and title.split()[0][1:].islower() else title

    def policy(self, name: str) -> str:
        """Return a policy's title; other causes of a price are plain words already."""
        for scenario in self.resolved["scenarios"].values():
            title = scenario.get("policies", {}).get(name, {}).get("title")
            if title:
                return str(title)
        return in_words(name)

    # -- curves ---------------------------------------------------------------------------------------

    def bands(self, series: str, material: str) -> dict[tuple[str, str], pd.DataFrame]:
        """Return (scenario, country) -> bands of a series of one material by date."""
        frame = self.series[(self.series["series"] == series) & (self.series["material"] == material)]
        return {
            (str(key[0]), str(key[1])): part.sort_values("date") for key, part in frame.groupby(["scenario", "country"])
        }


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table with words instead of categories, and times instead of dates."""
    frame = frame.copy(deep=False)
    for name in frame.select_dtypes("category").columns:
        frame[name] = frame[name].astype(object)
    if "date" in frame:
        frame["date"] = pd.to_datetime(frame["date"])
    return frame


def in_words(name: str) -> str:
    """Return an internal name as words."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def listed(names: list[str]) -> str:
    """Return names as 'a, b and c'."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
