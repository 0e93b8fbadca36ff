"""Lays a company over a world: one buyer's plans, stocks, suppliers and bill of materials as parts of the world.

Decides how a file of ``configs/companies`` becomes a plant with a recipe whose product leaves the chain.
What the plant buys is part of its country's use and comes off there, so that the world around it stays as it is; its
results stand under its own name. The engine knows nothing of companies.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from sim.config.explain import PROVENANCE, validate_section
from sim.config.schema import Days, Money, Names, Number, Ratio, Section, Tonnes, reads
from sim.config.tree import Keys, Tree, mapping_or_empty
from sim.errors import ConfigError, Problem, did_you_mean
from sim.units import read_quantity


class Product(Section):
    """What a company makes out of the materials of its bill."""

    title: str = Field(description="name for readers")
    unit: str = Field(description="what is counted, in one word, such as motor")
    output: Annotated[Number, reads("1/d")] = Field(description="plan at the start, such as 500000 /yr")
    price: Money = Field(description="price of one")


class Item(Section):
    """One line of a bill of materials."""

    amount: Tonnes = Field(description="mass in one product, such as 1.5 kg")
    stock: Days = Field(description="stock on hand, in days of use")
    suppliers: dict[str, Ratio] = Field(description="country or facility -> share of purchases")
    within_sectors: Names = Field(description="sectors of the country's use in which world figures count this use")
    value_share: Ratio | None = Field(None, description="share in the product's value; from prices unless given")
    thrift: Ratio | None = Field(None, description="how far the recipe gives way to price; 0 unless given")


class CompanyFile(Section):
    """One file of ``configs/companies``, or of a company's own: a buyer laid over the world."""

    company: str = Field(description="name of the company's parts; results stand under it")
    title: str = Field(description="name for readers")
    short: str | None = Field(None, description="a shorter name for figures and tables; the title unless given")
    country: str = Field(description="where it stands; its use is part of this country's")
    demand_of: str | None = Field(None, description="mineral whose demand paths its plan follows; of its first item")
    product: Product
    bill_of_materials: dict[str, Item] = Field(min_length=1, description="material -> line")


STATED = {"source": "assumption", "note": "by definition"}


def add_company(world: Tree, file: Tree) -> list[Problem]:
    """Add one company to a base world; return what cannot be added, in which case nothing is.

    Parameters
    ----------
    world : Tree
        Changed in place.
    file : Tree
    """
    try:
        record = validate_section(CompanyFile, file.values, "", file)
    except ConfigError as error:
        return list(error.problems)
    problems = list(_misfits(world, record, file))
    if problems:
        return problems
    for keys, value, stated in _parts(world, record, file.values):
        world.put(keys, value, file.below(stated))
    return []


def _misfits(world: Tree, record: CompanyFile, file: Tree) -> Iterator[Problem]:
    materials, name = mapping_or_empty(world.values["materials"]), record.company
    for part, new in (("countries", name), ("facilities", works(name)), ("processes", f"{name}_assembly")):
        if new in world.values[part]:
            yield file.problem("company", f"got '{name}', but '{new}' stands in {part} already; rename it.")
    if record.country not in world.values["countries"]:
        hint = did_you_mean(record.country, world.values["countries"])
        yield file.problem("country", f"got '{record.country}'. Not a country of this world.{hint}")
    minerals = mapping_or_empty(world.values["minerals"])
    if record.demand_of is not None and record.demand_of not in minerals:
        hint = did_you_mean(record.demand_of, minerals)
        yield file.problem("demand_of", f"got '{record.demand_of}'. Not a mineral of this world.{hint}")
    for material in record.bill_of_materials:
        if material not in materials:
            hint = did_you_mean(material, materials)
            text = f"got '{material}'. Not a material of this world; leave it out, or load its mineral.{hint}"
            yield file.problem(("bill_of_materials", material), text)


def works(company: str) -> str:
    """Return the name of a company's plant."""
    return f"{company}_works"


def _leader(world: Tree, record: CompanyFile) -> str:
    """Return the mineral whose demand paths the company's plan follows."""
    first = next(iter(record.bill_of_materials))
    minerals = mapping_or_empty(world.values["minerals"])
    return record.demand_of or next(name for name, chain in minerals.items() if first in chain)


def _parts(world: Tree, record: CompanyFile, values: Mapping[str, Any]) -> Iterator[tuple[Keys, Any, Keys]]:
    """Yield (address in the world, value, address in the file) of all that a company adds."""
    name, process, plan = record.company, f"{record.company}_assembly", record.product.output
    said = {key: values[key] for key in PROVENANCE if key in values}
    made = _sourced(values["product"], said)
    yield ("countries", name), record.short or record.title, ("title",)
    recipe = {"title": record.product.title, "unit": record.product.unit, "inputs": {}, "final": _leader(world, record)}
    yield ("processes", process), recipe, ("product",)
    plant = {"title": record.title, "country": record.country, "reported_as": name, "process": process}
    throughput = {**_ends(plan, " t/d"), **{key: made["output"][key] for key in PROVENANCE if key in made["output"]}}
    yield ("facilities", works(name)), {**plant, "throughput": throughput}, ("product", "output")
    for material, raw in values["bill_of_materials"].items():
        line, stated = _sourced(raw, said), ("bill_of_materials", material)
        yield ("processes", process, "inputs", material), _input(world, record, material, line), stated
        yield ("trade", material, "sources", works(name)), line["suppliers"], (*stated, "suppliers")


def _ends(number: Number, unit: str = "") -> dict[str, Any]:
    """Return value and range of a number in another unit of the same size, as they stand in a file."""
    ends = {key: getattr(number, key) for key in ("value", "low", "high")}
    return {key: f"{value!r}{unit}" if unit else value for key, value in ends.items() if value is not None}


def _sourced(section: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section whose numbers say the source that it, or the file around it, says for all of them."""
    own = {key: section[key] for key in PROVENANCE if key in section}
    told = own if "source" in own else {**around, **own}

    def number(raw: Any) -> dict[str, Any]:
        given = dict(raw) if isinstance(raw, Mapping) else {"value": raw}
        return given if "source" in given else {**told, **given}

    found = {key: raw for key, raw in section.items() if key not in PROVENANCE}
    for key, raw in found.items():
        if key == "suppliers":
            found[key] = {place: number(share) for place, share in raw.items()}
        elif key not in ("title", "unit", "within_sectors"):
            found[key] = number(raw)
    return found


def _input(world: Tree, record: CompanyFile, material: str, line: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line of the bill as an input of the plant's process, per product."""
    item = record.bill_of_materials[material]
    told = {key: line["amount"][key] for key in PROVENANCE if key in line["amount"]}
    share = {"value": _value_share(world, record, item.amount, material), "source": "assumption", "note": "from prices"}
    return {
        "amount": {**_ends(item.amount), **told},
        "value_share": line.get("value_share", share),
        "thrift": line.get("thrift", {"value": 0, **STATED}),
        "cover": line["stock"],
        "within_sectors": list(item.within_sectors),
    }


def _value_share(world: Tree, record: CompanyFile, amount: Number, material: str) -> float:
    """Return what a material costs in one product over the product's price."""
    raw = world.values["materials"][material]["price"]
    price = read_quantity(raw["value"] if isinstance(raw, Mapping) else raw, "USD/t")
    return amount.value * price / record.product.price.value
