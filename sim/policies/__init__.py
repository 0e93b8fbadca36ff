"""Policies as events: one file per instrument. Importing this package registers them all."""

from sim.policies import (
    alternative_sourcing,
    demand_shift,
    escalation,
    export_ban,
    export_licence,
    facility_outage,
    project_of_interest,
    stockpiles,
)
from sim.policies.base import REGISTRY, Held, Policy

__all__ = [
    "REGISTRY",
    "Held",
    "Policy",
    "alternative_sourcing",
    "demand_shift",
    "escalation",
    "export_ban",
    "export_licence",
    "facility_outage",
    "project_of_interest",
    "stockpiles",
]
