"""Rules that span several records of a world or an experiment, one ``check_*`` function per rule.

Decides what fits together; a rule yields every problem it finds, with the address of the value that is
wrong, and `load` adds file and line. Leaves single fields to `schema`, and whether the flows of a chain
can be balanced to the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sim.config.schema import Experiment, Facility, Material, Number, Process, Source, World, iter_numbers
from sim.errors import Problem, did_you_mean
from sim.units import read_quantity

TOLERANCE = 1e-6
"""Rounding allowed in sums of shares."""

CLASS_COVER_TOLERANCE = 0.01
"""How far the mean cover of the classes may be from 1."""

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True)
class Case:
    """What the rules look at.

    Attributes
    ----------
    world : World
        Of one scenario.
    experiment : Experiment
    sources : mapping
        Key -> source.
    policies : mapping
        Scenario -> names of its policies.
    """

    world: World
    experiment: Experiment
    sources: Mapping[str, Source]
    policies: Mapping[str, Sequence[str]]


Rule = Callable[[Case], Iterator[Problem]]


def check_world(case: Case) -> Iterator[Problem]:
    """Yield the problems of one world."""
    for rule in WORLD_RULES:
        yield from rule(case)


def check_plan(case: Case) -> Iterator[Problem]:
    """Yield the problems of an experiment; addresses are those of its file."""
    for rule in PLAN_RULES:
        yield from rule(case)


# -- helpers --------------------------------------------------------------------------------------------


def _unknown(address: str, given: str, what: str, allowed: Iterable[str]) -> Iterator[Problem]:
    """Yield a problem if a name is not among those allowed."""
    words = list(allowed)
    if given not in words:
        yield Problem(address, f"got '{given}'. Not {what} of this world.{did_you_mean(given, words)}")


def _countries(world: World) -> list[str]:
    return [*world.countries, *world.blocs]


def _places(world: World) -> list[str]:
    """Return what may stand where a supplier or buyer is named."""
    return [*_countries(world), *world.facilities]


def _lowest(number: Number) -> float:
    return number.value if number.low is None else number.low


def _highest(number: Number) -> float:
    return number.value if number.high is None else number.high


def _too_much(address: str, shares: Mapping[str, Number], what: str) -> Iterator[Problem]:
    """Yield a problem if shares exceed one in sum."""
    total = sum(share.value for share in shares.values())
    if total > 1 + TOLERANCE:
        yield Problem(
            address, f"got shares of {what} that add up to {total:.6g}. They may add up to 1 at most."
        )


# -- names ----------------------------------------------------------------------------------------------


def check_names(case: Case) -> Iterator[Problem]:
    """Check that names hold letters, digits, ``_`` and ``-`` only: a dot would end a part of an address."""
    for part in (
        "materials",
        "processes",
        "facilities",
        "stockpiles",
        "transit",
        "demand",
        "countries",
        "blocs",
    ):
        for name in getattr(case.world, part):
            if not _NAME.fullmatch(name):
                yield Problem(
                    f"{part}.{name}", f"got '{name}'. A name may hold letters, digits, '_' and '-'."
                )


def check_owners(case: Case) -> Iterator[Problem]:
    """Check that a name is a facility, a stockpile or a country, because lanes are named by any of them."""
    world = case.world
    for part in ("facilities", "stockpiles"):
        for name in getattr(world, part):
            if name in world.countries or name in world.blocs:
                yield Problem(f"{part}.{name}", f"'{name}' is the name of a country or bloc, too; rename it.")
    for name in world.stockpiles:
        if name in world.facilities:
            yield Problem(
                f"stockpiles.{name}", f"'{name}' is the name of a facility, too; rename one of them."
            )


def check_countries(case: Case) -> Iterator[Problem]:
    """Check that every country named is one of ``configs/countries.yaml``."""
    world, allowed = case.world, _countries(case.world)
    for name, facility in world.facilities.items():
        yield from _unknown(f"facilities.{name}.country", facility.country, "a country", allowed)
        if facility.owner_country is not None:
            yield from _unknown(
                f"facilities.{name}.owner_country", facility.owner_country, "a country", allowed
            )
    for country in world.consumers:
        yield from _unknown(f"consumers.{country}", country, "a country", allowed)
    for name, stockpile in world.stockpiles.items():
        yield from _unknown(f"stockpiles.{name}.country", stockpile.country, "a country", allowed)
    for bloc, members in world.blocs.items():
        for member in members:
            yield from _unknown(f"blocs.{bloc}", member, "a country", world.countries)


def check_materials(case: Case) -> Iterator[Problem]:
    """Check that every material named is one of this world."""
    world = case.world
    for address, given in _materials_named(world):
        yield from _unknown(address, given, "a material", world.materials)


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
        yield from _unknown(f"facilities.{name}.process", facility.process, "a process", world.processes)
    for name in world.hazards.outages:
        yield from _unknown(
            f"hazards.outages.{name}", name, "a process or facility", [*world.processes, *world.facilities]
        )
    for name, shock in world.hazards.shocks.items():
        for process in shock.processes or ():
            yield from _unknown(f"hazards.shocks.{name}.processes", process, "a process", world.processes)


def check_places(case: Case) -> Iterator[Problem]:
    """Check that every party to trade, transit or a hazard is a country, bloc or facility."""
    allowed = _places(case.world)
    for address, given in _places_named(case.world):
        yield from _unknown(address, given, "a country, bloc or facility", allowed)


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


# -- the chain ------------------------------------------------------------------------------------------


def _process_of(world: World, facility: Facility) -> Process | None:
    return world.processes.get(facility.process)


def check_chain(case: Case) -> Iterator[Problem]:
    """Check that each material is made by a facility, and used by a facility or a consumer."""
    world = case.world
    present = [
        process for each in world.facilities.values() if (process := _process_of(world, each)) is not None
    ]
    made = {material for process in present for material in process.outputs}
    used = {material for process in present for material in process.inputs}
    used |= {material for uses in world.consumers.values() for material in uses}
    for material in world.materials:
        if material not in made:
            yield Problem(
                f"materials.{material}", "no facility makes this material; add one with a process that does."
            )
        if material not in used:
            yield Problem(
                f"materials.{material}", "no facility or consumer uses this material; add one that does."
            )


def check_trade(case: Case) -> Iterator[Problem]:
    """Check that each material says how it is traded, and shares of one buyer add up to one at most."""
    for material in case.world.materials:
        if material not in case.world.trade:
            yield Problem(f"trade.{material}", "missing. Give at least its 'home_preference'.")
    for material, trade in case.world.trade.items():
        for buyer, shares in trade.sources.items():
            yield from _too_much(f"trade.{material}.sources.{buyer}", shares, "purchases")


def check_recipes(case: Case) -> Iterator[Problem]:
    """Check that outputs have one remainder at most, and inputs are worth less than what is made."""
    for name, process in case.world.processes.items():
        address, amounts = f"processes.{name}", process.outputs.values()
        remainders = sum(amount == "remainder" for amount in amounts)
        fixed = sum(amount.value for amount in amounts if isinstance(amount, Number))
        if not process.outputs:
            yield Problem(f"{address}.outputs", "a process needs an output.")
        if remainders > 1:
            yield Problem(
                f"{address}.outputs",
                f"got {remainders} remainders. Only one can be what is left to 1.",
            )
        if remainders and fixed > 1 + TOLERANCE:
            text = f"got outputs of {fixed:.6g}, which leave nothing for the remainder."
            yield Problem(f"{address}.outputs", text)
        value = sum(_highest(each.value_share) for each in process.inputs.values())
        if value >= 1:
            text = f"got value shares of {value:.6g} in sum, at the top of their ranges. Must stay below 1."
            yield Problem(f"{address}.inputs", text)


def check_solved(case: Case) -> Iterator[Problem]:
    """Check that what is 'solved' in a process is named by a material's closer, and the other way round."""
    for name, process in case.world.processes.items():
        for material, amount in process.outputs.items():
            address = f"processes.{name}.outputs.{material}"
            yield from _solved(case.world, address, amount, material, "supply_closed_by", f"output:{name}")
        for material, taken in process.inputs.items():
            address = f"processes.{name}.inputs.{material}.amount"
            yield from _solved(
                case.world, address, taken.amount, material, "demand_closed_by", f"input:{name}"
            )


def _solved(
    world: World, address: str, amount: object, material: str, side: str, closer: str
) -> Iterator[Problem]:
    record = world.materials.get(material)
    if record is None:
        return
    named = getattr(record, side) == closer
    if amount == "solved" and not named:
        text = f"got 'solved', but materials.{material}.{side} is not '{closer}'; write that, or an amount."
        yield Problem(address, text)
    elif amount != "solved" and named:
        text = (
            f"got '{closer}', but its amount is given in {address}. Write 'solved' there, or close otherwise."
        )
        yield Problem(f"materials.{material}.{side}", text)


def check_closers(case: Case) -> Iterator[Problem]:
    """Check that what closes a material exists and makes or takes it."""
    for name, material in case.world.materials.items():
        yield from _closer(case.world, name, material, "supply_closed_by", "output")
        yield from _closer(case.world, name, material, "demand_closed_by", "input")


def _closer(world: World, name: str, material: Material, side: str, solved: str) -> Iterator[Problem]:
    given, address = getattr(material, side), f"materials.{name}.{side}"
    kind, _, target = given.partition(":")
    if given == "scale":
        return
    if kind not in ("facility", solved):
        words = ("scale", "facility", solved)
        hint = did_you_mean(kind, words)
        yield Problem(address, f"got '{given}'. Allowed are scale, facility:NAME, {solved}:PROCESS.{hint}")
        return
    known: Mapping[str, object] = world.facilities if kind == "facility" else world.processes
    if target not in known:
        yield from _unknown(address, target, "a facility" if kind == "facility" else "a process", known)
        return
    process = _process_of(world, world.facilities[target]) if kind == "facility" else world.processes[target]
    if process is not None and name not in (process.outputs if solved == "output" else process.inputs):
        verb = "make" if solved == "output" else "take in"
        yield Problem(address, f"got '{given}', which does not {verb} '{name}'.")


def check_throughputs(case: Case) -> Iterator[Problem]:
    """Check that a facility has a throughput or a share, or closes a material: exactly one of them."""
    world = case.world
    closers = {
        closer.removeprefix("facility:")
        for material in world.materials.values()
        for closer in (material.supply_closed_by, material.demand_closed_by)
        if closer.startswith("facility:")
    }
    for name, facility in world.facilities.items():
        given = [key for key in ("throughput", "share") if getattr(facility, key) is not None]
        given += ["the closing of a material"] if name in closers else []
        if len(given) > 1:
            yield Problem(
                f"facilities.{name}",
                f"got {' and '.join(given)}. Only one of them can say how much it makes.",
            )
        if not given:
            yield Problem(
                f"facilities.{name}", "missing. Give 'throughput' or 'share', or let it close a material."
            )
        if facility.share is not None:
            yield from _share_of_something(world, name, facility)


def _share_of_something(world: World, name: str, facility: Facility) -> Iterator[Problem]:
    process = _process_of(world, facility)
    materials = [] if process is None else [*process.outputs, *process.inputs]
    known = [world.materials[material] for material in materials if material in world.materials]
    if known and all(material.total is None for material in known):
        named = ", ".join(materials)
        yield Problem(
            f"facilities.{name}.share", f"a share of what? None of {named} has a 'total'; give a throughput."
        )


def check_openings(case: Case) -> Iterator[Problem]:
    """Check that suppliers and customers belong to a plant that opens later, and to its process."""
    for name, facility in case.world.facilities.items():
        process, address = _process_of(case.world, facility), f"facilities.{name}"
        for part, known in (("suppliers", "inputs"), ("customers", "outputs")):
            stated: Mapping[str, Mapping[str, Number]] = getattr(facility, part)
            if stated and facility.opens is None:
                yield Problem(
                    f"{address}.{part}", f"only a plant that 'opens' names its {part}; use 'trade' instead."
                )
            for material, shares in stated.items():
                allowed = [] if process is None else list(getattr(process, known))
                if process is not None and material not in allowed:
                    hint = did_you_mean(material, allowed)
                    text = f"got '{material}'. Not in the {known} of its process.{hint}"
                    yield Problem(f"{address}.{part}.{material}", text)
                yield from _too_much(f"{address}.{part}.{material}", shares, part)


# -- buyers ---------------------------------------------------------------------------------------------


def check_sectors(case: Case) -> Iterator[Problem]:
    """Check that sector shares of a consumer add up to one at most; the rest is 'other'."""
    for country, uses in case.world.consumers.items():
        for material, consumer in uses.items():
            yield from _too_much(f"consumers.{country}.{material}.sectors", consumer.sectors, "sectors")


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
        yield Problem(
            "behaviour.class_shares", f"got shares that add up to {sum(shares):.6g}. They must add up to 1."
        )
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
            text = (
                f"days of what use? Nobody in {stockpile.country} uses '{stockpile.material}'; give 'tonnes'."
            )
            yield Problem(f"stockpiles.{name}.holding", text)


def _uses(world: World, country: str, material: str) -> bool:
    plants = [each for each in world.facilities.values() if each.country == country]
    takes = any(
        (process := _process_of(world, each)) is not None and material in process.inputs for each in plants
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


# -- sources --------------------------------------------------------------------------------------------


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
            yield Problem(
                number.address, f"got source '{number.source}'. Not a key of configs/sources.yaml.{hint}"
            )


# -- the experiment -------------------------------------------------------------------------------------


def check_horizon(case: Case) -> Iterator[Problem]:
    """Check that the run ends after it starts, and a review is a whole number of days."""
    horizon = case.experiment.horizon
    if horizon.end <= horizon.start:
        yield Problem("horizon.end", f"got '{horizon.end}'. Must be after the start, {horizon.start}.")
    review = horizon.review
    if review.value < 1 or review.value != round(review.value) or review.uncertain:
        yield Problem(
            "horizon.review", f"got {review.value:g} d. A review is a whole number of days, 1 or more."
        )


def check_supplier_cover(case: Case) -> Iterator[Problem]:
    """Check that suppliers hold at least two reviews of sales; with less they run dry between reviews."""
    least = 2 * case.experiment.horizon.review.value
    for name, material in case.world.materials.items():
        if _lowest(material.supplier_cover) < least:
            text = f"got {_lowest(material.supplier_cover):g} d. Needs {least:g} d or more, two reviews."
            yield Problem(f"materials.{name}.supplier_cover", text)


def check_demand(case: Case) -> Iterator[Problem]:
    """Check that the demand path is known for every mineral, or flat."""
    world, path = case.world, case.experiment.demand
    if path == "flat":
        return
    if path not in world.demand:
        hint = did_you_mean(path, ["flat", *world.demand])
        yield Problem("demand", f"got '{path}'. Allowed are {', '.join(['flat', *world.demand])}.{hint}")
        return
    for mineral in world.minerals:
        if mineral not in world.demand[path]:
            yield Problem(
                "demand",
                f"got '{path}', which 'demand' of '{mineral}' does not give; add it there.",
            )


def check_paths(case: Case) -> Iterator[Problem]:
    """Check that a demand path has two years or more, and demand above zero in each."""
    for name, minerals in case.world.demand.items():
        for mineral, path in minerals.items():
            address = f"demand.{name}.{mineral}.years"
            if len(path.years) < 2:
                yield Problem(
                    address, f"got {len(path.years)} year. Give two or more; it is log-linear in between."
                )
            if any(_lowest(each) <= 0 for each in path.years.values()):
                yield Problem(address, "demand must be above 0 in every year.")


def check_scenarios(case: Case) -> Iterator[Problem]:
    """Check that scenarios are named once, and references are among them."""
    names = case.experiment.scenarios
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Problem(f"scenarios.{place}", f"got '{name}' twice.")
    for place, name in enumerate(case.experiment.references):
        if name not in names:
            text = f"got '{name}'. Not among the scenarios of this experiment.{did_you_mean(name, names)}"
            yield Problem(f"references.{place}", text)


def check_disruption(case: Case) -> Iterator[Problem]:
    """Check that what survival is counted from is a policy of at least one scenario."""
    given = case.experiment.disruption
    known = list(dict.fromkeys(name for policies in case.policies.values() for name in policies))
    if given is not None and given not in known:
        yield Problem(
            "disruption", f"got '{given}'. No scenario has such a policy.{did_you_mean(given, known)}"
        )


def check_focus(case: Case) -> Iterator[Problem]:
    """Check that what the answer looks at first exists."""
    for place, country in enumerate(case.experiment.focus.countries):
        yield from _unknown(f"focus.countries.{place}", country, "a country", _countries(case.world))
    for place, material in enumerate(case.experiment.focus.materials):
        yield from _unknown(f"focus.materials.{place}", material, "a material", case.world.materials)


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
    check_sectors,
    check_classes,
    check_stockpiles,
    check_units,
    check_paths,
    check_sources,
    check_supplier_cover,
)
"""Rules of one world, in the order in which they are run."""

PLAN_RULES: tuple[Rule, ...] = (check_horizon, check_demand, check_scenarios, check_disruption, check_focus)
"""Rules of the experiment as a whole."""
