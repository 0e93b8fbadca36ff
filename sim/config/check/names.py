"""Rules of names: how they are written, and that whatever is named exists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sim.config.check.case import Case, countries_of, unknown
from sim.config.schema import World
from sim.errors import Problem

_NAME = re.compile(r"[A-Za-z0-9_-]+")


def check_names(case: Case) -> Iterator[Problem]:
    """Check that names hold letters, digits, ``_`` and ``-`` only: a dot would end a part of an address."""
    parts = ("materials", "processes", "facilities", "stockpiles", "transit", "demand", "countries", "blocs")
    for part in parts:
        for name in getattr(case.world, part):
            if not _NAME.fullmatch(name):
                yield Problem(f"{part}.{name}", f"got '{name}'. A name may hold letters, digits, '_' and '-'.")


def check_owners(case: Case) -> Iterator[Problem]:
    """Check that a name is a facility, a stockpile or a country, because lanes are named by any of them."""
    world = case.world
    for part in ("facilities", "stockpiles"):
        for name in getattr(world, part):
            if name in countries_of(world):
                yield Problem(f"{part}.{name}", f"'{name}' is the name of a country or bloc, too; rename it.")
    for name in world.stockpiles:
        if name in world.facilities:
            yield Problem(f"stockpiles.{name}", f"'{name}' is the name of a facility, too; rename one of them.")


def check_countries(case: Case) -> Iterator[Problem]:
    """Check that every country named is one of ``configs/countries.yaml``."""
    world, allowed = case.world, countries_of(case.world)
    for address, given in _countries_named(world):
        yield from unknown(address, given, "a country", allowed)
    for bloc, members in world.blocs.items():
        for member in members:
            yield from unknown(f"blocs.{bloc}", member, "a country", world.countries)


def _countries_named(world: World) -> Iterator[tuple[str, str]]:
    for name, facility in world.facilities.items():
        yield f"facilities.{name}.country", facility.country
        if facility.owner_country is not None:
            yield f"facilities.{name}.owner_country", facility.owner_country
    yield from ((f"consumers.{country}", country) for country in world.consumers)
    for name, stockpile in world.stockpiles.items():
        yield f"stockpiles.{name}.country", stockpile.country


def check_materials(case: Case) -> Iterator[Problem]:
    """Check that every material named is one of this world."""
    world = case.world
    for address, given in _materials_named(world):
        yield from unknown(address, given, "a material", world.materials)


def _materials_named(world: World) -> Iterator[tuple[str, str]]:
    for name, process in world.processes.items():
        yield from ((f"processes.{name}.inputs.{material}", material) for material in process.inputs)
        yield from ((f"processes.{name}.outputs.{material}", material) for material in process.outputs)
    for country, uses in world.consumers.items():
        yield from ((f"consumers.{country}.{material}", material) for material in uses)
    for name, stockpile in world.stockpiles.items():
        yield f"stockpiles.{name}.material", stockpile.material
    yield from ((f"trade.{material}", material) for material in world.trade)
    for name, rule in world.transit.items():
        yield from ((f"transit.{name}.material", material) for material in rule.material or ())


def check_processes(case: Case) -> Iterator[Problem]:
    """Check that every process named is one of this world."""
    world = case.world
    for name, facility in world.facilities.items():
        yield from unknown(f"facilities.{name}.process", facility.process, "a process", world.processes)
    known = dict.fromkeys([*world.processes, *world.facilities])
    for name in world.hazards.outages:
        yield from unknown(f"hazards.outages.{name}", name, "a process or facility", known)
    for name, shock in world.hazards.shocks.items():
        for process in shock.processes or ():
            yield from unknown(f"hazards.shocks.{name}.processes", process, "a process", world.processes)


def check_places(case: Case) -> Iterator[Problem]:
    """Check that every party to trade, transit or a hazard is a country, bloc or facility."""
    allowed = dict.fromkeys([*countries_of(case.world), *case.world.facilities])
    for address, given in _places_named(case.world):
        yield from unknown(address, given, "a country, bloc or facility", allowed)


def _places_named(world: World) -> Iterator[tuple[str, str]]:
    for material, trade in world.trade.items():
        for buyer, shares in trade.sources.items():
            yield f"trade.{material}.sources.{buyer}", buyer
            yield from ((f"trade.{material}.sources.{buyer}.{supplier}", supplier) for supplier in shares)
    for part, rules in (("transit", world.transit), ("hazards.routes", world.hazards.routes)):
        for name, rule in rules.items():
            for end in ("origin", "destination"):
                yield from ((f"{part}.{name}.{end}", place) for place in getattr(rule, end) or ())
    for name, shock in world.hazards.shocks.items():
        yield from ((f"hazards.shocks.{name}.countries", country) for country in shock.countries)
    for name, facility in world.facilities.items():
        for part in ("suppliers", "customers"):
            for material, shares in getattr(facility, part).items():
                yield from ((f"facilities.{name}.{part}.{material}.{place}", place) for place in shares)
