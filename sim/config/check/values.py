"""Rules of single numbers that need the records around them: shares, covers, units, years, sources."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sim.config.check.case import TOLERANCE, Case, lowest, too_much
from sim.config.schema import World, iter_numbers
from sim.errors import Problem, did_you_mean
from sim.units import read_quantity

CLASS_COVER_TOLERANCE = 0.01
"""How far the mean cover of the classes may be from 1."""


def check_sectors(case: Case) -> Iterator[Problem]:
    """Check that sector shares of a consumer add up to one at most; the rest is 'other'."""
    for country, uses in case.world.consumers.items():
        for material, consumer in uses.items():
            yield from too_much(f"consumers.{country}.{material}.sectors", consumer.sectors, "sectors")


def check_classes(case: Case) -> Iterator[Problem]:
    """Check that cover classes share out all use, and their mean cover is the cover stated."""
    behaviour = case.world.behaviour
    shares, covers = behaviour.class_shares, behaviour.class_covers
    if len(shares) != len(covers):
        text = f"got {len(covers)} covers for {len(shares)} shares. Give one for each class."
        yield Problem("behaviour.class_covers", text)
        return
    if any(each < 0 for each in (*shares, *covers)):
        yield Problem("behaviour.class_shares", "shares and covers of classes must be at least 0.")
    if abs(sum(shares) - 1) > TOLERANCE:
        yield Problem("behaviour.class_shares", f"got shares that add up to {sum(shares):.6g}. They must add up to 1.")
    mean = sum(share * cover for share, cover in zip(shares, covers, strict=True))
    if abs(mean - 1) > CLASS_COVER_TOLERANCE:
        text = f"got covers with a mean of {mean:.4g}, weighted by share. It must be 1 within 1 %."
        yield Problem("behaviour.class_covers", text)


def check_stockpiles(case: Case) -> Iterator[Problem]:
    """Check that a stockpile holds days or tonnes; days need a user in the country to count by."""
    for name, stockpile in case.world.stockpiles.items():
        if (stockpile.holding is None) == (stockpile.tonnes is None):
            yield Problem(f"stockpiles.{name}", "give either 'holding' (days of use) or 'tonnes'.")
        elif stockpile.holding is not None and not _uses(case.world, stockpile.country, stockpile.material):
            text = f"days of what use? Nobody in {stockpile.country} uses '{stockpile.material}'; give 'tonnes'."
            yield Problem(f"stockpiles.{name}.holding", text)


def _uses(world: World, country: str, material: str) -> bool:
    plants = [each for each in world.facilities.values() if each.country == country]
    takes = any(
        (process := world.processes.get(each.process)) is not None and material in process.inputs for each in plants
    )
    return takes or material in world.consumers.get(country, {})


def check_units(case: Case) -> Iterator[Problem]:
    """Check that a material's own unit is a new word, greater than zero."""
    for name, material in case.world.materials.items():
        for unit, tonnes in material.units.items():
            address = f"materials.{name}.units.{unit}"
            if tonnes.value <= 0:
                yield Problem(address, f"got {tonnes.value:g}. A unit must be greater than 0 tonnes.")
            if not re.fullmatch(r"[A-Za-z]\w*", unit):
                yield Problem(address, f"got '{unit}'. A unit is one word, such as t_element.")
            elif _is_mass(unit):
                yield Problem(address, f"got '{unit}', which is a unit already; choose another word.")


def _is_mass(unit: str) -> bool:
    try:
        read_quantity(f"1 {unit}", "t")
    except ValueError:
        return False
    return True


def check_paths(case: Case) -> Iterator[Problem]:
    """Check that demand paths have two years or more, all above zero, and name materials of their mineral."""
    for name, minerals in case.world.demand.items():
        for mineral, path in minerals.items():
            address, chain = f"demand.{name}.{mineral}", case.world.minerals[mineral]
            given = {"years": path.years, "beside": path.beside}
            given |= {f"materials.{material}": years for material, years in path.materials.items()}
            for key, years in given.items():
                if years is not None and len(years) < 2:
                    text = f"got {len(years)} year. Give two or more; it is log-linear in between."
                    yield Problem(f"{address}.{key}", text)
                if years is not None and any(lowest(each) <= 0 for each in years.values()):
                    yield Problem(f"{address}.{key}", "demand must be above 0 in every year.")
            for material in sorted(path.materials.keys() - set(chain)):
                hint = did_you_mean(material, chain)
                yield Problem(
                    f"{address}.materials.{material}", f"got '{material}'. Not a material of {mineral}.{hint}"
                )


def check_supplier_cover(case: Case) -> Iterator[Problem]:
    """Check that suppliers hold at least two reviews of sales; with less they run dry between reviews."""
    least = 2 * case.experiment.horizon.review.value
    for name, material in case.world.materials.items():
        if lowest(material.supplier_cover) < least:
            text = f"got {lowest(material.supplier_cover):g} d. Needs {least:g} d or more, two reviews."
            yield Problem(f"materials.{name}.supplier_cover", text)


def check_sources(case: Case) -> Iterator[Problem]:
    """Check that every number says where it is from; an assumption has a range, or a note with the reason."""
    for number in iter_numbers(case.world):
        if number.source is None:
            yield Problem(
                number.address,
                "no source. Name a key of configs/sources.yaml, or write 'source: assumption'.",
            )
        elif number.source == "assumption":
            if not number.uncertain and not number.note:
                yield Problem(number.address, "an assumption without a range needs a 'note' with the reason.")
        elif number.source not in case.sources:
            hint = did_you_mean(number.source, [*case.sources, "assumption"])
            yield Problem(number.address, f"got source '{number.source}'. Not a key of configs/sources.yaml.{hint}")
