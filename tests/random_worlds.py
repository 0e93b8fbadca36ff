"""Random small worlds with random policies, for property tests (Hypothesis draws; the engine runs)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests import random_policies
from tests.small_worlds import tree_of

PLACES = ("CHN", "MYS", "JPN", "USA")
START = dt.date(2025, 1, 1)
NOTED = {"source": "assumption"}

WORLD = 10_000.0
"""Use of the last material, t a year."""

Draw = st.DrawFn


def _days(draw: Draw, low: int, high: int) -> str:
    return f"{draw(st.integers(low, high))} d"


@st.composite
def worlds(draw: Draw) -> dict[str, Any]:
    """Return a mineral file: one to three stages, one to three plants each, perhaps joint products and scrap.

    The last material and the by-product of the second stage are used by the same countries. Supply meets demand at
    every stage as it stands.
    """
    stages = draw(st.integers(1, 3))
    joint = stages > 1 and draw(st.booleans())
    names = [f"m{i}" for i in range(stages)]
    side = draw(st.sampled_from([0.05, 0.3])) if joint else 0.0
    materials = {name: _material(draw) for name in [*names, *(["side"] if joint else [])]}
    processes: dict[str, Any] = {}
    facilities: dict[str, Any] = {}
    needed = {names[-1]: WORLD}
    for i in reversed(range(stages)):
        outputs = {names[i]: 1.0, **({"side": side} if joint and i == 1 else {})}
        inputs = {names[i - 1]: _input(draw)} if i else {}
        processes[f"p{i}"] = {"title": names[i], "unit": "t", "inputs": inputs, "outputs": outputs}
        for k, part in enumerate(_split(draw, needed[names[i]])):
            facilities[f"f{i}{k}"] = _plant(draw, f"p{i}", part)
        for material, taken in inputs.items():
            needed[material] = needed[names[i]] * taken["amount"]
        if "side" in outputs:
            needed["side"] = needed[names[i]] * side
    countries = draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3, unique=True))
    consumers: dict[str, Any] = {country: {} for country in countries}
    for material in [names[-1], *(["side"] if joint else [])]:
        for country, part in zip(countries, _split(draw, needed[material], len(countries)), strict=True):
            consumers[country][material] = _use(draw, part)
    stockpiles = {}
    if draw(st.booleans()):
        country = draw(st.sampled_from(sorted(consumers)))
        stockpiles["reserve"] = {
            "title": "reserve",
            "country": country,
            "material": names[-1],
            "holding": _days(draw, 0, 200),
        }
    transit: dict[str, Any] = {"everywhere": {"days": {"value": "30 d", "low": "5 d", "high": "90 d"}}}
    transit["home"] = {"origin": "CHN", "destination": "CHN", "days": _days(draw, 1, 10)}
    trade = {name: {"home_preference": draw(st.integers(1, 5))} for name in materials}
    return tree_of(
        materials,
        processes,
        facilities,
        consumers,
        transit,
        trade=trade,
        stockpiles=stockpiles,
        hazards=_hazards(draw, list(processes)),
        years={2024: 100, 2034: draw(st.sampled_from([80, 100, 150]))},
    )


def _material(draw: Draw) -> dict[str, Any]:
    return {
        "title": "material",
        "basis": "t",
        "price": f"{draw(st.integers(5, 500))} USD/kg",
        "supplier_cover": _days(draw, 14, 60),
    }


def _input(draw: Draw) -> dict[str, Any]:
    return {
        "amount": draw(st.sampled_from([1, 1.25])),
        "value_share": draw(st.sampled_from([0.05, 0.6])),
        "thrift": draw(st.sampled_from([0, 0.8])),
        "cover": _days(draw, 5, 120),
        "cover_classes": draw(st.booleans()),
    }


def _split(draw: Draw, total: float, parts: int | None = None) -> list[float]:
    """Split a flow into one to three parts, none below a tenth of another."""
    count = draw(st.integers(1, 3)) if parts is None else parts
    weights = [draw(st.integers(1, 9)) for _ in range(count)]
    return [total * weight / sum(weights) for weight in weights]


def _plant(draw: Draw, process: str, throughput: float) -> dict[str, Any]:
    return {
        "title": "a plant",
        "country": draw(st.sampled_from(PLACES)),
        "process": process,
        "throughput": f"{throughput!r} t/yr",
        "utilisation": draw(st.sampled_from([0.6, 0.85, 1.0])),
    }


def _use(draw: Draw, use: float) -> dict[str, Any]:
    return {
        "use": f"{use!r} t/yr",
        "cover": _days(draw, 5, 120),
        "sectors": {"all_of_it": 1},
        "cover_classes": draw(st.booleans()),
    }


def _hazards(draw: Draw, processes: list[str]) -> dict[str, Any]:
    outage = {
        "time_to_failure": {"mean": _days(draw, 60, 400)},
        "repair_time": {"dist": "lognorm", "mean": _days(draw, 5, 60), "shape": {"s": 1.0}},
        "severity": draw(st.sampled_from([0.5, 1])),
    }
    closure = {
        "origin": "CHN",
        "destination": list(PLACES[1:]),
        "time_to_failure": {"mean": "300 d"},
        "repair_time": {"mean": "30 d"},
    }
    return {"outages": dict.fromkeys(processes, outage), "routes": {"strait": closure}}


def policies_for(tree: dict[str, Any], draw: Draw) -> dict[str, dict[str, Any]]:
    """Return up to five policies that fit a world, with windows anywhere in its first year."""
    makers = (_ban, _licence, _outage, _shift, _release, _build, _sourcing, _project, *NEWER)
    chosen = draw(st.lists(st.sampled_from(range(len(makers))), unique=True, max_size=5))
    found = {}
    for i, number in enumerate(chosen):
        made = makers[number](tree, draw)
        if made is not None:
            found[f"measure_{i}"] = {**made, **NOTED}
    return {name: {**raw, **NOTED} for name, raw in random_policies.in_an_escalation(found, draw).items()}


def _on_trade(make: Callable[..., dict[str, Any]], extras: bool = False) -> Callable[..., dict[str, Any] | None]:
    def maker(tree: dict[str, Any], draw: Draw) -> dict[str, Any] | None:
        trade = _exported(tree, draw)
        if trade is None:
            return None
        raw = make(trade, draw, _window)
        return random_policies.with_extras(raw, draw) if extras else raw

    return maker


def _on_world(make: Callable[..., dict[str, Any] | None]) -> Callable[..., dict[str, Any] | None]:
    def maker(tree: dict[str, Any], draw: Draw) -> dict[str, Any] | None:
        return make(tree, draw, _window)

    return maker


NEWER = (
    _on_trade(random_policies.quota, extras=True),
    _on_trade(random_policies.levy),
    _on_trade(random_policies.route_closure),
    _on_world(random_policies.production_limit),
    _on_world(random_policies.country_shock),
    _on_world(random_policies.priority),
)
"""Makers of the types in `random_policies`."""


def _window(draw: Draw) -> dict[str, Any]:
    start = START + dt.timedelta(days=draw(st.integers(-30, 200)))
    announced = start - dt.timedelta(days=draw(st.integers(0, 60)))
    return {"announced": announced.isoformat(), "start": start.isoformat(), "duration": _days(draw, 1, 300)}


def _exported(tree: dict[str, Any], draw: Draw) -> dict[str, Any] | None:
    """Return a country and a material that it sells to somebody abroad."""
    buyers = _buyers(tree)
    pairs = sorted(
        (plant["country"], material)
        for plant in tree["facilities"].values()
        for material in tree["processes"][plant["process"]]["outputs"]
        if buyers.get(material, set()) - {plant["country"]}
    )
    if not pairs:
        return None
    country, material = draw(st.sampled_from(pairs))
    return {"from": country, "material": material}


def _buyers(tree: dict[str, Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for plant in tree["facilities"].values():
        for material in tree["processes"][plant["process"]]["inputs"]:
            found.setdefault(material, set()).add(plant["country"])
    for country, uses in tree["consumers"].items():
        for material in uses:
            found.setdefault(material, set()).add(country)
    return found


def _ban(tree: dict[str, Any], draw: Draw) -> dict[str, Any] | None:
    trade = _exported(tree, draw)
    return (
        None
        if trade is None
        else random_policies.with_extras(
            {"type": "export_ban", **trade, "coverage": draw(st.sampled_from([0.4, 1])), **_window(draw)}, draw
        )
    )


def _licence(tree: dict[str, Any], draw: Draw) -> dict[str, Any] | None:
    trade = _exported(tree, draw)
    if trade is None:
        return None
    return {
        "type": "export_licence",
        **trade,
        **_window(draw),
        "applications": draw(st.sampled_from([0, 0.25, 1, 1.2])),
        "delay": {"value": "40 d", "low": "10 d", "high": "70 d"},
        "refused": draw(st.sampled_from([0, 0.2, 1])),
    }


def _outage(tree: dict[str, Any], draw: Draw) -> dict[str, Any]:
    plant = draw(st.sampled_from(sorted(tree["facilities"])))
    return {"type": "facility_outage", "facility": plant, "severity": draw(st.sampled_from([0.5, 1])), **_window(draw)}


def _shift(tree: dict[str, Any], draw: Draw) -> dict[str, Any]:
    uses = next(iter(tree["consumers"].values()))
    return {
        "type": "demand_shift",
        "material": sorted(uses)[0],
        "shift": draw(st.sampled_from([-1, -0.5, 0.5, 2])),
        **_window(draw),
    }


def _release(tree: dict[str, Any], draw: Draw) -> dict[str, Any] | None:
    if not tree["stockpiles"]:
        return None
    pile = tree["stockpiles"]["reserve"]
    when = {
        "metric": "price_pressure",
        "material": pile["material"],
        "country": pile["country"],
        "above": 1.3,
        "until": 1.1,
    }
    base = {"type": "stockpile_release", "stockpile": "reserve", "rate": f"{draw(st.integers(1, 40))} t/d"}
    return {**base, "when": when} if draw(st.booleans()) else {**base, **_window(draw), "monthly_cap": "200 t"}


def _build(tree: dict[str, Any], draw: Draw) -> dict[str, Any] | None:
    if not tree["stockpiles"]:
        return None
    limit = draw(st.sampled_from([0.9, 1.5, 20]))
    return {
        "type": "stockpile_build",
        "stockpile": "reserve",
        "rate": "5 t/d",
        "target": "300 d",
        "price_limit": limit,
        **_window(draw),
    }


def _last(tree: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Return the last process, its first product and the countries that use it."""
    process = sorted(tree["processes"])[-1]
    material = next(iter(tree["processes"][process]["outputs"]))
    return process, material, sorted(tree["consumers"])


def _sourcing(tree: dict[str, Any], draw: Draw) -> dict[str, Any]:
    process, material, users = _last(tree)
    seller = draw(st.sampled_from(sorted(f for f, plant in tree["facilities"].items() if plant["process"] == process)))
    return {
        "type": "alternative_sourcing",
        "from": seller,
        "to": {users[0]: 1},
        "material": material,
        "volume": "2 t/d",
        "qualification": _days(draw, 0, 60),
        "ramp": _days(draw, 0, 90),
        **_window(draw),
    }


def _project(tree: dict[str, Any], draw: Draw) -> dict[str, Any]:
    process, _, users = _last(tree)
    outputs = tree["processes"][process]["outputs"]
    inputs = tree["processes"][process]["inputs"]
    suppliers = {
        m: {
            sorted(f for f, plant in tree["facilities"].items() if m in tree["processes"][plant["process"]]["outputs"])[
                0
            ]: 1
        }
        for m in inputs
    }
    return {
        "type": "project_of_interest",
        "country": draw(st.sampled_from(PLACES)),
        "process": process,
        "capacity": "5 t/d",
        "start": (START + dt.timedelta(days=draw(st.integers(0, 60)))).isoformat(),
        "lead_time": _days(draw, 10, 90),
        "ramp": _days(draw, 1, 90),
        "success": draw(st.sampled_from([0, 0.5, 1])),
        "cost": "10 million_USD",
        "public_share": 0.5,
        "sponsors": {"JPN": 1},
        "suppliers": suppliers,
        "customers": {m: {users[0]: 1} for m in outputs},
    }


@st.composite
def stories(draw: Draw) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Return a world and the policies of a scenario in it."""
    tree = draw(worlds())
    return tree, policies_for(tree, draw)
