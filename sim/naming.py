"""Addresses as a reader would say them: `policies.april_licence.delay` is the delay of that licence, by its title."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.config.explain import PROVENANCE

TITLED = ("policies", "facilities", "materials", "processes", "stockpiles")
"""Parts of a world whose entries have titles."""


def in_words(address: str, scenario: Mapping[str, Any]) -> str:
    """Return an address in words, with the titles of one resolved scenario.

    Parameters
    ----------
    address : str
    scenario : mapping
        With ``world`` and ``policies``, as results and manifests hold it.
    """
    first, *rest = address.split(".")
    if not rest:
        return _words(first)
    world, policies = scenario["world"], scenario["policies"]
    *middle, last = rest
    if last in ("value", "low", "high") and middle:
        *middle, key = middle
        last = f"{_words(key)}, {last}" if last != "value" else key
    said = []
    for place, key in enumerate(middle):
        if place == 0 and first in TITLED:
            entries = policies if first == "policies" else world.get(first, {})
            entry = entries.get(key)
            said.append(str(entry.get("title") or _words(key)) if isinstance(entry, Mapping) else _words(key))
        else:
            said.append(_known(key, world))
    if not middle:
        return f"{_words(last)} ({_words(first)})"
    if first == "consumers":
        said = [*said[1:], f"in {said[0]}"] if len(said) > 1 else said
        return f"{_words(last)} of {' '.join(said)}"
    if first in TITLED:
        return f"{_words(' of '.join([last, *middle[:0:-1]]))} of “{said[0]}”"
    return f"{_words(last)} of {', '.join(said)} ({_words(first)})"


def _known(key: str, world: Mapping[str, Any]) -> str:
    """Return the name of a country or material, or the key as words."""
    if key in world.get("countries", {}):
        return str(world["countries"][key]).partition(" (")[0]
    entry = world.get("materials", {}).get(key)
    if isinstance(entry, Mapping):
        title = str(entry.get("title", key))
        return title[:1].lower() + title[1:] if title.split()[0][1:].islower() else title
    return _words(key)


def _words(key: str) -> str:
    return key.replace("_", " ")


def in_short(raw: object) -> str:
    """Return a configured value as a reader would write it: a number without its source, a mapping by its parts."""
    if isinstance(raw, Mapping):
        if "value" in raw:
            ends = f" ({in_short(raw['low'])} to {in_short(raw['high'])})" if {"low", "high"} <= raw.keys() else ""
            return in_short(raw["value"]) + ends
        return ", ".join(f"{key}: {in_short(part)}" for key, part in raw.items() if key not in PROVENANCE)
    if isinstance(raw, list | tuple):
        return ", ".join(map(in_short, raw))
    return "not given" if raw is None else str(raw).lower() if isinstance(raw, bool) else str(raw)
