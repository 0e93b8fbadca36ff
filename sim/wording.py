"""How numbers are put in words: days, prices, money, differences, and what cannot be told.

Decides from which size on, and how sure, a difference is told. Leaves what is told to `answer` and `finding`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from sim.facts import Estimate

LEAST_DAYS = 0.05
"""Differences in days below this are told as none."""

LEAST_PRICE = 0.005
"""Differences in price against normal below this are told as none."""

NOTHING = "no difference to speak of"


def days_changed(days: Estimate) -> str:
    """Tell a difference in days of shortage, or what is known of it."""
    if not is_told(days, LEAST_DAYS):
        return f"days of shortage: {no_difference(days, LEAST_DAYS)}"
    return amount_changed(days)


def amount_changed(days: Estimate) -> str:
    """Tell a difference in days of shortage that is clear."""
    size = days.scaled(1.0 if days.mean > 0 else -1.0)
    return f"{size.text()} {'more' if days.mean > 0 else 'fewer'} days of shortage {size.between()}".rstrip()


def price_changed(price: Estimate) -> str:
    """Tell a difference in the mean price, or what is known of it."""
    if not is_told(price, LEAST_PRICE):
        return f"mean price: {no_difference(price, LEAST_PRICE)}"
    size = price.scaled(100.0 if price.mean > 0 else -100.0)
    way = "higher" if price.mean > 0 else "lower"
    return f"the mean price is {way} by {size.text()} % of normal {size.between()}".rstrip()


def is_told(difference: Estimate, least: float) -> bool:
    """Whether a difference is large enough to speak of, and told apart from none."""
    return abs(difference.mean) >= least and difference.clear


def no_difference(difference: Estimate, least: float) -> str:
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


def days_of(days: Estimate) -> str:
    """Tell days of shortage."""
    return "no shortage in any run" if days.mean == 0 else f"{days.text()} days of shortage {days.between()}".rstrip()


def money(amount: Estimate) -> str:
    """Tell an amount of money with its interval, USD."""
    if math.isnan(amount.low) or amount.low == amount.high:
        return usd(amount.mean)
    unit, name = unit_of(amount.mean)
    return f"{usd(amount.mean)} {amount.scaled(1 / unit).between()[:-1]}{name})"


def usd(amount: float) -> str:
    """Tell an amount of money, USD."""
    unit, name = unit_of(amount)
    return f"{'-' if amount < 0 else ''}USD {Estimate(abs(amount) / unit, 0, 0).text()}{name}"


def unit_of(amount: float) -> tuple[float, str]:
    """Return the unit an amount of money is told in, USD, and its name."""
    return next((unit for unit in ((1e9, " billion"), (1e6, " million")) if abs(amount) >= unit[0]), (1.0, ""))


def listed(names: Iterable[str], last: str = "and") -> str:
    """Return names as 'a, b and c'."""
    *first, end = names
    return f"{', '.join(first)} {last} {end}" if first else end
