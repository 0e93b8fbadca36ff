"""What a network is laid out from: a world with the plants, offtakes and reserves that policies add, and its rows.

Policies write on the blueprint before anything is numbered; `network` turns it into rows and lanes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sim.config import schema


@dataclass(frozen=True)
class SupplierRow:
    """A supplier in one market: a facility's product, or a stockpile."""

    material: str
    owner: str
    country: str
    stockpile: bool = False


@dataclass(frozen=True)
class BuyerRow:
    """A buyer in one market: one cover class of a facility's input or of a consumer, or a stockpile.

    `place` is where its results are reported: its country, or a company that is looked at by itself.
    """

    material: str
    owner: str
    country: str
    kind: str
    cover_class: int = 0
    classes: int = 1
    place: str = ""


@dataclass(frozen=True)
class Offtake:
    """Trade that starts later: volumes between named parties, ramped up by a plant or a policy.

    Attributes
    ----------
    name : str
        Key under which the ramp is set.
    material : str
    suppliers : tuple of str
        Facilities that supply, each with `shares`.
    customers : tuple of str
        Countries or facilities that buy; within them in proportion to requirement.
    volume : Number or None
        World volume in t/d; None where the plant's own ramped capacity sets it.
    """

    name: str
    material: str
    suppliers: tuple[str, ...]
    customers: dict[str, schema.Number]
    volume: schema.Number | None = None
    plant: str | None = None


@dataclass
class Blueprint:
    """A world with what its policies add, before rows are laid out.

    Attributes
    ----------
    facilities : dict
        Those of the world, then those of policies.
    offtakes : list of Offtake
    sellers : dict
        Stockpile that may sell -> names of its beneficiaries.
    fillers : set of str
        Stockpiles that may buy.
    """

    world: schema.World
    facilities: dict[str, schema.Facility] = field(default_factory=dict)
    offtakes: list[Offtake] = field(default_factory=list)
    sellers: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fillers: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name, facility in self.world.facilities.items():
            self.add_facility(name, facility)

    def add_facility(self, name: str, facility: schema.Facility) -> None:
        """Add a facility; one that opens later brings its own offtakes."""
        if name in self.facilities:
            raise ValueError(f"facility '{name}' exists already")
        self.facilities[name] = facility
        if facility.opens is None:
            return
        process = self.world.processes[facility.process]
        for material in process.outputs:
            customers = facility.customers.get(material, {})
            if customers:
                self.offtakes.append(Offtake(name, material, (name,), dict(customers), plant=name))
        for material in process.inputs:
            for supplier, share in facility.suppliers.get(material, {}).items():
                self.offtakes.append(Offtake(name, material, (supplier,), {name: share}, plant=name))

    def let_sell(self, stockpile: str, beneficiaries: tuple[str, ...]) -> None:
        """Give a stockpile lanes to its beneficiaries."""
        self.sellers[stockpile] = self.sellers.get(stockpile, ()) + beneficiaries

    def opens_later(self, facility: str) -> bool:
        """Whether a facility has no output at the start."""
        return self.facilities[facility].opens is not None
