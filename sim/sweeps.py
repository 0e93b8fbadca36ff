"""What a sweep swept: for each base scenario, the scenarios that differ from it in one value, in order.

Decides what value each variant stands for and whether values lie on a scale. Writes `sweep.csv`: one row per
address, base scenario, value and group in focus.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

SWEPT = ("shortage_days", "price_mean", "price_peak", "procurement_cost_usd", "policy_cost_public_usd")
"""Metrics in ``sweep.csv``."""

FILE = "sweep.csv"

COLUMNS = [
    "address", "base", "value", "number", "unit", "scenario", "mineral", "material", "country", "metric",
    "mean", "ci_low", "ci_high", "n", "difference", "difference_ci_low", "difference_ci_high",
]  # fmt: skip
"""The difference is the paired one from the first reference."""

_QUANTITY = re.compile(r"([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)\s*(.*)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Point:
    """One value of a sweep and the scenario that has it; `number` is None where values lie on no scale."""

    value: str
    number: float | None
    scenario: str


@dataclass(frozen=True)
class Sweep:
    """One address swept in one base scenario.

    Attributes
    ----------
    address, base : str
    unit : str
        Of all values; ``date`` for dates, whose numbers are days since 1970; empty for plain numbers.
    before : Point or None
        The base scenario itself with the value it has.
    points : tuple of Point
        In order of number, or as written where values lie on no scale.
    """

    address: str
    base: str
    unit: str
    before: Point | None
    points: tuple[Point, ...]

    @property
    def on_scale(self) -> bool:
        """Whether the values can be drawn on an axis of numbers."""
        return all(point.number is not None for point in self.points)


def sweeps(resolved: Mapping[str, Any]) -> list[Sweep]:
    """Return the sweeps of a run, address by address, in the order of the scenarios."""
    scenarios: Mapping[str, Any] = resolved["scenarios"]
    addresses: Mapping[str, Any] = resolved["experiment"].get("sweep") or {}
    found = []
    for address, values in addresses.items():
        last = address.rpartition(".")[2]
        alone = sum(other.rpartition(".")[2] == last for other in addresses) == 1
        named = {f"@{last if alone else address}={_plain(value)}": _plain(value) for value in values}
        for base in scenarios:
            there = {value: base + end for end, value in named.items() if base + end in scenarios}
            if there:
                found.append(_sweep(address, base, there, scenarios[base]))
    return found


def variants(resolved: Mapping[str, Any]) -> set[str]:
    """Return the names of the scenarios that a sweep made."""
    return {point.scenario for sweep in sweeps(resolved) for point in sweep.points}


def _sweep(address: str, base: str, there: Mapping[str, str], scenario: Mapping[str, Any]) -> Sweep:
    units, numbers = {}, {}
    for value in there:
        units[value], numbers[value] = _read(value)
    before = _at(scenario, address)
    one = len(set(units.values())) == 1 and None not in numbers.values()
    points = [Point(value, numbers[value] if one else None, name) for value, name in there.items()]
    unit = next(iter(units.values())) if one else ""
    if one:
        points.sort(key=lambda point: point.number or 0.0)
    start = None
    if before is not None:
        own = _read(before)
        start = Point(before, own[1] if one and own[0] == unit else None, base)
    return Sweep(address, base, unit, start, tuple(points))


def _plain(value: Any) -> str:
    return str(value["value"] if isinstance(value, Mapping) and "value" in value else value)


def _at(scenario: Mapping[str, Any], address: str) -> str | None:
    node: Any = {**scenario["world"], "policies": scenario["policies"]}
    for key in address.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    if isinstance(node, Mapping) and "value" not in node:
        return None
    return None if node is None or isinstance(node, list) else _plain(node)


def _read(value: str) -> tuple[str, float | None]:
    """Return unit and number of a value; None where it is no number."""
    if _DATE.fullmatch(value):
        return "date", float((dt.date.fromisoformat(value) - dt.date(1970, 1, 1)).days)
    match = _QUANTITY.fullmatch(value.strip())
    return ("", None) if match is None else (match[2], float(match[1]))


# -- the table ------------------------------------------------------------------------------------------


def write_sweep(directory: Path, resolved: Mapping[str, Any]) -> None:
    """Write ``sweep.csv`` beside the tables it is taken from; nothing where nothing was swept."""
    found = sweeps(resolved)
    if not found:
        return
    rows = list(
        _rows(found, resolved, pd.read_csv(directory / "summary.csv"), pd.read_csv(directory / "comparison.csv"))
    )
    pd.DataFrame(rows, columns=COLUMNS).to_csv(directory / FILE, index=False, lineterminator="\n")


def _rows(
    found: list[Sweep], resolved: Mapping[str, Any], summary: pd.DataFrame, comparison: pd.DataFrame
) -> Iterator[tuple[object, ...]]:
    focus = resolved["experiment"]["focus"]
    key = ["scenario", "mineral", "material", "country", "metric"]
    chosen = summary[(summary["sector"] == "all") & summary["metric"].isin(SWEPT)]
    chosen = chosen[chosen["country"].isin(focus["countries"])]
    asked = focus.get("materials")
    if asked:
        chosen = chosen[chosen["material"].isin([asked] if isinstance(asked, str) else asked)]
    first = next((name for name in resolved["experiment"]["references"] if name in resolved["scenarios"]), None)
    paired = comparison[(comparison["sector"] == "all") & (comparison["reference"] == first)]
    paired = paired.rename(columns={"ci_low": "difference_ci_low", "ci_high": "difference_ci_high"})
    numbers = ["difference", "difference_ci_low", "difference_ci_high"]
    table = chosen.merge(paired[[*key, *numbers]], on=key, how="left")
    for sweep in found:
        for point in sweep.points:
            for row in table[table["scenario"] == point.scenario].to_dict("records"):
                labels = (sweep.address, sweep.base, point.value, point.number, sweep.unit)
                yield (*labels, *(row[column] for column in COLUMNS[5:]))
