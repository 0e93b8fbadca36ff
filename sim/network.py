"""The shape of a world: rows of suppliers and buyers, the lanes between them, and name selectors.

Decides which rows and lanes exist and in which order; leaves their numbers to `balance` and the
limits on lanes to `gates`. Rows and lanes are sorted by material, lanes by buyer, so that a market
is a slice. Rows that belong to later plants exist from the start, with nothing flowing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.blueprint import Blueprint, BuyerRow, SupplierRow
from sim.config import schema

Index = NDArray[np.int64]
Names = tuple[str, ...] | None


class Network:
    """Rows and lanes of one scenario, as index arrays.

    Parameters
    ----------
    blueprint : Blueprint

    Attributes
    ----------
    suppliers, buyers : tuple of rows
        Sorted by material.
    lane_supplier, lane_buyer : (lane,) int
        Sorted by buyer.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint, self.world = blueprint, blueprint.world
        self.materials = tuple(self.world.materials)
        self.material_index = {name: i for i, name in enumerate(self.materials)}
        self.facilities = tuple(blueprint.facilities)
        self.facility_index = {name: i for i, name in enumerate(self.facilities)}
        self.suppliers = tuple(row for m in self.materials for row in self._suppliers_of(m))
        self.buyers = tuple(row for m in self.materials for row in self._buyers_of(m))
        self.remembered: dict[str, Any] = {}  # what others find out about lanes and need again in the next block
        self._found_lanes: dict[tuple[Names, Names, Names, bool], Index] = {}
        self._sellers = self._find_sellers()
        lanes = [(b, s) for b in range(len(self.buyers)) for s in self._lanes_into(b)]
        self.lane_buyer: Index = np.array([b for b, _ in lanes], dtype=np.int64)
        self.lane_supplier: Index = np.array([s for _, s in lanes], dtype=np.int64)

    # -- rows ---------------------------------------------------------------------------------------

    def _suppliers_of(self, material: str) -> list[SupplierRow]:
        rows = [
            SupplierRow(material, name, facility.country)
            for name, facility in self.blueprint.facilities.items()
            if material in self.world.processes[facility.process].outputs
        ]
        stockpiles = self.world.stockpiles.items()
        return rows + [
            SupplierRow(material, name, pile.country, True) for name, pile in stockpiles if pile.material == material
        ]

    def _buyers_of(self, material: str) -> list[BuyerRow]:
        rows = []
        for name, facility in self.blueprint.facilities.items():
            taken = self.world.processes[facility.process].inputs.get(material)
            if taken is not None:
                split = not self.blueprint.opens_later(name) and any(
                    each.cover_classes for each in self.world.processes[facility.process].inputs.values()
                )
                place = facility.reported_as or facility.country
                rows += self._classes(material, name, facility.country, "processor", split, place)
        for country, uses in self.world.consumers.items():
            if material in uses:
                rows += self._classes(material, country, country, "consumer", uses[material].cover_classes, country)
        stockpiles = self.world.stockpiles.items()
        return rows + [
            BuyerRow(material, name, pile.country, "stockpile")
            for name, pile in stockpiles
            if pile.material == material
        ]

    def _classes(self, material: str, owner: str, country: str, kind: str, split: bool, place: str) -> list[BuyerRow]:
        count = len(self.world.behaviour.class_shares) if split else 1
        return [BuyerRow(material, owner, country, kind, c, count, place) for c in range(count)]

    # -- lanes --------------------------------------------------------------------------------------

    def _find_sellers(self) -> dict[tuple[str, str | None], list[int]]:
        """Supplier rows by material and each name that a source can call them by.

        Under the name None stand all rows; under '', those that sell without being stated as a source.
        """
        found: dict[tuple[str, str | None], list[int]] = {}
        offered = {m: [o for o in self.blueprint.offtakes if o.material == m] for m in self.materials}
        for s, row in enumerate(self.suppliers):
            names = [name for offtake in offered[row.material] for name in offtake.suppliers]
            unstated = row.stockpile or any(self.matches(name, row.owner, row.country) for name in names)
            for name in dict.fromkeys((None, row.owner, row.country, *([""] if unstated else []))):
                found.setdefault((row.material, name), []).append(s)
        return found

    def _lanes_into(self, buyer: int) -> list[int]:
        row = self.buyers[buyer]
        stated = None if row.kind == "stockpile" else self._sources(row)
        names = (None,) if stated is None else ("", *stated)
        found = {s for name in names for s in self._sellers.get((row.material, name), ())}
        return [s for s in sorted(found) if self._trades(self.suppliers[s], row)]

    def _sources(self, row: BuyerRow) -> dict[str, schema.Number] | None:
        """Return the shares that are stated of a buyer's purchases; None where nothing is."""
        sources = self.world.trade[row.material].sources
        return sources.get(row.owner, sources.get(row.country))

    def _trades(self, supplier: SupplierRow, row: BuyerRow) -> bool:
        if supplier.stockpile:
            names = self.blueprint.sellers.get(supplier.owner, ())
            return row.kind != "stockpile" and any(self.matches(name, row.owner, row.country) for name in names)
        if self._has_offtake(supplier, row):
            return True
        if self.blueprint.opens_later(supplier.owner):
            return False
        if row.kind == "stockpile":
            return row.owner in self.blueprint.fillers
        if row.kind == "processor" and self.blueprint.opens_later(row.owner):
            return False
        return self.prior_weight(supplier, row) is not None

    def _has_offtake(self, supplier: SupplierRow, row: BuyerRow) -> bool:
        for offtake in self.blueprint.offtakes:
            if offtake.material != row.material or row.kind == "stockpile":
                continue
            sells = any(self.matches(name, supplier.owner, supplier.country) for name in offtake.suppliers)
            if sells and any(self.matches(name, row.owner, row.country) for name in offtake.customers):
                return True
        return False

    def prior_weight(self, supplier: SupplierRow, row: BuyerRow) -> schema.Number | float | None:
        """Return the stated share of a supplier (country or facility) in a buyer's purchases.

        Returns
        -------
        Number, float or None
            A stated share; 1.0 (or the home preference) where nothing is stated of this buyer; None for no lane.
        """
        stated = self._sources(row)
        if stated is None:
            home = supplier.country == row.country
            return self.world.trade[row.material].home_preference.value if home else 1.0
        if supplier.owner in stated:
            return stated[supplier.owner]
        return stated.get(supplier.country)

    # -- names --------------------------------------------------------------------------------------

    def expand(self, names: Iterable[str]) -> frozenset[str]:
        """Return countries and facilities named, with blocs replaced by their members."""
        found: set[str] = set()
        for name in names:
            found.update(self.world.blocs.get(name, (name,)))
        return frozenset(found)

    def matches(self, name: str, owner: str, country: str) -> bool:
        """Whether a row's owner or country is the one named, directly or through a bloc."""
        return owner == name or country == name or country in self.world.blocs.get(name, ())

    @cached_property
    def supplier_country(self) -> NDArray[np.str_]:
        """(supplier,) country where it stands."""
        return np.array([row.country for row in self.suppliers])

    @cached_property
    def buyer_country(self) -> NDArray[np.str_]:
        """(buyer,) country."""
        return np.array([row.country for row in self.buyers])

    @cached_property
    def supplier_material(self) -> Index:
        """(supplier,) index of its material."""
        return np.array([self.material_index[row.material] for row in self.suppliers], dtype=np.int64)

    @cached_property
    def buyer_material(self) -> Index:
        """(buyer,) index of its material."""
        return np.array([self.material_index[row.material] for row in self.buyers], dtype=np.int64)

    @cached_property
    def supplier_row(self) -> dict[tuple[str, str], int]:
        """(owner, material) -> supplier row."""
        return {(row.owner, row.material): i for i, row in enumerate(self.suppliers)}

    @cached_property
    def buyer_rows(self) -> dict[tuple[str, str], Index]:
        """(owner, material) -> buyer rows, one per cover class."""
        found: dict[tuple[str, str], list[int]] = {}
        for i, row in enumerate(self.buyers):
            found.setdefault((row.owner, row.material), []).append(i)
        return {key: np.array(rows, dtype=np.int64) for key, rows in found.items()}

    @cached_property
    def lane_ptr(self) -> Index:
        """(buyer + 1,) lanes of buyer b are ``lane_ptr[b]:lane_ptr[b + 1]``."""
        return np.searchsorted(self.lane_buyer, np.arange(len(self.buyers) + 1)).astype(np.int64)

    def ranges(self, rows: Index) -> Index:
        """Return (material + 1,) bounds of each material in a sorted array of material indices."""
        return np.searchsorted(rows, np.arange(len(self.materials) + 1)).astype(np.int64)

    def lanes(
        self,
        materials: Iterable[str] | None = None,
        origin: Iterable[str] | None = None,
        destination: Iterable[str] | None = None,
        abroad: bool = False,
    ) -> Index:
        """Return the lanes of some materials from some suppliers to some buyers.

        Parameters
        ----------
        materials, origin, destination : names or None
            None matches all; countries, blocs and facilities by name.
        abroad : bool
            Only lanes that leave the supplier's country.

        Returns
        -------
        (lane,) int, read-only
            Remembered, because policies ask again at each review.
        """
        key = (_tuple(materials), _tuple(origin), _tuple(destination), abroad)
        if key not in self._found_lanes:
            self._found_lanes[key] = self._find_lanes(*key)
            self._found_lanes[key].setflags(write=False)
        return self._found_lanes[key]

    def _find_lanes(self, materials: Names, origin: Names, destination: Names, abroad: bool) -> Index:
        sells, buys = self._named(self.suppliers, origin), self._named(self.buyers, destination)
        if materials is not None:
            sells &= np.isin(self.supplier_material, [self.material_index[name] for name in materials])
        kept = sells[self.lane_supplier] & buys[self.lane_buyer]
        if abroad:
            kept &= self.supplier_country[self.lane_supplier] != self.buyer_country[self.lane_buyer]
        return np.flatnonzero(kept).astype(np.int64)

    def _named(self, rows: Iterable[SupplierRow | BuyerRow], names: Names) -> NDArray[np.bool_]:
        """(row,) whether its owner or country is among some names; None names all."""
        if names is None:
            return np.ones(len(tuple(rows)), dtype=np.bool_)
        named = self.expand(names)
        return np.array([row.country in named or row.owner in named for row in rows], dtype=np.bool_)

    @cached_property
    def groups(self) -> tuple[tuple[str, str], ...]:
        """(material, country or company) pairs for which results are reported, materials in order."""
        seen: dict[tuple[str, str], None] = {}
        for row in self.buyers:
            if row.kind != "stockpile":
                seen[(row.material, row.place)] = None
        return tuple(seen)

    @cached_property
    def buyer_group(self) -> Index:
        """(buyer,) index into `groups`; -1 for stockpiles."""
        index = {group: i for i, group in enumerate(self.groups)}
        return np.array(
            [-1 if row.kind == "stockpile" else index[(row.material, row.place)] for row in self.buyers],
            dtype=np.int64,
        )

    @cached_property
    def process_rows(self) -> tuple[ProcessRows, ...]:
        """Facilities by process, upstream first; plants that open later, each a single site, by themselves."""
        found = []
        for process in self.world.processes:
            for later in (False, True):
                members = [
                    name
                    for name, facility in self.blueprint.facilities.items()
                    if facility.process == process and self.blueprint.opens_later(name) == later
                ]
                if members:
                    found.append(ProcessRows.of(self, process, members))
        return tuple(found)


@dataclass(frozen=True)
class ProcessRows:
    """Facilities of one process.

    Attributes
    ----------
    facility : (member,) int
    inputs : (input, member, class) int
        Buyer rows.
    outputs : (output, member) int
        Supplier rows.
    final : bool
        Whether what is made leaves the chain.
    """

    process: str
    facility: Index
    inputs: Index
    outputs: Index
    final: bool = False

    @classmethod
    def of(cls, network: Network, process: str, members: list[str]) -> ProcessRows:
        """Collect the rows of a process's members; all inputs of a process share their classes."""
        record = network.world.processes[process]
        inputs = [[network.buyer_rows[(f, m)] for f in members] for m in record.inputs]
        outputs = [[network.supplier_row[(f, m)] for f in members] for m in record.outputs]
        return cls(
            process,
            np.array([network.facility_index[f] for f in members], dtype=np.int64),
            np.array(inputs, dtype=np.int64).reshape(len(record.inputs), len(members), -1 if inputs else 0),
            np.array(outputs, dtype=np.int64).reshape(len(record.outputs), len(members)),
            record.final is not None,
        )


def _tuple(names: Iterable[str] | None) -> Names:
    return None if names is None else tuple(names)
