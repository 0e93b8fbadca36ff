"""Rules that span several records of a world or an experiment, one ``check_*`` function per rule.

Decides what fits together; a rule yields every problem it finds, with the address of the value that is
wrong, and `load` adds file and line. Leaves single fields to `schema`, and whether the flows of a chain
can be balanced to the network.
"""

from __future__ import annotations

from collections.abc import Iterator

from sim.config.check.case import Case as Case
from sim.config.check.case import Rule
from sim.config.check.chain import (
    check_chain,
    check_closers,
    check_hosts,
    check_openings,
    check_recipes,
    check_solved,
    check_throughputs,
    check_trade,
    check_within,
)
from sim.config.check.experiment import (
    check_demand,
    check_disruption,
    check_focus,
    check_growth,
    check_horizon,
    check_scenarios,
)
from sim.config.check.names import (
    check_countries,
    check_materials,
    check_names,
    check_owners,
    check_places,
    check_processes,
)
from sim.config.check.values import (
    check_classes,
    check_paths,
    check_sectors,
    check_sources,
    check_stockpiles,
    check_supplier_cover,
    check_units,
)
from sim.errors import Problem

WORLD_RULES: tuple[Rule, ...] = (
    check_names,
    check_owners,
    check_countries,
    check_materials,
    check_processes,
    check_places,
    check_chain,
    check_trade,
    check_recipes,
    check_solved,
    check_closers,
    check_throughputs,
    check_openings,
    check_within,
    check_hosts,
    check_sectors,
    check_classes,
    check_stockpiles,
    check_units,
    check_paths,
    check_sources,
    check_supplier_cover,
    check_growth,
)
"""Rules of one world, in the order in which they are run."""

PLAN_RULES: tuple[Rule, ...] = (check_horizon, check_demand, check_scenarios, check_disruption, check_focus)
"""Rules of the experiment as a whole."""


def check_world(case: Case) -> Iterator[Problem]:
    """Yield the problems of one world."""
    for rule in WORLD_RULES:
        yield from rule(case)


def check_plan(case: Case) -> Iterator[Problem]:
    """Yield the problems of an experiment; addresses are those of its file."""
    for rule in PLAN_RULES:
        yield from rule(case)
