"""What a process may see of one block: clock, network, numbers, stocks, beliefs, levers and the recorder.

Nodes and policies never import each other; they meet here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import simpy
from numpy.typing import NDArray

from sim.balance import Baseline, offtake_volumes
from sim.calendar import Calendar, Phase
from sim.chains import Chain
from sim.config import schema
from sim.draws import Draws
from sim.gates import Cap, Gates
from sim.growth import Growth
from sim.lanes import Contracts
from sim.levers import Levers
from sim.network import Network
from sim.recorder import Recorder
from sim.state import Beliefs, Stocks
from sim.sums import sum_by_group

Array = NDArray[np.float64]

Steps = Generator[simpy.Event, None, None]
"""A SimPy process: it waits for a phase of each review, then acts."""

LANE_FLOOR = 0.01
"""Old relationships never fall below this share of their baseline: a ban freezes them, it does not erase them."""


@dataclass(frozen=True)
class Habits:
    """Behavioural parameters drawn for a block, each (replication,) (schema.Behaviour has their meaning)."""

    values: Mapping[str, Array]
    v_max: float
    tolerance: float

    @classmethod
    def drawn(cls, behaviour: schema.Behaviour, draws: Draws) -> Habits:
        """Draw every number of a behaviour file."""
        numbers = {name: value for name, value in behaviour if isinstance(value, schema.Number)}
        values = {name: draws.number(number) for name, number in numbers.items()}
        return cls(values, behaviour.v_max.value, behaviour.shortage_tolerance.value)

    def __getattr__(self, name: str) -> Array:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


class World:
    """One block of one scenario while it runs.

    Attributes
    ----------
    env : simpy.Environment
        Its clock counts days; it starts one review early, so that the first wait ends at day 0.
    day : float
        Start of the review in hand.
    review : int
        Index of the review in hand.
    growth : (path, review, replication) float
    throughput : (facility, replication) float, units of the process per day
        Of the last review.
    policies : tuple of str
        Those that hold caps, in the order in which they mark them.
    chains : dict of Chain
        Paths of the escalations, by policy.
    in_force : dict of (replication,) float
        Level in the last review of each policy that another one answers; `coming_in_force` is that of this review.
    """

    def __init__(
        self,
        network: Network,
        gates: Gates,
        baseline: Baseline,
        draws: Draws,
        calendar: Calendar,
        growth: Growth,
        longest_delay: float,
        switches: schema.Switches,
        independent_of: str | None = None,
        policies: tuple[str, ...] = (),
    ) -> None:
        self.calendar, self.network, self.gates, self.baseline, self.draws = (
            calendar,
            network,
            gates,
            baseline,
            draws,
        )
        self.step = calendar.review
        self.env = simpy.Environment(initial_time=-self.step)
        self.switches = switches
        self.growth, self.grown_buyer = growth.paths, growth.of_buyer
        self.habits = Habits.drawn(network.world.behaviour, draws)
        self.throughput = baseline.throughput.copy()
        self.stocks = Stocks(network, baseline, self.step, longest_delay)
        self.beliefs = Beliefs(network, baseline)
        self.levers = Levers(network, gates, draws.replications)
        self.offtake_lanes, self.offtake_of, self.offtake_volume = offtake_volumes(network, draws, baseline)
        self.independent_of, self.policies = independent_of, policies
        self.chains: dict[str, Chain] = {}
        self.in_force: dict[str, Array] = {}
        self.coming_in_force: dict[str, Array] = {}
        self.recorder = Recorder(network, baseline, calendar, draws.replications)
        self.lane_flow = baseline.flow * float(self.step)
        self._offtakes_of = defaultdict[str | None, list[int]](list)
        for number, offtake in enumerate(network.blueprint.offtakes):
            self._offtakes_of[offtake.plant].append(number)
        self.plant_capacity = np.zeros_like(baseline.throughput)
        self.contracts = Contracts(
            baseline.flow, network.lane_ptr, network.lane_buyer,
            self.offtake_lanes, self.offtake_of, self.offtake_volume,
        )  # fmt: skip

    # -- clock --------------------------------------------------------------------------------------

    def next(self, phase: Phase, stage: int = 0) -> simpy.Event:
        """Return the event of this phase in the next review.

        Parameters
        ----------
        phase : Phase
        stage : int
            Order within the phase, for example upstream before downstream; 0 to 999.
        """
        event = simpy.Event(self.env)
        event._ok, event._value = True, None
        self.env.schedule(event, priority=int(phase) * 1000 + stage, delay=self.step)  # type: ignore[arg-type]
        return event

    @property
    def day(self) -> float:
        """Days since the start."""
        return float(self.env.now)

    @property
    def review(self) -> int:
        """Index of the review in hand."""
        return int(self.env.now) // self.step

    @property
    def growth_now(self) -> Array:
        """(material, replication) path of what is made of a material, over its start."""
        return np.asarray(self.growth[: len(self.network.materials), self.review])

    @property
    def growth_of_buyers(self) -> Array:
        """(buyer, replication) path of what each buyer needs, over its start; once lanes have been updated."""
        return self.contracts.growth

    @property
    def lane_normal(self) -> Array:
        """(lane, replication) t/d: what normally flows today, with growth and offtakes, before rescaling."""
        return self.contracts.normal

    @property
    def lane_baseline(self) -> Array:
        """(lane, replication) t/d: the same after rescaling."""
        return self.contracts.scaled

    # -- views that policies use ----------------------------------------------------------------------

    def signal(self, metric: str, material: str, country: str) -> Array:
        """Return a reported quantity of the previous review, (replication,) (see `Recorder.signal`)."""
        return self.recorder.signal(metric, material, country)

    def base_flow(self, cap: Cap) -> Array:
        """Return baseline flow with growth and offtakes, before rescaling, (group, replication), t/d.

        An office counts applications against normal trade; that the buyer found other suppliers takes nothing off it.
        """
        return self._sum_groups(self.lane_normal if cap.lanes.size else self.contracts.flow, cap)

    def last_flow(self, cap: Cap) -> Array:
        """Return what was shipped in the last review, (group, replication), t/d."""
        return self._sum_groups(self.lane_flow, cap) / self.step

    def _sum_groups(self, values: Array, cap: Cap) -> Array:
        return sum_by_group(values, cap.lanes, cap.ptr, np.empty((len(cap.groups), self.draws.replications)))

    def open_plant(self, name: str, capacity: Array, level: Array) -> None:
        """Set how far a plant that opened after the start has ramped up, with its offtakes.

        Parameters
        ----------
        capacity : (replication,) float, units of its process per day
        level : (replication,) float in [0, 1]
        """
        self.open_plants([name], capacity[None], level[None])

    def open_plants(self, names: Sequence[str], capacity: Array, level: Array) -> None:
        """Do as `open_plant` for several, (plant, replication) each."""
        self.plant_capacity[[self.network.facility_index[name] for name in names]] = capacity * level
        offtakes = [(number, i) for i, name in enumerate(names) for number in self._offtakes_of[name]]
        if offtakes:
            numbers, plants = np.array(offtakes).T
            self.levers.open_offtakes(numbers, level[plants])

    # -- relationships --------------------------------------------------------------------------------

    def update_lanes(self) -> None:
        """Bring lane baselines to today's growth and offtakes; a buyer's contracts always sum to the same.

        New lanes enter with their volume times their ramp; all lanes of a buyer that had trade before are
        then rescaled, from the unscaled volumes each time, so that extra contracts do not cheapen a calm market.
        """
        np.take(self.growth[:, self.review], self.grown_buyer, axis=0, out=self.contracts.growth, mode="clip")
        self.contracts.update(self.levers.ramp)
