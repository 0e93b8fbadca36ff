"""Answers an experiment's question in plain sentences, generated from its results.

Decides which numbers are told first and in which words. A difference is told only as far as the number of
replications can tell it; a scenario that did not happen is called counterfactual wherever it is named.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from rich.table import Table

from sim.results import Results

LEAST_DAYS = 0.05
"""Differences in days below this are told as none."""

LEAST_PRICE = 0.005
"""Differences in price against normal below this are told as none."""

KEY = ["scenario", "material", "country"]


def answer(results: Results) -> str:
    """Return the answer as Markdown."""
    facts = Facts(results)
    return "\n".join([*_opening(facts), *_in_short(facts), *_levels(facts), *_gains(facts), *_costs(facts),
                      *_how_sure(facts)]) + "\n"  # fmt: skip


def table(results: Results) -> Table:
    """Return days of shortage and peak price, by scenario and country in focus, with intervals."""
    facts = Facts(results)
    shown = Table(title="Days of shortage, and price at its peak against normal", title_justify="left")
    shown.add_column("Scenario")
    for material in facts.materials:
        for country in facts.buyers(material):
            shown.add_column(f"{facts.material(material)}\n{facts.country(country)}", justify="right")
    for scenario in facts.scenarios:
        cells = [
            _cell(facts, scenario, material, country)
            for material in facts.materials
            for country in facts.buyers(material)
        ]
        shown.add_row(facts.label(scenario), *cells)
    return shown


def _cell(facts: Facts, scenario: str, material: str, country: str) -> str:
    days = facts.level(scenario, material, country, "shortage_days")
    peak = facts.level(scenario, material, country, "price_peak")
    if days is None or peak is None:
        return "-"
    return f"{days.text()} d {days.between()}\n{peak.text()}x {peak.between()}"


# -- numbers --------------------------------------------------------------------------------------------


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
        return f"{self.mean:,.{self._digits}f}"

    def between(self) -> str:
        """Return the interval in brackets; nothing where one replication gives none."""
        if self.low != self.low:
            return ""
        return f"({self.low:,.{self._digits}f} to {self.high:,.{self._digits}f})"

    def __str__(self) -> str:
        return f"{self.text()} {self.between()}".rstrip()

    @property
    def _digits(self) -> int:
        size = abs(self.mean)
        return 0 if size >= 100 else 1 if size >= 10 else 2


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

    def buyers(self, material: str) -> list[str]:
        """Return the countries in focus that buy a material."""
        first = self.scenarios[0]
        return [c for c in self.experiment["focus"]["countries"] if (first, material, c) in self._headlines]

    def level(self, scenario: str, material: str, country: str, metric: str) -> Estimate | None:
        """Return a metric of a scenario."""
        row = self._levels.get((scenario, material, country, metric))
        return None if row is None else Estimate.of(row, "mean")

    def gain(self, scenario: str, reference: str, material: str, country: str, metric: str) -> Estimate | None:
        """Return the paired difference of a metric from a reference."""
        row = self._differences.get((reference, scenario, material, country, metric))
        return None if row is None else Estimate.of(row, "difference")

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

    def material(self, name: str) -> str:
        """Return a material's title."""
        return str(self.world["materials"][name]["title"])

    def inside(self, name: str) -> str:
        """Return a material's title as it stands inside a sentence."""
        title = self.material(name)
        return title[:1].lower() + title[1:] if title[1:2].islower() else title


def _indexed(frame: pd.DataFrame, names: list[str]) -> dict[tuple[str, ...], dict[str, Any]]:
    rows = frame.to_dict("records")
    return {tuple(str(row[name]) for name in names): {str(k): v for k, v in row.items()} for row in rows}


# -- sections -------------------------------------------------------------------------------------------


def _opening(facts: Facts) -> Iterator[str]:
    horizon, manifest = facts.experiment["horizon"], facts.results.manifest
    start, end = (dt.date.fromisoformat(str(horizon[key])) for key in ("start", "end"))
    yield f"# {facts.experiment['title']}\n"
    yield f"**{facts.experiment['question']}**\n"
    yield (
        f"Every scenario was run {manifest['replications']:,} times from {_day(start)} to {_day(end)}, each time "
        "with other luck, and with the same luck in all scenarios. Numbers are means over those runs, with their "
        "95 % interval in brackets. A day of shortage is a day on which empty shelves, not prices, hold use down; "
        "days count the share of users without. A price is told against normal, the country's own price at the "
        "start. Counterfactual means: did not happen.\n"
    )


def _day(date: dt.date) -> str:
    return f"{date.day} {date:%B %Y}"


def _in_short(facts: Facts) -> Iterator[str]:
    """Tell what each scenario does to the last material of the chain, against the last reference."""
    if not facts.materials or not facts.references:
        return
    material, reference = facts.materials[-1], facts.references[-1]
    yield "## In short\n"
    for scenario in facts.scenarios:
        if scenario == reference:
            yield f"- **{facts.label(scenario)}.** {_sentence(_levels_short(facts, scenario, material))}"
    for scenario in facts.scenarios:
        if scenario in facts.references:
            continue
        effects = [_effect_short(facts, scenario, reference, material, c) for c in facts.buyers(material)]
        money = _money_sentence(facts, scenario, reference)
        yield (
            f"- **{facts.label(scenario)}**, compared with {facts.label(reference)}: "
            f"{'; '.join(effects)}.{f' {money}' if money else ''}"
        )
    yield ""


def _levels_short(facts: Facts, scenario: str, material: str) -> str:
    told = []
    for country in facts.buyers(material):
        days = facts.level(scenario, material, country, "shortage_days")
        price = facts.level(scenario, material, country, "price_mean")
        if days is not None and price is not None:
            told.append(
                f"{facts.country(country)} {_days(days)} of {facts.inside(material)}, {price.text()} times normal"
            )
    return "; ".join(told)


def _effect_short(facts: Facts, scenario: str, reference: str, material: str, country: str) -> str:
    """Tell one country's days of shortage with and without, as far as the runs can tell."""
    before = facts.level(reference, material, country, "shortage_days")
    after = facts.level(scenario, material, country, "shortage_days")
    gain = facts.gain(scenario, reference, material, country, "shortage_days")
    name = facts.country(country)
    if before is None or after is None or gain is None:
        return f"{name} cannot be compared"
    if before.mean == 0 and after.mean == 0:
        return f"{name} is short of {facts.inside(material)} in neither"
    if not _told(gain, LEAST_DAYS):
        return f"{name} has {after.text()} days of shortage of {facts.inside(material)}, {_no_difference(gain, LEAST_DAYS)}"
    change = f", {100 * gain.mean / before.mean:+.0f} %" if before.mean > 0 else ""
    return f"{name} goes from {before.text()} to {after.text()} days of shortage of {facts.inside(material)}{change}"


def _levels(facts: Facts) -> Iterator[str]:
    """Tell days of shortage and prices of every scenario."""
    yield "## Days of shortage and price against normal\n"
    for material in facts.materials:
        yield f"### {facts.material(material)}\n"
        for scenario in facts.scenarios:
            told = [_level(facts, scenario, material, country) for country in facts.buyers(material)]
            yield f"- **{facts.label(scenario)}.** {' '.join(told)}"
        yield ""


def _level(facts: Facts, scenario: str, material: str, country: str) -> str:
    days = facts.level(scenario, material, country, "shortage_days")
    mean = facts.level(scenario, material, country, "price_mean")
    peak = facts.level(scenario, material, country, "price_peak")
    if days is None or mean is None or peak is None:
        return ""
    chance = facts.chance(scenario, material, country)
    short = "no shortage in any run" if days.mean == 0 else f"{_days(days)} {days.between()}".rstrip()
    odds = (
        ""
        if days.mean == 0
        else f", some shortage in {chance.mean:.0f} % of runs ({chance.low:.0f} to {chance.high:.0f})"
    )
    return f"{facts.country(country)}: {short}{odds}; price {mean} times normal on average, {peak} at its peak."


def _gains(facts: Facts) -> Iterator[str]:
    """Tell what each scenario changes against every reference, paired run by run."""
    for reference in facts.references:
        others = [name for name in facts.scenarios if name != reference]
        if not others:
            continue
        yield f"## What changes compared with {facts.label(reference)}\n"
        for material in facts.materials:
            yield f"### {facts.material(material)}\n"
            for scenario in others:
                told = [_change(facts, scenario, reference, material, c) for c in facts.buyers(material)]
                yield f"- **{facts.label(scenario)}.** {' '.join(told)}"
            yield ""


def _change(facts: Facts, scenario: str, reference: str, material: str, country: str) -> str:
    days = facts.gain(scenario, reference, material, country, "shortage_days")
    price = facts.gain(scenario, reference, material, country, "price_mean")
    if days is None or price is None:
        return f"{facts.country(country)}: cannot be compared."
    return f"{facts.country(country)}: {_days_changed(days)}; {_price_changed(price)}."


def _days_changed(days: Estimate) -> str:
    if not _told(days, LEAST_DAYS):
        return f"days of shortage: {_no_difference(days, LEAST_DAYS)}"
    size = days.scaled(1.0 if days.mean > 0 else -1.0)
    return f"{size.text()} {'more' if days.mean > 0 else 'fewer'} days of shortage {size.between()}".rstrip()


def _price_changed(price: Estimate) -> str:
    if not _told(price, LEAST_PRICE):
        return f"mean price: {_no_difference(price, LEAST_PRICE)}"
    size = price.scaled(100.0 if price.mean > 0 else -100.0)
    way = "higher" if price.mean > 0 else "lower"
    return f"the mean price is {way} by {size.text()} % of normal {size.between()}".rstrip()


def _told(difference: Estimate, least: float) -> bool:
    """Whether a difference is large enough to speak of, and told apart from none."""
    return abs(difference.mean) >= least and difference.clear


def _no_difference(difference: Estimate, least: float) -> str:
    """Say honestly what is known of a difference that cannot be told, or is too small to matter."""
    if difference.mean == difference.low == difference.high == 0:
        return "no difference in any run"
    if max(abs(difference.low), abs(difference.high)) < least:
        return "no difference to speak of"
    if difference.low != difference.low:
        return "one run cannot tell a difference"
    if not difference.clear:
        return f"no difference that this number of runs can tell {difference.between()}"
    return f"hardly any difference {difference.between()}"


def _costs(facts: Facts) -> Iterator[str]:
    """Tell what the policies of each scenario cost, and which of them."""
    paying = [name for name in facts.scenarios if any(abs(each.mean) > 0 for each in facts.cost(name))]
    if not paying:
        return
    yield "## What it costs\n"
    for scenario in paying:
        public, private = facts.cost(scenario)
        yield f"- **{facts.label(scenario)}.** {_money(public)} of public and {_money(private)} of private money."
        for row in _policy_rows(facts, scenario):
            amounts = f"{_usd(row['public_usd'])} public, {_usd(row['private_usd'])} private"
            yield f"  - {row['title']}: {amounts}"
    yield "\nNegative amounts are proceeds, such as sales from a reserve. Projects that fail have spent their money too.\n"


def _policy_rows(facts: Facts, scenario: str) -> Iterator[dict[str, Any]]:
    frame = facts.results.costs
    own = frame[(frame["scenario"] == scenario) & (frame["policy"] != "all") & (frame["country"] == "all")]
    for row in own.to_dict("records"):
        if row["public_usd"] or row["private_usd"]:
            yield {str(key): value for key, value in row.items()}


def _money_sentence(facts: Facts, scenario: str, reference: str) -> str:
    """Tell what a scenario costs more than its reference, and what a day of shortage avoided costs."""
    ours, theirs = facts.cost(scenario), facts.cost(reference)
    public, private = (a.mean - b.mean for a, b in zip(ours, theirs, strict=True))
    if not public and not private:
        return ""
    told = f"It costs {_usd(public)} of public and {_usd(private)} of private money"
    material = facts.materials[-1]
    prices = []
    for country in facts.buyers(material):
        gain = facts.gain(scenario, reference, material, country, "shortage_days")
        if gain is not None and gain.mean < 0 and _told(gain, LEAST_DAYS) and public + private > 0:
            prices.append(f"{_usd((public + private) / -gain.mean)} in {facts.country(country)}")
    return told + (f"; for each day of shortage avoided, {', '.join(prices)}." if prices else ".")


def _how_sure(facts: Facts) -> Iterator[str]:
    manifest = facts.results.manifest
    clearings = sum(each["clearings"] for each in manifest["solver"].values())
    failed = sum(each["not_converged"] for each in manifest["solver"].values())
    yield "## How sure is this\n"
    yield (
        "- Intervals say how well this number of runs knows the mean of the model, not how far the model is from "
        "the world. They are computed as if runs were independent, which makes them rather too wide."
    )
    yield (
        f"- {len(manifest['ranges'])} numbers that no source fixes were drawn from their ranges in every run; "
        "docs/model.md says what the model leaves out."
    )
    yield from _drivers(facts)
    yield f"- Markets were cleared {clearings:,} times; {failed:,} of these did not reach the tolerance."


def _drivers(facts: Facts) -> Iterator[str]:
    """Name the uncertain numbers that move the days of shortage most, in the last reference."""
    frame = facts.results.sensitivity
    if frame.empty or not facts.references or not facts.materials:
        return
    scenario, material = facts.references[-1], facts.materials[-1]
    for country in facts.buyers(material):
        chosen = frame[(frame["scenario"] == scenario) & (frame["material"] == material)]
        chosen = chosen[(chosen["country"] == country) & (chosen["metric"] == "shortage_days")]
        first = chosen.reindex(chosen["rank_correlation"].abs().sort_values(ascending=False).index).head(3)
        if len(first):
            named = [f"`{row.address}` ({row.rank_correlation:+.2f})" for row in first.itertuples()]
            yield (
                f"- What moves {facts.country(country)}'s days of shortage of {facts.inside(material)} most under "
                f"{facts.label(scenario)} (rank correlation, -1 to 1): {', '.join(named)}."
            )


# -- words ----------------------------------------------------------------------------------------------


def _days(days: Estimate) -> str:
    return "no days of shortage" if days.mean == 0 else f"{days.text()} days of shortage"


def _sentence(text: str) -> str:
    return f"{text}." if text else "Nothing to tell."


def _money(amount: Estimate) -> str:
    if amount.low != amount.low or amount.low == amount.high:
        return _usd(amount.mean)
    return f"{_usd(amount.mean)} ({_usd(amount.low)} to {_usd(amount.high)})"


def _usd(amount: float) -> str:
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    for unit, name in ((1e9, " billion"), (1e6, " million")):
        if size >= unit:
            return f"{sign}USD {Estimate(size / unit, 0, 0).text()}{name}"
    return f"{sign}USD {size:,.0f}"
