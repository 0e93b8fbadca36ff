"""A small world with a bit of everything, and one example of every type of policy that fits it."""

from __future__ import annotations

from typing import Any

from tests.worlds import TIN

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


FULL_WORLD = {FILE: split()}

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
    "extraterritorial_rule": {
        "from": "CHN",
        "material": "metal",
        "content": "ore",
        "de_minimis": "5 %",
        "applications": 0.5,
        "delay": "30 d",
    },
    "facility_outage": {"facility": ["smelter"], "severity": 0.7},
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
    "stockpile_build": {"stockpile": "reserve", "rate": "2 t/d", "target": "90 d", "price_limit": 1.5},
    "stockpile_release": {"stockpile": "reserve", "rate": "5 t/d", "monthly_cap": "100 t", "reserve_price": 1},
}
"""Type -> its own keys; the window is added."""

DURATION_KNOWS_NO_END = {"project_of_interest"}
"""Types whose start is a decision, after which there is no end."""

ACTS_THROUGH_OTHERS = {"escalation"}
"""Types that change nothing by themselves."""


def example(kind: str, **window: str) -> dict[str, Any]:
    """Return a whole policy of a type, in force from March to July 2025 unless a window is given."""
    given = window or {"start": "2025-03-03"}
    if not window and kind not in DURATION_KNOWS_NO_END:
        given = {**given, "duration": "120 d"}
    return {"type": kind, **EXAMPLES[kind], **given, **NOTED}
