"""Reads quantities such as ``12 kt/yr`` once, at the border; inside are t, d, t/d and USD/t.

A registry of our own holds only the units of this subject, because in general-purpose
registries ``kt`` is a knot and ``d`` a day next to a deci-prefix.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NoReturn

import pint

DAYS_PER_YEAR = 365.25
"""Days in a year, as astronomers and the calendar on average count them."""

#: Base unit of each dimension a field may have.
DIMENSIONS = ("1", "t", "d", "t/d", "USD/t", "USD", "1/d", "date")

_EXAMPLES = {
    "1": "'0.5' or '50 %'",
    "t": "'904 t'",
    "d": "'60 d'",
    "t/d": "'12 kt/yr'",
    "USD/t": "'55 USD/kg'",
    "USD": "'150 million_USD'",
    "1/d": "'0.3 /yr'",
    "date": "'2025-04-04'",
}

_DEFINITIONS = (
    "t = [mass]",
    "kt = 1000 t",
    "Mt = 1000000 t",
    "kg = 0.001 t",
    "d = [time]",
    "day = d",
    "days = d",
    "week = 7 d",
    "weeks = week",
    "working_day = 1.4 d",
    "working_days = working_day",
    f"yr = {DAYS_PER_YEAR} d",
    "year = yr",
    "years = yr",
    "month = 0.08333333333333333 yr",
    "months = month",
    "USD = [money]",
    "million_USD = 1000000 USD",
    "billion_USD = 1000000000 USD",
    "kWh = [energy]",
    "GWh = 1000000 kWh",
    "percent = 0.01",
    "alias_mass = [alias_mass]",  # stands in for an alias while its power is found
)

_NUMBER = re.compile(r"^\s*([-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*$")
# Unit names joined by / or *, because pint would evaluate whatever else it is given.
_UNIT = re.compile(r"/?\s*[A-Za-z_]\w*(?:\s*[/*]\s*[A-Za-z_]\w*)*")


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry:
    registry = pint.UnitRegistry(None)
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


def read_quantity(text: object, dimension: str, aliases: Mapping[str, float] | None = None) -> float:
    """Return a quantity in the base unit of its dimension.

    Parameters
    ----------
    text : str, number or date
        ``"number unit"``; a bare number is allowed for ratios only.
    dimension : str
        One of `DIMENSIONS`; ``date`` is read as a proleptic ordinal day.
    aliases : mapping, optional
        Further units in tonnes of contained material, for example ``{"t_LCE": 0.1879}``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the text has no number, no unit, or a unit of another dimension.
    """
    if dimension == "date":
        return _read_date(text)
    if isinstance(text, int | float) and not isinstance(text, bool):
        return _finite(float(text), text) if dimension == "1" else _refuse_bare(text, dimension)
    match = _NUMBER.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError(f"got '{text}'. Write a quantity such as {_EXAMPLES[dimension]}.")
    number, unit = float(match[1].replace("_", "")), match[2].replace("%", "percent")
    if not unit and dimension != "1":
        return _refuse_bare(text, dimension)
    return _finite(_times(number, _factor(unit, dimension, text, aliases or {})) if unit else number, text)


def _times(number: float, factor: float) -> float:
    """Return a product, dividing where the factor is one over a whole number: 70 % is 0.7 to the last bit."""
    inverse = 1.0 / factor if factor else 0.0
    whole = round(inverse)
    return number / whole if whole > 1 and abs(inverse - whole) < 1e-12 * inverse else number * factor


def _finite(number: float, text: object) -> float:
    if not math.isfinite(number):
        raise ValueError(f"got '{text}'. Write a finite number.")
    return number


def _refuse_bare(text: object, dimension: str) -> NoReturn:
    raise ValueError(f"got '{text}'. {_needs_unit(dimension, text)}")


def _read_date(text: object) -> float:
    if isinstance(text, dt.datetime):
        return float(text.date().toordinal())
    if isinstance(text, dt.date):
        return float(text.toordinal())
    try:
        return float(dt.date.fromisoformat(str(text)).toordinal())
    except ValueError:
        raise ValueError(f"got '{text}'. Write a date as year-month-day, such as {_EXAMPLES['date']}.") from None


def _needs_unit(dimension: str, text: object) -> str:
    kind = {"d": "A duration", "t": "A mass", "t/d": "A flow", "USD/t": "A price", "USD": "A sum of money"}
    unit = _EXAMPLES[dimension].strip("'").split(" ", 1)[-1]
    return f"{kind.get(dimension, 'A quantity')} needs a unit; write '{str(text).strip()} {unit}'."


def _factor(unit: str, dimension: str, text: object, aliases: Mapping[str, float]) -> float:
    plain, scale = unit, 1.0
    for alias, tonnes in aliases.items():
        # A mass below the line (USD/t_LCE) divides, so the power of the alias decides.
        pattern = rf"(?<![A-Za-z0-9_]){re.escape(alias)}(?![A-Za-z0-9_])"
        if re.search(pattern, plain):
            scale *= float(tonnes ** _power_of_alias(re.sub(pattern, "alias_mass", plain)))
            plain = re.sub(pattern, "t", plain)
    factor = _base_factor(plain, dimension)
    if factor is None:
        given = unit.replace("percent", "%")
        raise ValueError(
            f"got '{text}'. '{given}' is not a unit of this kind; write for example {_EXAMPLES[dimension]}."
        )
    return factor * scale


@lru_cache(maxsize=1024)
def _base_factor(unit: str, dimension: str) -> float | None:
    """Return how many base units of the dimension one `unit` is; None if it is of another kind."""
    base = {"1": "", "1/d": "/d"}.get(dimension, dimension)
    if not _UNIT.fullmatch(unit):
        return None
    try:
        ratio = _registry().Quantity(1.0, _parse(unit)) / _registry().Quantity(1.0, _parse(base))
        return float(ratio.to("").magnitude)
    except pint.PintError:
        return None


def _parse(unit: str) -> pint.Unit:
    return _registry().parse_units(unit) if not unit.startswith("/") else 1 / _registry().parse_units(unit[1:])


def _power_of_alias(unit: str) -> float:
    try:
        return float(_parse(unit).dimensionality.get("[alias_mass]", 0)) if _UNIT.fullmatch(unit) else 0.0
    except pint.PintError:
        return 0.0  # another unit beside it is unknown: refused as a whole by the caller


def ordinal(date: dt.date) -> float:
    """Return the proleptic ordinal day of a date, as `read_quantity` gives for dates."""
    return float(date.toordinal())
