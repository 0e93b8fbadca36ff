"""Says how sure the means of a run are: the precision that was asked for, and what pairing and designs have saved."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sim.facts import Estimate, Facts

UNIT_WORDS = {
    "shortage_days": ("days of shortage", " d"),
    "price_mean": ("mean price", " times normal"),
    "price_peak": ("peak price", " times normal"),
}


def certainty(facts: Facts) -> Iterator[str]:
    """Yield sentences on the number of replications: whether it was enough, and what made it so few."""
    asked = facts.results.manifest.get("precision")
    if asked is not None:
        yield precision_sentence(facts, asked)
    yield from saved_sentence(facts.results.manifest.get("variance_reduction") or {})


def saved_sentence(saved: dict[str, Any]) -> Iterator[str]:
    """Say by which factor the same luck in all scenarios, and the design of the draws, cut the replications needed."""
    told = []
    paired, designed = saved.get("common_random_numbers"), saved.get("latin_hypercube")
    if paired is not None:
        told.append(f"the same luck in all scenarios about {_number(paired['factor'])} times for differences")
    if designed is not None:
        told.append(f"evenly spread draws (Latin hypercube) about {_number(designed['factor'])} times for means")
    if told:
        yield f"Runs saved, in the median over days of shortage and mean prices in focus: {', and '.join(told)}."


def precision_sentence(facts: Facts, precision: dict[str, Any]) -> str:
    """Say how many replications the precision asked for took, and the widest interval left."""
    last = precision["rounds"][-1]
    count, widest = last["replications"], last["widest"]
    if widest is None:
        return f"Asked for a precision of `{precision['asked']}`; nothing in focus has an interval to measure."
    if precision["reached"]:
        said = f"The precision asked for, `{precision['asked']}`, took {count:,} replications of each scenario"
    else:
        said = (
            f"The precision asked for, `{precision['asked']}`, was not reached within the {count:,} replications "
            "of each scenario that --max-replications allows"
        )
    return f"{said}; furthest from it is {_widest(facts, widest)}."


def _widest(facts: Facts, widest: dict[str, Any]) -> str:
    metric = widest["metric"]
    name, unit = UNIT_WORDS.get(metric, (f"`{metric}`", ""))
    against = f" against {facts.label(widest['reference'])}" if "reference" in widest else ""
    where = f"{facts.inside(widest['material'])} in {facts.the(widest['country'])}"
    half = widest["half_width"]
    if isinstance(half, str):
        return f"the {name} of {where}, under {facts.label(widest['scenario'])}{against}, whose interval is not known"
    return (
        f"the {name} of {where}, under {facts.label(widest['scenario'])}{against}: {_number(widest['mean'])} ± "
        f"{_number(half)}{unit}, where {_number(widest['allowed'])} is narrow enough"
    )


def _number(amount: float) -> str:
    return Estimate(amount, 0, 0).text() if abs(amount) >= 1 else f"{amount:.3g}"
