"""Answers an experiment's question in plain sentences, generated from its results.

Decides which numbers are told first and in which words. A difference is told only as far as the number of
replications can tell it; a scenario that did not happen is called counterfactual wherever it is named.
"""

from __future__ import annotations

import datetime as dt
import math
import shlex
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from rich.table import Table
from scipy import special

from sim import selection
from sim.certainty import certainty
from sim.config.tree import COMMAND_LINE
from sim.facts import Facts
from sim.finding import finding
from sim.happened import Event, History, histories
from sim.naming import in_short
from sim.results import Results
from sim.wording import (
    LEAST_DAYS,
    LEAST_PRICE,
    NOTHING,
    days_changed,
    days_of,
    is_told,
    listed,
    money,
    no_difference,
    price_changed,
    usd,
)


def answer(results: Results) -> str:
    """Return the answer as Markdown, with every number that supports it."""
    facts = Facts(results)
    parts = (_opening, finding, _about, _companies, _in_short, _levels, _gains, _costs, _picked, _happened, _how_sure)
    return _text(*(part(facts) for part in parts))


def _picked(facts: Facts) -> Iterator[str]:
    yield from selection.paragraph(facts.results.manifest)


def short_answer(results: Results) -> str:
    """Return the answer as Markdown, short enough for the end of a run."""
    facts = Facts(results)
    return _text(_opening(facts), finding(facts), _about(facts), _companies(facts), _in_short(facts))


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


# -- sections -------------------------------------------------------------------------------------------


def _opening(facts: Facts) -> Iterator[str]:
    yield f"# {facts.experiment['title']}\n"
    yield f"**{facts.experiment['question']}**\n"


def _about(facts: Facts) -> Iterator[str]:
    """Say how the numbers came about, what they mean, and what the command line has changed."""
    horizon, manifest = facts.experiment["horizon"], facts.results.manifest
    start, end = (dt.date.fromisoformat(str(horizon[key])) for key in ("start", "end"))
    yield "## What the numbers are\n"
    yield (
        f"Every scenario was run {manifest['replications']:,} times from {_day(start)} to {_day(end)}, each time "
        "with other luck, and with the same luck in all scenarios. Numbers are means over those runs, with their "
        "95 % interval in brackets. A day of shortage is a day on which empty shelves, not prices, hold use down; "
        "days count the share of users without. A price is told against normal, the country's own price at the "
        "start. Counterfactual means: did not happen.\n"
    )
    yield from _set_by_hand(facts)


def _set_by_hand(facts: Facts) -> Iterator[str]:
    """Name every value that ``--set`` changed, old and new, and the scenarios it changed it in."""
    told: dict[str, list[str]] = {}
    for scenario in facts.scenarios:
        for change in facts.resolved["scenarios"][scenario].get("changes", ()):
            if change["file"] == COMMAND_LINE:
                said = f"`{change['address']}`: {in_short(change['old'])} -> {in_short(change['new'])}"
                told.setdefault(said, []).append(scenario)
    words = shlex.split(facts.results.manifest.get("command", ""))
    given = [value for flag, value in pairwise(words) if flag == "--set"]
    run = [each for each in given if not any(f"`{each.partition('=')[0].strip()}`" in said for said in told)]
    if not told and not run:
        return
    yield "Set on the command line, for this run only:\n"
    for said, names in told.items():
        where = "in all scenarios" if len(names) == len(facts.scenarios) else f"in {listed(map(facts.label, names))}"
        left = len(facts.scenarios) - len(names)
        rest = f"; the other {'scenario does' if left == 1 else f'{left} scenarios do'} not have it" if left else ""
        yield f"- {said}, {where}{rest}"
    yield from (f"- `{each.partition('=')[0]}`: {each.partition('=')[2]}, of the run itself" for each in run)
    yield ""


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
                extra = f"an extra bill of {usd(bill.mean)}" if bill.mean > 0 else f"a bill lower by {usd(-bill.mean)}"
                told.append(
                    f"{facts.material(material)}: {days_of(days)}{some}; the shelf is down to {cover.text()} days at "
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
            told.append(f"{facts.country(country)}: {days_of(days)}, at {price} times the normal price")
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
    clear = is_told(days, LEAST_DAYS)
    share = f", {100 * days.mean / before.mean:+.0f} %" if clear and before.mean >= LEAST_DAYS else ""
    if not clear and not is_told(price, LEAST_PRICE) and no_difference(price, LEAST_PRICE) == NOTHING:
        return no_difference(days, LEAST_DAYS)
    return f"{days_changed(days)}{share}; {price_changed(price)}"


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
    return f"{facts.country(country)}: {days_of(days)}{odds}; price {mean} times normal on average, {peak} at its peak."


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
    return f"{facts.country(country)}: {days_changed(days)}; {price_changed(price)}."


def _costs(facts: Facts) -> Iterator[str]:
    """Tell what the policies of each scenario cost, and which of them."""
    paying = [name for name in facts.scenarios if any(abs(each.mean) > 0 for each in facts.cost(name))]
    if not paying:
        return
    yield "## What it costs\n"
    for scenario in paying:
        public, private = facts.cost(scenario)
        yield f"- **{facts.label(scenario)}.** {money(public)} of public and {money(private)} of private money."
        for row in _policy_rows(facts, scenario):
            amounts = f"{usd(row['public_usd'])} public, {usd(row['private_usd'])} private"
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
    told = f"It costs {usd(public)} of public and {usd(private)} of private money"
    material = facts.materials[-1]
    prices = []
    for country in facts.buyers(material):
        gain = facts.gain(scenario, reference, material, country, "shortage_days")
        if gain is not None and gain.mean < 0 and is_told(gain, LEAST_DAYS) and public + private > 0:
            prices.append(f"{usd((public + private) / -gain.mean)} in {facts.the(country)}")
    return told + (f"; for each day of shortage avoided, {', '.join(prices)}." if prices else ".")


def _happened(facts: Facts) -> Iterator[str]:
    """List what befell each measure, and when; scenarios by their numbers."""
    found = histories(facts.results.timeline, facts.resolved["scenarios"])
    if not found:
        return
    number = {name: str(place) for place, name in enumerate(facts.scenarios, 1)}
    yield "## What happened, and when\n"
    yield "Dates are those of the middle run, with nine runs in ten in brackets where they differ.\n"
    yield "| Measure | Scenarios | Events |\n|---|---|---|"
    for row in found:
        where = "all" if len(row.scenarios) == len(number) else ", ".join(number[name] for name in row.scenarios)
        yield f"| {row.title.replace('|', '/')} | {where} | {'; '.join(_event(row, each) for each in row.events)} |"
    yield f"\nScenarios: {'; '.join(f'{number[name]} {facts.label(name)}' for name in facts.scenarios)}.\n"


def _event(row: History, event: Event) -> str:
    withdrawn = event.name == "ends" and row.event("in force") is None
    some = f" in {event.of_runs} of runs" if event.share < 1 else ""
    return f"{'withdrawn' if withdrawn else event.name} {event.when}{some}"


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
    yield from (f"- {sentence}" for sentence in certainty(facts))
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
    least = special.ndtri(1 - 0.025 / len(chosen)) / math.sqrt(chosen["n"].iloc[0] - 1)
    size = chosen["rank_correlation"].abs()
    first = chosen.loc[size[size > least].sort_values(ascending=False).index].head(3)
    return [(str(row["address"]), float(row["rank_correlation"])) for row in first.to_dict("records")]
