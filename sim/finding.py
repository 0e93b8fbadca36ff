"""The finding: one paragraph that says what an experiment found, generated from its numbers.

Decides what stands out. Scenarios are compared with the last reference, which holds the trouble that the others
answer, and told in the order of their largest clear effect: on days of shortage as a share of the most that anybody has
in any of them, or on the mean price as a share of the highest, whichever is larger. What an interval cannot tell apart
from zero is never told as an effect.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from sim.effects import LEAST, Change, Place, places, short, where
from sim.facts import Facts
from sim.naming import in_words
from sim.sweeps import Sweep, sweeps, variants
from sim.wording import days_of, listed, usd

TOLD = 2
"""Scenarios told one by one; the others are named together."""

FEW = 30
"""Below this number of runs the finding says that they are few."""


def finding(facts: Facts) -> Iterator[str]:
    """Yield the finding as a section of the answer."""
    yield "## Finding\n"
    yield f"{' '.join(_sentences(facts))}\n"


def _sentences(facts: Facts) -> Iterator[str]:
    if not facts.materials:
        yield "No country in focus buys a material of this study, so there is nothing to find."
        return
    main = (facts.references or facts.scenarios)[-1 if facts.references else 0]
    yield from _trouble(facts, main)
    swept = variants(facts.resolved)
    told = [name for name in facts.scenarios if name not in swept and name not in facts.references and name != main]
    calm = [name for name in told if not facts.resolved["scenarios"][name]["policies"]]
    if len(told) > len(calm) and facts.references:  # that nothing happens is no answer to what does
        yield from _without_measures(facts, main, calm)
        told = [name for name in told if name not in calm]
    changes = [Change(facts, name, main) for name in told] if facts.references else []
    yield from _effects(facts, changes, main)
    if not facts.references and told:
        yield from _without_reference(facts, [name for name in facts.scenarios if name not in swept])
    found = [sweep for sweep in sweeps(facts.resolved) if len(sweep.points) > 1]
    for address in dict.fromkeys(sweep.address for sweep in found):
        yield _swept(facts, [sweep for sweep in found if sweep.address == address])
    yield from _sure(facts, changes)


# -- the trouble ----------------------------------------------------------------------------------------


def _trouble(facts: Facts, main: str) -> Iterator[str]:
    """Tell who is worst off in the scenario that others are compared with, and against the first reference."""
    label = _bold(facts, main)
    worst = _most(facts, main, "shortage_days")
    dearest = _most(facts, main, "price_mean")
    if worst is None or dearest is None:
        return
    years = _years(facts)
    days = facts.level(main, *worst, "shortage_days")
    assert days is not None
    if days.mean == 0:
        yield f"Under {label} nobody in focus goes short in any run; {_dear(facts, main, dearest)}."
    else:
        odds = facts.chance(main, *worst)
        yield (
            f"Under {label} {facts.the(worst[1])} has {days_of(days)} of {short(facts, worst[0])} over {years}"
            f"{_longest(facts)}, and some in {odds.mean:.0f} % of runs; {_dear(facts, main, dearest)}."
        )
    first = facts.references[0] if facts.references else main
    if first != main:
        change = Change(facts, main, first)
        yield f"Compared with {_bold(facts, first)}: {change.text() or 'no change that can be told'}."
    yield from _not_built(facts, main)


def _without_measures(facts: Facts, main: str, calm: Sequence[str]) -> Iterator[str]:
    """Tell how the worst place fares in scenarios without any measure."""
    worst = _most(facts, main, "shortage_days")
    if worst is None:
        return
    for name in calm:
        days, price = facts.level(name, *worst, "shortage_days"), facts.level(name, *worst, "price_mean")
        if days is not None and price is not None:
            had = "none" if days.mean == 0 else days_of(days)
            yield f"Under {_bold(facts, name)} it has {had}, at {price} times the normal price on average."


def _longest(facts: Facts) -> str:
    if len(facts.materials) > 1:
        return ", the most of any country and material in focus"
    return ", the most of the countries in focus" if len(facts.buyers(facts.materials[0])) > 1 else ""


def _dear(facts: Facts, scenario: str, place: Place) -> str:
    mean, peak = (facts.level(scenario, *place, metric) for metric in ("price_mean", "price_peak"))
    assert mean is not None and peak is not None
    superlative = "highest prices are those of" if len(places(facts)) > 1 else "price is that of"
    return (
        f"the {superlative} {where(facts, place)}, {mean} times normal on average and {peak.text()} times at the peak"
    )


def _most(facts: Facts, scenario: str, metric: str) -> Place | None:
    """Return the place with the highest mean of a metric."""
    found = [(place, facts.level(scenario, *place, metric)) for place in places(facts)]
    known = [(level.mean, place) for place, level in found if level is not None and level.mean == level.mean]
    return max(known, key=lambda each: each[0])[1] if known else None


def _not_built(facts: Facts, scenario: str) -> Iterator[str]:
    for company in facts.companies:
        material = facts.bought_by(company)[0]
        lost, plan = (facts.level(scenario, material, company, m) for m in ("products_not_built", "products_planned"))
        if lost is not None and plan is not None and lost.mean > 0:
            made, share = facts.products(company), 100 * lost.mean / plan.mean
            yield f"{facts.country(company)} cannot build {lost} of {plan.mean:,.0f} {made} ({share:.2g} %)."
        elif lost is not None:
            yield f"{facts.country(company)} builds all its {facts.products(company)}."


# -- what scenarios change ------------------------------------------------------------------------------


def _effects(facts: Facts, changes: Sequence[Change], main: str) -> Iterator[str]:
    """Tell what each scenario changes, the strongest first, and which change nothing that can be told."""
    if not changes:
        return
    scale = {metric: _highest(facts, metric, [main, *(each.scenario for each in changes)]) for metric in LEAST}
    strength = {each.scenario: each.strength(scale) for each in changes}
    clear = sorted((e for e in changes if any(strength[e.scenario])), key=lambda e: strength[e.scenario], reverse=True)
    if not clear:
        yield _nothing(facts, changes, f", against {_bold(facts, main)}")
        return
    for place, change in enumerate(clear[:TOLD]):
        name, text = _bold(facts, change.scenario), f"{change.text()}{_price_tag(facts, change)}"
        if place:
            yield f"{name}: {text}."
        elif len(changes) > 1:
            yield f"Against this, {name} changes most: {text}."
        else:
            yield f"Against this, {name} has {text}."
    if len(clear) > TOLD:
        rest = listed(_bold(facts, each.scenario) for each in clear[TOLD:])
        yield f"Smaller clear effects, told below: {rest}."
    if len(changes) > len(clear):
        yield _nothing(facts, [each for each in changes if each not in clear])
    yield from _losers(facts, clear)


def _highest(facts: Facts, metric: str, scenarios: Sequence[str]) -> float:
    """Return the highest mean of a metric in any place of some scenarios; one where all are zero."""
    levels = (facts.level(name, *place, metric) for name in scenarios for place in places(facts))
    return max((level.mean for level in levels if level is not None and level.mean > 0), default=1.0)


def _nothing(facts: Facts, changes: Sequence[Change], against: str = "") -> str:
    """Tell which scenarios change nothing, or nothing that this number of runs can tell."""
    said = []
    nil = [each for each in changes if each.nil]
    if nil:
        verb = "changes" if len(nil) == 1 else "change"
        said.append(f"{listed(_bold(facts, each.scenario) for each in nil)} {verb} nothing in any run")
    unclear = [each for each in changes if not each.nil]
    if unclear:
        names = listed(_bold(facts, each.scenario) for each in unclear)
        said.append(f"for {names} this number of runs cannot tell any effect on days of shortage or mean prices")
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}{against}."


def _losers(facts: Facts, clear: Sequence[Change]) -> Iterator[str]:
    """Tell whom scenarios help and whom they hurt, by country."""
    helped, hurt = (
        {e.place[1] for change in clear for metric in LEAST for e in change.of(metric, way)} for way in (-1, 1)
    )
    if len(_buyers(facts)) < 2 or len(clear) < 2 or helped == hurt:
        return
    gain, loss = (listed(map(facts.the, _in_order(facts, each))) if each else "" for each in (helped, hurt))
    rest = [country for country in _buyers(facts) if country not in helped | hurt]
    if gain and loss:
        text = f"Some of them help {gain}, and some hurt {loss}"
    elif gain:
        text = f"They help {gain}, and none hurts anybody in focus"
    else:
        text = f"They hurt {loss}, and none helps anybody in focus"
    yield f"{text}{f'; for {listed(map(facts.the, rest))} no change can be told' if rest else ''}."


def _price_tag(facts: Facts, change: Change) -> str:
    """Tell what a scenario costs more than its reference."""
    public, private = (
        ours.mean - theirs.mean
        for ours, theirs in zip(facts.cost(change.scenario), facts.cost(change.reference), strict=True)
    )
    if not public and not private:
        return ""
    amounts = ((public, "public"), (private, "private"))
    costs = [f"{usd(amount)} of {kind}" for amount, kind in amounts if amount > 0]
    yields = [f"{usd(-amount)} of {kind}" for amount, kind in amounts if amount < 0]
    said = [f"{verb} {listed(each)} money" for verb, each in (("costs", costs), ("brings in", yields)) if each]
    return f"; it {listed(said)}"


def _without_reference(facts: Facts, scenarios: Sequence[str]) -> Iterator[str]:
    """Tell the range over scenarios where none is a reference."""
    metric = "shortage_days"
    levels = []
    for name in scenarios:
        worst = _most(facts, name, metric)
        level = None if worst is None else facts.level(name, *worst, metric)
        if worst is not None and level is not None:
            levels.append((level.mean, name, worst, level))
    if not levels:
        return
    _, name, place, level = max(levels, key=lambda each: each[0])
    if level.mean == 0:
        yield "Nobody in focus goes short under any scenario."
    else:
        yield (
            f"Of all scenarios {_bold(facts, name)} has the longest shortage: {days_of(level)} of "
            f"{where(facts, place)}. No scenario is named as a reference, so no effects are told."
        )


# -- sweeps ---------------------------------------------------------------------------------------------


def _swept(facts: Facts, found: Sequence[Sweep]) -> str:
    """Tell what the ends of a sweep of one address differ in, by the scenario it was swept in."""
    told: dict[str, list[str]] = {}
    for sweep in found:
        told.setdefault(_from_end_to_end(facts, sweep), []).append(sweep.base)
    first = found[0]
    said = in_words(first.address, facts.resolved["scenarios"][first.base])
    ends = f"{first.points[0].value} to {first.points[-1].value}".replace("_", " ")
    clauses = [f"under {listed(_bold(facts, name) for name in names)} {text}" for text, names in told.items()]
    return f"As the {said} goes from {ends}, {'; '.join(clauses)}."


def _from_end_to_end(facts: Facts, sweep: Sweep) -> str:
    """Tell days of shortage where they differ most between the ends; where they do not, the mean price."""
    first, last = sweep.points[0].scenario, sweep.points[-1].scenario
    change = Change(facts, last, first)
    for effect in (each for metric in LEAST for each in change.of(metric)[:1]):
        before, after = (facts.level(name, *effect.place, effect.metric) for name in (first, last))
        assert before is not None and after is not None
        more = effect.size.mean > 0
        if effect.metric == "price_mean":
            size = effect.size.scaled(100.0 if more else -100.0)
            return (
                "days of shortage do not change as far as this number of runs can tell, and the mean price of "
                f"{where(facts, effect.place)} goes from {before.text()} to {after.text()} times normal, "
                f"{'higher' if more else 'lower'} by {size.text()} % of normal {size.between()}"
            ).rstrip()
        size = effect.size.scaled(1.0 if more else -1.0)
        return (
            f"{facts.the(effect.place[1])} goes from {before.text()} to {after.text()} days of shortage of "
            f"{short(facts, effect.place[0])}, {size.text()} {'more' if more else 'fewer'} {size.between()}"
        ).rstrip()
    if change.nil:
        return "nothing changes in any run"
    return "neither days of shortage nor mean prices change as far as this number of runs can tell"


# -- how sure -------------------------------------------------------------------------------------------


def _sure(facts: Facts, changes: Sequence[Change]) -> Iterator[str]:
    """Tell how many differences are clear, and whether chance alone would give as many."""
    runs = facts.results.manifest["replications"]
    effects = [effect for change in changes for effect in change.effects]
    if runs == 1:
        yield "One run tells no interval: none of this is more than an example."
        return
    if effects:
        clear, nil = sum(each.size.clear for each in effects), sum(each.nil for each in effects)
        open_ = len(effects) - clear - nil
        said = [f"{clear or 'none'} {'are' if clear > 1 else 'is'} clear of zero"]
        said += [f"{open_} cannot be told from zero"] if open_ else []
        said += [f"{nil} {'are' if nil > 1 else 'is'} zero in every run"] if nil else []
        yield f"Of {len(effects)} differences looked at (days of shortage and mean prices), {listed(said)}."
        if clear and clear <= 0.1 * (len(effects) - nil):
            yield "Chance alone would make about one in twenty look clear, so these few say little."
    if runs < FEW:
        yield f"With {runs} runs all of this is rough."


# -- names ----------------------------------------------------------------------------------------------


def _buyers(facts: Facts) -> list[str]:
    return list(dict.fromkeys(country for _, country in places(facts)))


def _in_order(facts: Facts, countries: set[str]) -> list[str]:
    return [country for country in _buyers(facts) if country in countries]


def _bold(facts: Facts, scenario: str) -> str:
    return f"**{facts.label(scenario)}**"


def _years(facts: Facts) -> str:
    horizon = facts.experiment["horizon"]
    start, end = (dt.date.fromisoformat(str(horizon[key])) for key in ("start", "end"))
    years = (end - start).days / 365.25
    return f"{years:.0f} years" if years >= 1.5 else "a year" if years > 0.9 else f"{(end - start).days} days"
