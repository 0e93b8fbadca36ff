"""A small world with a bit of everything, and one example of every type of policy that fits it."""

from __future__ import annotations

from typing import Any

from tests.worlds import COUNTRIES, TIN

FILE = "configs/minerals/tin.yaml"
NOTED = {"source": "assumption"}

MINES = "  mine: {title: The mine, country: CHN, process: mining, throughput: 10 kt/yr}\n"
SMELTERS = "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 10 kt/yr}\n"
PILE = """\
stockpiles:
  reserve: {title: The reserve, country: JPN, material: metal, holding: 30 d}
"""
HAZARDS = """\
hazards:
  outages:
    mining: {time_to_failure: {mean: 150 d}, repair_time: {mean: 20 d}, severity: 1}
    smelting: {time_to_failure: {mean: 200 d}, repair_time: {mean: 20 d}, severity: 0.5}
  routes:
    strait: {origin: CHN, destination: [JPN], time_to_failure: {mean: 80 d}, repair_time: {mean: 15 d}}
"""


def split(text: str = TIN, growth: str = "{2024: 100, 2035: 140}") -> str:
    """Return the tiny world with two mines, three smelters, a reserve and hazards."""
    two = (
        "  mine: {title: The mine, country: CHN, process: mining, throughput: 7 kt/yr}\n"
        "  mine_2: {title: The other mine, country: USA, process: mining, throughput: 3 kt/yr}\n"
    )
    three = (
        "  smelter: {title: The smelter, country: MYS, process: smelting, throughput: 6.7 kt/yr}\n"
        "  smelter_2: {title: The second, country: USA, process: smelting, throughput: 2.2 kt/yr}\n"
        "  smelter_3: {title: The third, country: CHN, process: smelting, throughput: 1.1 kt/yr}\n"
    )
    assert MINES in text
    assert SMELTERS in text
    text = text.replace(MINES, two).replace(SMELTERS, three).replace("{2025: 100, 2035: 140}", growth)
    return text + PILE + HAZARDS


GOVERNANCE = """\
governance:
  rule_of_law:
    source: survey
    year: 2024
    CHN: -0.5
    MYS: {value: 0.1, low: -0.3, high: 0.5, source: assumption}
    JPN: 1.5
    USA: 1.3
"""

FULL_WORLD = {FILE: split(), "configs/countries.yaml": COUNTRIES + GOVERNANCE}

ON = [
    "switches.noise=true",
    "switches.hazards=true",
    "switches.uncertainty=true",
    "demand=growth",
    "horizon.end=2025-12-31",
]

EXAMPLES: dict[str, dict[str, Any]] = {
    "alternative_sourcing": {
        "from": "smelter_2",
        "to": {"JPN": 1},
        "material": "metal",
        "volume": "3 t/d",
        "qualification": "30 d",
        "ramp": "90 d",
    },
    "country_shock": {
        "country": ["MYS", "CHN"],
        "process": "smelting",
        "severity": {"value": 0.6, "low": 0.4, "high": 0.8},
        "recovery": "60 d",
    },
    "demand_priority": {"country": "JPN", "material": "metal", "first": ["tinplate", "other"]},
    "demand_shift": {
        "material": "metal",
        "country": "JPN",
        "shift": {"value": 0.2, "low": 0.1, "high": 0.3},
        "ramp": "60 d",
    },
    "escalation": {
        "states": ["talks", "licences"],
        "rates": {"talks": {"licences": 4}, "licences": {"talks": 2}},
    },
    "export_ban": {"from": "CHN", "material": "ore", "coverage": {"value": 0.9, "low": 0.7, "high": 1}},
    "export_licence": {
        "from": "CHN",
        "material": "ore",
        "applications": {"2025-01-01": 0.6, "2025-09-01": 1.1},
        "delay": "45 working_days",
        "refused": {"value": 0.1, "low": 0, "high": 0.3},
    },
    "export_duty": {"from": "CHN", "material": "ore", "rate": {"value": 0.25, "low": 0.1, "high": 0.4}},
    "export_quota": {
        "from": "CHN",
        "material": "ore",
        "amount": {"value": "3 kt", "low": "2 kt", "high": "4 kt"},
        "period": "year",
        "front_loading": 1.1,
        "carry_over": True,
        "coverage": 0.9,
    },
    "extraterritorial_rule": {
        "from": "CHN",
        "material": "metal",
        "content": "ore",
        "de_minimis": "5 %",
        "applications": 0.5,
        "delay": "30 d",
    },
    "facility_outage": {"facility": ["smelter"], "severity": 0.7},
    "logistics_project": {
        "route": "strait",
        "capacity_share": {"value": 0.5, "low": 0.3, "high": 0.7},
        "lead_time": "60 d",
        "ramp": "30 d",
        "success": 0.8,
        "cost": "5 million_USD",
        "public_share": 0.5,
        "sponsors": {"JPN": 1},
    },
    "import_ban": {"from": "MYS", "by": "JPN", "material": "metal", "coverage": {"value": 0.9, "low": 0.7, "high": 1}},
    "import_tariff": {"to": "JPN", "from": ["MYS", "CHN"], "material": "metal", "rate": "30 %", "coverage": 0.8},
    "production_limit": {"country": "CHN", "process": "mining", "share": {"2025-01-01": 0.9, "2025-06-01": 0.5}},
    "offtake_guarantee": {
        "facility": "smelter_2",
        "material": "metal",
        "volume": {"value": "2 t/d", "low": "1 t/d", "high": "3 t/d"},
        "price": 0.9,
        "sponsors": {"USA": 1},
        "stockpile": "reserve",
    },
    "price_floor": {
        "facility": ["smelter_2"],
        "material": "metal",
        "floor": {"value": 1.2, "low": 1.1, "high": 1.3},
        "sponsors": {"USA": 1},
    },
    "project_of_interest": {
        "country": "JPN",
        "process": "smelting",
        "capacity": "4 t/d",
        "lead_time": "60 d",
        "ramp": "60 d",
        "success": 0.6,
        "cost": "20 million_USD",
        "public_share": 0.5,
        "sponsors": {"JPN": 0.7, "USA": 0.3},
        "support_success": 0.5,
        "support_lead_time": 0.2,
        "suppliers": {"ore": {"mine_2": 1}},
        "customers": {"metal": {"JPN": 1}},
    },
    "recycling_programme": {
        "country": "JPN",
        "material": "metal",
        "recovered": {"value": 0.2, "low": 0.1, "high": 0.3},
        "lead_time": "30 d",
        "ramp": "60 d",
        "cost": "20 million_USD",
        "public_share": 0.5,
        "sponsors": {"JPN": 1},
    },
    "route_closure": {
        "route": "strait",
        "share": {"value": 0.7, "low": 0.5, "high": 0.9},
        "detour": {"days": "14 d", "cost": "5 %"},
    },
    "sourcing_standard": {
        "by": ["JPN", "USA"],
        "material": "metal",
        "indicator": "rule_of_law",
        "threshold": 0.2,
        "coverage": 0.8,
        "transition": "60 d",
    },
    "stockpile_build": {"stockpile": "reserve", "rate": "2 t/d", "target": "90 d", "price_limit": 1.5},
    "stockpile_release": {
        "stockpile": "reserve",
        "rate": "5 t/d",
        "monthly_cap": "100 t",
        "beneficiaries": {"JPN": {"value": 0.7, "low": 0.6, "high": 0.8}, "USA": 0.3},
        "reserve_price": 1,
        "first_call": ["solder"],
        "refill": {"rate": "3 t/d", "price_limit": 1.3, "wait": "14 d"},
    },
    "substitution_programme": {
        "country": "JPN",
        "material": "metal",
        "share": {"value": 0.2, "low": 0.1, "high": 0.3},
        "lead_time": "30 d",
        "ramp": "60 d",
        "success": 0.9,
        "cost": "10 million_USD",
        "public_share": 0.5,
        "sponsors": {"JPN": 1},
    },
}
"""Type -> its own keys; the window is added."""

DURATION_KNOWS_NO_END = {"logistics_project", "project_of_interest", "recycling_programme", "substitution_programme"}
"""Types whose start is a decision, after which there is no end."""

ADDS_ROWS = {"project_of_interest", "recycling_programme"}
"""Types that add plants or stores of their own to the world."""

ACTS_THROUGH_OTHERS = {"demand_priority", "escalation"}
"""Types that change no market by themselves."""


def example(kind: str, **window: str) -> dict[str, Any]:
    """Return a whole policy of a type, in force from March to July 2025 unless a window is given."""
    given = window or {"start": "2025-03-03"}
    if not window and kind not in DURATION_KNOWS_NO_END:
        given = {**given, "duration": "120 d"}
    return {"type": kind, **EXAMPLES[kind], **given, **NOTED}
