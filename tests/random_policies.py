"""Random policies of the types that limit trade, disrupt it or support it, for a random world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Any
Tree = dict[str, Any]
Window = Callable[[Draw], dict[str, Any]]
Trade = dict[str, Any] | None


def with_extras(raw: dict[str, Any], draw: Draw) -> dict[str, Any]:
    """Add what measures on exports may have besides."""
    extras: dict[str, Any] = {
        "under_way": draw(st.sampled_from(["deliver", "hold", "divert", "return"])),
        "smuggled": draw(st.sampled_from([0, 0.2])),
        "transshipment": {"cap": 0.3, "cost": draw(st.sampled_from([0, 0.4])), "lag": "40 d"},
        "suspended": [{"from": "2025-04-01", "to": "2025-05-10", "share": draw(st.sampled_from([0.5, 1]))}],
    }
    chosen = draw(st.lists(st.sampled_from(sorted(extras)), unique=True, max_size=3))
    return {**raw, **{key: extras[key] for key in chosen}}


def quota(trade: dict[str, Any], draw: Draw, window: Window) -> dict[str, Any]:
    size = draw(st.sampled_from([{"share_of_normal": 0.5}, {"amount": "300 t"}, {"amount": "20 kt"}]))
    period = draw(st.sampled_from(["year", "quarter", "month"]))
    return {
        "type": "export_quota",
        **trade,
        **size,
        "period": period,
        "carry_over": draw(st.booleans()),
        **window(draw),
    }


def levy(trade: dict[str, Any], draw: Draw, window: Window) -> dict[str, Any]:
    return {"type": "export_duty", **trade, "rate": draw(st.sampled_from([0, 0.3, 3])), **window(draw)}


def production_limit(tree: Tree, draw: Draw, window: Window) -> dict[str, Any]:
    plant = draw(st.sampled_from(sorted(tree["facilities"])))
    share = draw(st.sampled_from([0, 0.5, {"2025-01-01": 0.4, "2025-06-01": 1.2}]))
    return {"type": "production_limit", "facility": plant, "share": share, **window(draw)}


def route_closure(trade: dict[str, Any], draw: Draw, window: Window) -> dict[str, Any]:
    detour = {"detour": {"days": "20 d", "cost": 0.2}, "share": draw(st.sampled_from([0, 0.6]))}
    way = {"from": trade["from"], "to": sorted({"CHN", "USA", "JPN"} - {trade["from"]})}
    return {"type": "route_closure", **way, **(detour if draw(st.booleans()) else {}), **window(draw)}


def country_shock(tree: Tree, draw: Draw, window: Window) -> dict[str, Any]:
    plant = tree["facilities"][draw(st.sampled_from(sorted(tree["facilities"])))]
    return {"type": "country_shock", "country": plant["country"], "severity": 0.7, "recovery": "50 d", **window(draw)}


def priority(tree: Tree, draw: Draw, window: Window) -> dict[str, Any] | None:
    found = [
        (country, material, sorted(use["sectors"]))
        for country, uses in tree["consumers"].items()
        for material, use in uses.items()
        if use["sectors"]
    ]
    if not found:
        return None
    country, material, sectors = draw(st.sampled_from(found))
    return {"type": "demand_priority", "country": country, "material": material, "first": sectors[:1], **window(draw)}


def in_an_escalation(policies: dict[str, dict[str, Any]], draw: Draw) -> dict[str, dict[str, Any]]:
    """Let some dated measures follow a conflict instead, with its chain beside them."""
    found = {}
    for name, raw in policies.items():
        if "duration" in raw and "when" not in raw and draw(st.booleans()):
            kept = {key: value for key, value in raw.items() if key not in ("start", "announced")}
            raw = {**kept, "during": {"conflict": ["hot"]}, "after": draw(st.sampled_from(["0 d", "10 d"]))}
        found[name] = raw
    if any("during" in raw for raw in found.values()):
        rates = {"cold": {"hot": 6}, "hot": {"cold": 6}}
        found["conflict"] = {"type": "escalation", "start": "2025-01-15", "states": ["cold", "hot"], "rates": rates}
    return found
