"""Answers an experiment's question in plain sentences, generated from its results.

Decides which numbers are told first and in which words. A difference is told only as far as the number of
replications can tell it; a scenario that did not happen is called counterfactual wherever it is named.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from rich.table import Table
from scipy import stats

from sim.results import Results

LEAST_DAYS = 0.05
"""Differences in days below this are told as none."""

LEAST_PRICE = 0.005
"""Differences in price against normal below this are told as none."""

ARTICLE = ("United", "European", "Democratic", "Czech", "Netherlands", "Philippines")
"""First words of names of countries that take an article."""

NOTHING = "no difference to speak of"

KEY = ["scenario", "material", "country"]


def answer(results: Results) -> str:
    """Return the answer as Markdown, with every number that supports it."""
    facts = Facts(results)
    parts = (_opening, _companies, _in_short, _levels, _gains, _costs, _how_sure)
    return _text(*(part(facts) for part in parts))


def short_answer(results: Results) -> str:
    """Return the answer as Markdown, short enough for the end of a run."""
    facts = Facts(results)
    return _text(_opening(facts), _companies(facts), _in_short(facts))


def _text(*sections: Iterator[str]) -> str:
    return "\n".join(line for section in sections for line in section) + "\n"


def tables(results: Results) -> Iterator[Table]:
    """Yield days of shortage and peak price by scenario and country in focus, one table per material."""
    facts = Facts(results)
    for material in facts.materials:
        title = f"{facts.material(material)}: days of shortage, and price against normal at its peak"
        shown = Table("Scenario", title=title, title_justify="left", pad_edge=False)
        for country in facts.buyers(material):
            shown.add_column(facts.country(country), justify="right")
        for scenario in facts.scenarios:
            cells = [_cell(facts, scenario, material, country) for country in facts.buyers(material)]
            shown.add_row(facts.label(scenario), *cells)
        yield shown


def _cell(facts: Facts, scenario: str, material: str, country: str) -> str:
    days = facts.level(scenario, material, country, "shortage_days")
    peak = facts.level(scenario, material, country, "price_peak")
    if days is None or peak is None:
        return "-"
    if days.mean == 0:
        return f"none\n{peak.text()} x {peak.between()}".replace(" to ", "-")
    return f"{days.text()} d {days.between()}\n{peak.text()} x {peak.between()}".replace(" to ", "-")


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


def _companies(facts: Facts) -> Iterator[str]:
    """Tell what each company laid over the world cannot build, and which of its shelves run empty."""
    for company in facts.companies:
        title, products = facts.country(company), facts.products(company)
        yield f"## {title}: {products} not built\n"
        for scenario in facts.scenarios:
            told = []
            for material in facts.bought_by(company):
                days = facts.level(scenario, material, company, "shortage_days")
                cover = facts.level(scenario, material, company, "min_cover_days")
                bill = facts.level(scenario, material, company, "procurement_cost_usd")
                if days is None or cover is None or bill is None:
                    continue
                odds = facts.chance(scenario, material, company)
                some = f", some in {odds.mean:.0f} % of runs" if days.mean > 0 else ""
                extra = (
                    f"an extra bill of {_usd(bill.mean)}" if bill.mean > 0 else f"a bill lower by {_usd(-bill.mean)}"
                )
                told.append(
                    f"{facts.material(material)}: {_days(days)}{some}; the shelf is down to {cover.text()} days at "
                    f"its lowest, in the mean of runs; {extra}"
                )
            yield f"- **{facts.label(scenario)}.** {_not_built(facts, scenario, company)}. {'. '.join(told)}."
        yield ""


def _not_built(facts: Facts, scenario: str, company: str) -> str:
    material = facts.bought_by(company)[0]
    lost = facts.level(scenario, material, company, "products_not_built")
    plan = facts.level(scenario, material, company, "products_planned")
    if lost is None or plan is None:
        return "Not known"
    if lost.mean == 0:
        return f"All {facts.products(company)} of the plan are built in every run"
    share = 100 * lost.mean / plan.mean
    return f"{lost} of {plan.mean:,.0f} {facts.products(company)} are not built ({share:.2g} %)"


def _in_short(facts: Facts) -> Iterator[str]:
    """Tell what every scenario does to the last material of the chain, against every reference."""
    if not facts.materials or not facts.references:
        return
    material = facts.materials[-1]
    yield f"## In short: {facts.inside(material)}\n"
    for reference in facts.references:
        yield f"**{facts.label(reference)}.** {_levels_short(facts, reference, material)}."
        others = [name for name in facts.scenarios if name != reference]
        if others:
            yield f"\nCompared with {facts.label(reference)}:\n"
        for scenario in others:
            effects = _effects_short(facts, scenario, reference, material)
            money = _money_sentence(facts, scenario, reference)
            yield f"- **{facts.label(scenario)}.** {effects}.{f' {money}' if money else ''}"
        yield ""


def _levels_short(facts: Facts, scenario: str, material: str) -> str:
    told = []
    for country in facts.buyers(material):
        days = facts.level(scenario, material, country, "shortage_days")
        price = facts.level(scenario, material, country, "price_mean")
        if days is not None and price is not None:
            told.append(f"{facts.country(country)}: {_days(days)}, at {price} times the normal price")
    return "; ".join(told)


def _effects_short(facts: Facts, scenario: str, reference: str, material: str) -> str:
    """Tell what a scenario changes in each country; countries of which the same is told come together."""
    told: dict[str, list[str]] = {}
    for country in facts.buyers(material):
        told.setdefault(_effect_short(facts, scenario, reference, material, country), []).append(facts.country(country))
    return "; ".join(f"{', '.join(countries)}: {effect}" for effect, countries in told.items())


def _effect_short(facts: Facts, scenario: str, reference: str, material: str, country: str) -> str:
    before = facts.level(reference, material, country, "shortage_days")
    days = facts.gain(scenario, reference, material, country, "shortage_days")
    price = facts.gain(scenario, reference, material, country, "price_mean")
    if before is None or days is None or price is None:
        return "cannot be compared"
    clear = _told(days, LEAST_DAYS)
    share = f", {100 * days.mean / before.mean:+.0f} %" if clear and before.mean >= LEAST_DAYS else ""
    if not clear and not _told(price, LEAST_PRICE) and _no_difference(price, LEAST_PRICE) == NOTHING:
        return _no_difference(days, LEAST_DAYS)
    return f"{_days_changed(days)}{share}; {_price_changed(price)}"


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
    odds = (
        ""
        if days.mean == 0
        else f", some shortage in {chance.mean:.0f} % of runs ({chance.low:.0f} to {chance.high:.0f})"
    )
    return f"{facts.country(country)}: {_days(days)}{odds}; price {mean} times normal on average, {peak} at its peak."


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
    return _amount_changed(days)


def _amount_changed(days: Estimate) -> str:
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
        return NOTHING
    if math.isnan(difference.low):
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
            amounts = amounts.replace("USD 0.00", "none")
            yield f"  - {row['title']}: {amounts}"
    yield "\nNegative amounts are proceeds, such as sales from a reserve. Projects that fail have spent their money.\n"


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
            prices.append(f"{_usd((public + private) / -gain.mean)} in {facts.the(country)}")
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
        f"- Uncertain numbers drawn from their ranges in every run: {len(manifest['ranges'])}. "
        "What the model leaves out stands in docs/model.md."
    )
    yield from _drivers(facts)
    yield f"- Markets were cleared {clearings:,} times; {failed:,} of these did not reach the tolerance."


def _drivers(facts: Facts) -> Iterator[str]:
    """Name the uncertain numbers that go most with the days of shortage, in the last reference, beyond chance."""
    if facts.results.sensitivity.empty or not facts.references or not facts.materials:
        return
    scenario, material = facts.references[-1], facts.materials[-1]
    for country in facts.buyers(material):
        named = [
            f"`{address}` (the higher, the {'more' if correlation > 0 else 'fewer'} days)"
            for address, correlation in _strongest(facts, scenario, material, country)
        ]
        if named:
            yield (
                f"- What moves the days of shortage of {facts.inside(material)} in {facts.the(country)} most, "
                f"under {facts.label(scenario)}: {', '.join(named)}."
            )


def _strongest(facts: Facts, scenario: str, material: str, country: str) -> list[tuple[str, float]]:
    """Return the three largest rank correlations that so many candidates would not give by chance."""
    frame = facts.results.sensitivity
    chosen = frame[(frame["scenario"] == scenario) & (frame["material"] == material)]
    chosen = chosen[(chosen["country"] == country) & (chosen["metric"] == "shortage_days")]
    if chosen.empty:
        return []
    # 5 % over all candidates together (Bonferroni); under chance, r * sqrt(n - 1) is nearly normal.
    least = stats.norm.ppf(1 - 0.025 / len(chosen)) / math.sqrt(chosen["n"].iloc[0] - 1)
    size = chosen["rank_correlation"].abs()
    first = chosen.loc[size[size > least].sort_values(ascending=False).index].head(3)
    return [(str(row["address"]), float(row["rank_correlation"])) for row in first.to_dict("records")]


# -- words ----------------------------------------------------------------------------------------------


def _days(days: Estimate) -> str:
    return "no shortage in any run" if days.mean == 0 else f"{days.text()} days of shortage {days.between()}".rstrip()


def _money(amount: Estimate) -> str:
    if math.isnan(amount.low) or amount.low == amount.high:
        return _usd(amount.mean)
    unit, name = _unit(amount.mean)
    return f"{_usd(amount.mean)} {amount.scaled(1 / unit).between()[:-1]}{name})"


def _usd(amount: float) -> str:
    unit, name = _unit(amount)
    return f"{'-' if amount < 0 else ''}USD {Estimate(abs(amount) / unit, 0, 0).text()}{name}"


def _unit(amount: float) -> tuple[float, str]:
    return next((unit for unit in ((1e9, " billion"), (1e6, " million")) if abs(amount) >= unit[0]), (1.0, ""))
