"""Rules of the chain: who makes and uses what, how much, and what closes the balance of a material."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sim.config.check.case import TOLERANCE, Case, highest, too_much, unknown
from sim.config.schema import Facility, Material, Number, World
from sim.errors import Problem, did_you_mean


def check_chain(case: Case) -> Iterator[Problem]:
    """Check that each material is made by a facility, and used by a facility or a consumer."""
    world = case.world
    present = [
        process for each in world.facilities.values() if (process := world.processes.get(each.process)) is not None
    ]
    made = {material for process in present for material in process.outputs}
    used = {material for process in present for material in process.inputs}
    used |= {material for uses in world.consumers.values() for material in uses}
    for material in world.materials:
        if material not in made:
            yield Problem(f"materials.{material}", "no facility makes this material; add one with a process that does.")
        if material not in used:
            yield Problem(f"materials.{material}", "no facility or consumer uses this material; add one that does.")


def check_trade(case: Case) -> Iterator[Problem]:
    """Check that each material says how it is traded, and shares of one buyer add up to one at most."""
    for material in case.world.materials:
        if material not in case.world.trade:
            yield Problem(f"trade.{material}", "missing. Give at least its 'home_preference'.")
    for material, trade in case.world.trade.items():
        for buyer, shares in trade.sources.items():
            yield from too_much(f"trade.{material}.sources.{buyer}", shares, "purchases")


def check_recipes(case: Case) -> Iterator[Problem]:
    """Check that outputs have one remainder at most, and inputs are worth less than what is made."""
    for name, process in case.world.processes.items():
        address, amounts = f"processes.{name}", process.outputs.values()
        remainders = sum(amount == "remainder" for amount in amounts)
        fixed = sum(amount.value for amount in amounts if isinstance(amount, Number))
        if not process.outputs and process.final is None:
            yield Problem(f"{address}.outputs", "a process needs an output.")
        if process.final is not None and (process.outputs or not process.inputs):
            text = "a process whose product leaves the chain has inputs, and no output in it."
            yield Problem(f"{address}.final", text)
        if process.final is not None:
            yield from unknown(f"{address}.final", process.final, "a mineral", case.world.minerals)
        if remainders > 1:
            yield Problem(
                f"{address}.outputs",
                f"got {remainders} remainders. Only one can be what is left to 1.",
            )
        if remainders and fixed > 1 + TOLERANCE:
            text = f"got outputs of {fixed:.6g}, which leave nothing for the remainder."
            yield Problem(f"{address}.outputs", text)
        value = sum(highest(each.value_share) for each in process.inputs.values())
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
            yield from _solved(case.world, address, taken.amount, material, "demand_closed_by", f"input:{name}")


def _solved(world: World, address: str, amount: object, material: str, side: str, closer: str) -> Iterator[Problem]:
    record = world.materials.get(material)
    if record is None:
        return
    named = getattr(record, side) == closer
    if amount == "solved" and not named:
        text = f"got 'solved', but materials.{material}.{side} is not '{closer}'; write that, or an amount."
        yield Problem(address, text)
    elif amount != "solved" and named:
        text = f"got '{closer}', but its amount is given in {address}. Write 'solved' there, or close otherwise."
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
        yield from unknown(address, target, "a facility" if kind == "facility" else "a process", known)
        return
    process = world.processes.get(world.facilities[target].process) if kind == "facility" else world.processes[target]
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
            yield Problem(f"facilities.{name}", "missing. Give 'throughput' or 'share', or let it close a material.")
        if facility.share is not None:
            yield from _share_of_something(world, name, facility)


def _share_of_something(world: World, name: str, facility: Facility) -> Iterator[Problem]:
    process = world.processes.get(facility.process)
    materials = [] if process is None else [*process.outputs, *process.inputs]
    known = [world.materials[material] for material in materials if material in world.materials]
    if known and all(material.total is None for material in known):
        named = ", ".join(materials)
        yield Problem(f"facilities.{name}.share", f"a share of what? None of {named} has a 'total'; give a throughput.")


def check_openings(case: Case) -> Iterator[Problem]:
    """Check that suppliers and customers belong to a plant that opens later, and to its process."""
    for name, facility in case.world.facilities.items():
        process, address = case.world.processes.get(facility.process), f"facilities.{name}"
        for part, known in (("suppliers", "inputs"), ("customers", "outputs")):
            stated: Mapping[str, Mapping[str, Number]] = getattr(facility, part)
            if stated and facility.opens is None:
                yield Problem(f"{address}.{part}", f"only a plant that 'opens' names its {part}; use 'trade' instead.")
            for material, shares in stated.items():
                allowed = [] if process is None else list(getattr(process, known))
                if process is not None and material not in allowed:
                    hint = did_you_mean(material, allowed)
                    text = f"got '{material}'. Not in the {known} of its process.{hint}"
                    yield Problem(f"{address}.{part}.{material}", text)
                yield from too_much(f"{address}.{part}.{material}", shares, part)


def check_within(case: Case) -> Iterator[Problem]:
    """Check that a use that is part of a consumer's has such a consumer, with those sectors, where its plants stand."""
    world = case.world
    for name, process in world.processes.items():
        for material, taken in process.inputs.items():
            address = f"processes.{name}.inputs.{material}.within_sectors"
            countries = {each.country for each in world.facilities.values() if each.process == name}
            for country in sorted(countries if taken.within_sectors is not None else ()):
                consumer = world.consumers.get(country, {}).get(material)
                if consumer is None:
                    text = f"no consumer of '{material}' in {country}, where a plant of this process stands; add one."
                    yield Problem(address, text)
                    continue
                sectors, what = (*consumer.sectors, "other"), f"a sector of {country}'s use of '{material}'"
                for sector in taken.within_sectors or ():
                    yield from unknown(address, sector, what, sectors)


def check_hosts(case: Case) -> Iterator[Problem]:
    """Check that what follows another process is a by-product without inputs, and not its own host."""
    for name, process in case.world.processes.items():
        if process.follows is None:
            continue
        address = f"processes.{name}.follows"
        if process.host is None:
            yield Problem(address, "only a by-product follows another process; give its 'host', too.")
        if process.inputs:
            yield Problem(address, "a process with inputs makes what they allow; only one without can follow another.")
        if process.follows == name:
            yield Problem(address, f"got '{name}', which cannot be its own host.")
