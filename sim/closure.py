"""Closes each material: supply equals demand, by the rule its record names (docs/model.md, section 5).

Throughputs, recipe coefficients and uses are drawn per replication; what no source gives is what the others leave.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.config import schema
from sim.draws import Draws
from sim.errors import ConfigError, Problem
from sim.network import Network

Array = NDArray[np.float64]

YEAR = 365.25


def fail(address: str, message: str) -> ConfigError:
    """Return the error of a world that cannot be balanced."""
    return ConfigError([Problem(address, message)])


def add_up(values: Array) -> Array:
    """Sum (row, replication) over rows, in row order: the same bits for one replication as for many."""
    return sum(values, np.zeros(values.shape[1]))


@dataclass
class Closure:
    """Throughputs and recipe coefficients of a world in balance.

    Attributes
    ----------
    throughput : dict of (replication,) float
        Per facility, in units of its process per day.
    takes, makes : dict of (replication,) float
        Per (process, material), t per unit of throughput.
    use : dict of (replication,) float
        Per (country, material), t/d.
    total : dict of (replication,) float
        Per material, t/d.
    moved : dict of (replication,) float
        Per address, balanced over given value.
    given : dict of (replication,) float
        Per (material, side), supply or demand, what the given numbers add up to, t/d; without what closes the side.
    """

    network: Network
    draws: Draws
    throughput: dict[str, Array] = field(default_factory=dict)
    takes: dict[tuple[str, str], Array] = field(default_factory=dict)
    makes: dict[tuple[str, str], Array] = field(default_factory=dict)
    use: dict[tuple[str, str], Array] = field(default_factory=dict)
    total: dict[str, Array] = field(default_factory=dict)
    moved: dict[str, Array] = field(default_factory=dict)
    given: dict[tuple[str, str], Array] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.world = self.network.world
        self.present = {
            name: facility
            for name, facility in self.network.blueprint.facilities.items()
            if not self.network.blueprint.opens_later(name)
        }
        self._read()
        self._close()

    # -- what is given ------------------------------------------------------------------------------

    def _read(self) -> None:
        zero = np.zeros(self.draws.replications)
        for name, facility in self.network.blueprint.facilities.items():
            if name not in self.present:
                self.throughput[name] = zero
            elif facility.throughput is not None:
                self.throughput[name] = self.draws.number(facility.throughput)
        for name, process in self.world.processes.items():
            for material, taken in process.inputs.items():
                if isinstance(taken.amount, schema.Number):
                    self.takes[name, material] = self.draws.number(taken.amount)
            for material, made in process.outputs.items():
                if isinstance(made, schema.Number):
                    self.makes[name, material] = self.draws.number(made)
        for country, uses in self.world.consumers.items():
            for material, consumer in uses.items():
                self.use[country, material] = self.draws.number(consumer.use)
        self._fill_remainders()

    def _fill_remainders(self) -> None:
        for name, process in self.world.processes.items():
            for material, made in process.outputs.items():
                others = [other for other in process.outputs if other != material]
                if made == "remainder" and all((name, other) in self.makes for other in others):
                    self.makes[name, material] = 1.0 - sum(
                        (self.makes[name, other] for other in others), np.zeros(self.draws.replications)
                    )

    def _makers(self, material: str) -> list[str]:
        return [f for f, facility in self.present.items() if material in self.world.processes[facility.process].outputs]

    def _takers(self, material: str) -> list[str]:
        """Facilities whose need of a material is a part of its demand that no consumer's use includes."""
        return [
            name
            for name, facility in self.present.items()
            if (taken := self.world.processes[facility.process].inputs.get(material)) is not None
            and taken.within_sectors is None
        ]

    # -- closing ------------------------------------------------------------------------------------

    def _close(self) -> None:
        """Close material by material, as their numbers become known."""
        waiting = {(m, side) for m in self.world.materials for side in ("supply", "demand")}
        while waiting:
            done = {task for task in sorted(waiting) if self._close_side(*task)}
            if not done:
                names = ", ".join(sorted({m for m, _ in waiting}))
                raise fail(
                    "materials",
                    f"the balance of {names} cannot be closed: a throughput, share, total or closer is missing.",
                )
            waiting -= done
            self._fill_remainders()
        self._take_out_of_use()
        for (process, material), amount in {**self.takes, **self.makes}.items():
            if np.any(amount < 0):
                raise fail(
                    f"processes.{process}",
                    f"the balance of '{material}' needs a negative amount ({amount.min():.4g} t per unit).",
                )

    def _take_out_of_use(self) -> None:
        """Take what plants need `within_sectors` off the use of their country's consumer; totals stay."""
        for name, facility in self.present.items():
            for material, taken in self.world.processes[facility.process].inputs.items():
                if taken.within_sectors is None:
                    continue
                need = self.takes[facility.process, material] * self.throughput[name]
                given = self.use.get((facility.country, material), np.zeros_like(need))
                left = self.use[facility.country, material] = given - need
                if np.any(left <= 0):
                    worst = int(np.argmin(left))
                    raise fail(
                        f"facilities.{name}",
                        f"needs {need[worst] * YEAR:.4g} t/yr of '{material}' within the use of "
                        f"{facility.country}, where {given[worst] * YEAR:.4g} t/yr are left.",
                    )

    def _close_side(self, material: str, side: str) -> bool:
        record = self.world.materials[material]
        if record.total is not None and material not in self.total:
            self.total[material] = self.draws.number(record.total)
        closer = record.supply_closed_by if side == "supply" else record.demand_closed_by
        parts = self._parts(material, side)
        if parts is None:
            return False
        fixed, unknown = parts
        total = self.total.get(material)
        if total is None:
            if unknown or any(self._is_share(name) for name in fixed):
                return False
            self.total[material] = sum(fixed.values(), np.zeros(self.draws.replications))
            self.given[material, side] = self.total[material]
            return True
        return self._apply(material, side, closer, fixed, unknown, total)

    def _is_share(self, name: str) -> bool:
        return name in self.present and name not in self.throughput

    def _coefficient(self, facility: str, material: str, side: str) -> Array | None:
        book = self.makes if side == "supply" else self.takes
        return book.get((self.present[facility].process, material))

    def _parts(self, material: str, side: str) -> tuple[dict[str, Array], list[str]] | None:
        """Return known flows (t/d) by facility or country, and facilities whose flow is unknown; None: not yet."""
        known: dict[str, Array] = {}
        unknown: list[str] = []
        for name in self._makers(material) if side == "supply" else self._takers(material):
            coefficient, facility = self._coefficient(name, material, side), self.present[name]
            if name in self.throughput and coefficient is not None:
                known[name] = self.throughput[name] * coefficient
            elif facility.share is not None and coefficient is not None and material in self.total:
                known[name] = self.draws.number(facility.share) * self.total[material]
            else:
                unknown.append(name)
        if side == "demand":
            known |= {country: use for (country, m), use in self.use.items() if m == material}
        return known, unknown

    def _apply(
        self, material: str, side: str, closer: str, known: dict[str, Array], unknown: list[str], total: Array
    ) -> bool:
        kind, _, name = closer.partition(":")
        flows = self.given[material, side] = sum(known.values(), np.zeros_like(total))
        if kind == "scale":
            if unknown:
                return False
            self._scale(material, side, known, total / flows)
            return True
        if kind == "facility":
            coefficient = self._coefficient(name, material, side)
            if unknown != [name] or coefficient is None:
                return False
            self._solve_facility(material, name, (total - flows) / coefficient)
            return True
        members = [f for f in unknown if self.present[f].process == name]
        if members != unknown or not all(f in self.throughput for f in members):
            return False
        book = self.makes if side == "supply" else self.takes
        book[name, material] = (total - flows) / sum((self.throughput[f] for f in members), np.zeros_like(total))
        return True

    def _solve_facility(self, material: str, name: str, throughput: Array) -> None:
        if np.any(throughput <= 0):
            raise fail(
                f"facilities.{name}",
                f"what is left of '{material}' for it is {throughput.min():.4g} t/d; what is given exceeds the total.",
            )
        self.throughput[name] = throughput

    def _scale(self, material: str, side: str, known: Mapping[str, Array], factor: Array) -> None:
        for name, flow in known.items():
            if name in self.present:
                coefficient = self._coefficient(name, material, side)
                assert coefficient is not None
                self.throughput[name] = flow * factor / coefficient
                self.moved[f"facilities.{name}"] = factor
            else:
                self.use[name, material] = flow * factor
                self.moved[f"consumers.{name}.{material}.use"] = factor
