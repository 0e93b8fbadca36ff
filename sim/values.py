"""When two plain values of a configuration mean the same, however they are written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from sim.config.explain import PROVENANCE, is_number_mapping
from sim.config.tree import Keys
from sim.units import DIMENSIONS, read_quantity


def leaves(old: Any, new: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any, Any]]:
    """Yield key path and both values of every number, word or list below two mappings; sources apart."""
    open_ = [isinstance(each, Mapping) and not is_number_mapping(each) for each in (old, new)]
    if all(open_) or (any(open_) and None in (old, new)):
        old, new = old or {}, new or {}
        for key in dict.fromkeys([*old, *new]):
            if key not in PROVENANCE:
                yield from leaves(old.get(key), new.get(key), (*keys, str(key)))
    else:
        yield keys, old, new


def same(old: Any, new: Any) -> bool:
    """Whether two values mean the same: units, and how a certain number is written, do not matter."""
    if isinstance(old, Mapping) and isinstance(new, Mapping) and not is_number_mapping(old):
        return old.keys() == new.keys() and all(same(old[key], new[key]) for key in old)
    old, new = _many(old), _many(new)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(same(*pair) for pair in zip(old, new, strict=True))
    return same_range(old, new) and _equal(_value(old), _value(new))


def same_range(old: Any, new: Any) -> bool:
    """Whether two numbers have the same range."""
    ends = [[each.get(key) if is_number_mapping(each) else None for key in ("low", "high")] for each in (old, new)]
    return all(_equal(*pair) for pair in zip(*ends, strict=True))


def _many(raw: Any) -> Any:
    """Return a list of one as its one value."""
    return raw[0] if isinstance(raw, list) and len(raw) == 1 else raw


def _value(raw: Any) -> Any:
    return raw["value"] if is_number_mapping(raw) else raw


def _equal(old: Any, new: Any) -> bool:
    if old == new and isinstance(old, bool) == isinstance(new, bool):
        return True
    if None in (old, new) or isinstance(old, Mapping | list | bool) or isinstance(new, Mapping | list | bool):
        return False
    for dimension in DIMENSIONS:
        with suppress(ValueError):
            return read_quantity(old, dimension) == read_quantity(new, dimension)
    return str(old) == str(new)


def is_quantity(raw: Any) -> bool:
    """Whether a plain value is a quantity."""
    if isinstance(raw, bool | Mapping | list) or raw is None:
        return False
    for dimension in DIMENSIONS:
        if dimension != "date":
            with suppress(ValueError):
                read_quantity(raw, dimension)
                return True
    return False
