"""Small worlds for tests, built from a few numbers: chains of any length, and random ones."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from sim.config.load import Plan
from tests.worlds import TIN, as_yaml, tiny_plan

PLACES = ("CHN", "MYS", "JPN", "USA")
"""Countries of the tiny world, whose files the small worlds share."""


def tree_of(
    materials: Mapping[str, Any],
    processes: Mapping[str, Any],
    facilities: Mapping[str, Any],
    consumers: Mapping[str, Any],
    transit: Mapping[str, Any],
    **more: Any,
) -> dict[str, Any]:
    """Return a mineral file in which every number is an assumption and nothing is known of trade."""
    trade = more.pop("trade", {name: {"home_preference": 1} for name in materials})
    return {
        "mineral": "tin", "title": "Tin", "source": "survey", "year": 2024,
        "materials": dict(materials), "processes": dict(processes), "facilities": dict(facilities),
        "consumers": dict(consumers), "trade": trade, "transit": dict(transit),
        "demand": {"growth": {"title": "growth", "years": more.pop("years", {2025: 100, 2035: 140})}},
        **more,
    }  # fmt: skip


def chain(stages: Sequence[str], days: Mapping[str, int], cover: int = 45, use: str = "10 kt/yr") -> dict[str, Any]:
    """Return a single-file chain: a mine in China, a plant in Malaysia per further stage, a consumer in Japan.

    Parameters
    ----------
    stages : sequence of str
        Materials, upstream first.
    days : mapping
        Days at sea of each material.
    """
    materials = {m: {"title": m, "basis": f"t of {m}", "price": "20 USD/kg", "supplier_cover": "30 d"} for m in stages}
    processes: dict[str, Any] = {"p0": {"title": "mining", "unit": "t", "outputs": {stages[0]: 1}}}
    facilities: dict[str, Any] = {"f0": {"title": "mine", "country": "CHN", "process": "p0", "throughput": use}}
    for i, (taken, made) in enumerate(itertools.pairwise(stages), start=1):
        recipe = {"amount": 1, "value_share": "60 %", "thrift": 0, "cover": f"{cover} d"}
        processes[f"p{i}"] = {"title": made, "unit": "t", "inputs": {taken: recipe}, "outputs": {made: 1}}
        facilities[f"f{i}"] = {"title": made, "country": "MYS", "process": f"p{i}", "throughput": use}
    user = {"use": use, "cover": f"{cover} d", "sectors": {"all_of_it": "100 %"}, "cover_classes": False}
    transit = {m: {"material": m, "days": f"{days[m]} d"} for m in stages}
    return tree_of(materials, processes, facilities, {"JPN": {stages[-1]: user}}, transit)


EXPERIMENT_EDIT = ("experiments/tiny.yaml", "focus: {countries: [JPN, USA]}", "focus: {countries: [JPN]}")


def plan_of(tree: Mapping[str, Any], **options: Any) -> Plan:
    """Return the plan of a mineral file, with policies and overrides as of `tiny_plan`."""
    files = {**options.pop("files", {}), "configs/minerals/tin.yaml": as_yaml(tree)}
    edits = [*options.pop("edits", ()), EXPERIMENT_EDIT]
    return tiny_plan(files=files, edits=edits, **options)


__all__ = ["TIN", "chain", "plan_of", "tree_of"]
