"""What every policy is: a frozen record that validates itself, says what it adds to the world, and acts each review.

A policy sees the world, never another policy, and draws nothing of its own accord. To add one, write one file with
a class under ``@policy("its_type")`` and import it in ``sim/policies/__init__.py`` (docs/how-to/add-a-policy.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from sim.blueprint import Blueprint
from sim.calendar import Phase
from sim.config.schema import Date, Days, Names, Number, Ratio, Section, reads
from sim.errors import did_you_mean
from sim.gates import Cap, CapBook
from sim.network import Network
from sim.policies.end_use import sectors_of, share_of_use
from sim.policies.when import Spells, Suspension, Trigger, Watch, Window
from sim.sums import sum_by_group
from sim.world import Steps, World

Array = NDArray[np.float64]

REGISTRY: dict[str, type[Policy]] = {}
"""Policy classes by type."""

P = TypeVar("P", bound="type[Policy]")


def policy(name: str) -> Callable[[P], P]:
    """Register a policy class under the ``type`` it has in configs."""

    def register(cls: P) -> P:
        REGISTRY[name] = cls
        return cls

    return register


@dataclass
class Held:
    """What a policy holds while it runs: its name and number, its caps, its window, and what it noted.

    Attributes
    ----------
    number : int
        Place among the scenario's policies, in which they act.
    cause : int
        Place among those that hold caps; marks the caps it holds. -1 for none.
    happened : dict of (replication,) float, d
        Dated events for the timeline, such as ``opens``.
    free : (group, replication) float or None, t/d
        Flow in the last review before the measure was in force; `idle` says where it is not.
    """

    name: str
    number: int
    cause: int
    caps: dict[str, Cap]
    window: Window
    happened: dict[str, Array] = field(default_factory=dict)
    free: Array | None = None
    idle: Array | bool = True
    memory: dict[str, Any] = field(default_factory=dict)

    def let_go(self) -> None:
        """Forget the flow before the measure: it is not in force anywhere."""
        self.free, self.idle = None, True


class Policy(Section):
    """Base of all policies."""

    type: str
    title: str | None = Field(None, description="name for readers")
    announced: Date | None = Field(None, description="when it becomes known; the start unless given")
    start: Date | None = Field(None, description="entry into force")
    end: Date | None = Field(None, description="last day; before the start: announced, then withdrawn")
    duration: Days | None = Field(None, description="instead of an end")
    when: Trigger | None = Field(None, description="start on the simulated state; not before 'start' if both are given")
    during: dict[str, Names] | None = Field(
        None, description="instead of a start: an escalation and those of its states in which it is in force"
    )
    after: Days | None = Field(None, description="days from the trigger, or from entry into the state, until in force")
    suspended: tuple[Suspension, ...] = Field((), description="times in which it is suspended, wholly or in part")

    @model_validator(mode="after")
    def _one_start(self) -> Policy:
        if self.during is not None and (self.start is not None or self.when is not None or self.announced is not None):
            raise ValueError("give either 'during', or a 'start' or 'when'; 'after' counts from entry into the state.")
        if self.during is not None and len(self.during) != 1:
            raise ValueError(f"'during' names one escalation; got {', '.join(self.during) or 'none'}.")
        if self.start is None and self.when is None and self.during is None:
            raise ValueError("give a 'start', a 'when', or both (then not before the start); or 'during'.")
        if self.after is not None and self.when is None and self.during is None:
            raise ValueError("'after' needs a 'when' or a 'during'; a 'start' is a date of its own.")
        if self.end is not None and self.duration is not None:
            raise ValueError("give either an 'end' or a 'duration', not both.")
        return self

    # -- before the run -------------------------------------------------------------------------------

    def extend(self, name: str, blueprint: Blueprint) -> None:
        """Add facilities and offtakes to the world; most policies add none."""

    def caps(self, network: Network, book: CapBook) -> dict[str, Cap]:
        """Ask for the limits this policy may hold; most policies hold none."""
        return {}

    @property
    def longest_delay(self) -> float:
        """Longest border delay it may hold, days."""
        return 0.0

    def check(self, network: Network) -> Iterator[str]:
        """Yield what is wrong with it in this world, in plain words."""
        yield from ()

    def problems(self, network: Network) -> Iterator[str]:
        """Yield what is wrong with its trigger, then what `check` finds."""
        if self.when is not None:
            yield from self.when.problems(network)
        yield from self.check(network)

    def window(self, world: World) -> Window:
        """Draw its dates, in days of the run."""
        draws, day = world.draws, world.calendar.day
        never = np.full(draws.replications, np.inf)
        start = never if self.start is None else day(draws.number(self.start))  # type: ignore[arg-type]
        announced = start if self.announced is None else day(draws.number(self.announced))  # type: ignore[arg-type]
        duration = None if self.duration is None else draws.number(self.duration)
        end = np.asarray(never if self.end is None else day(draws.number(self.end)))  # type: ignore[arg-type]
        after = np.zeros(draws.replications) if self.after is None else draws.number(self.after)
        window = Window(np.asarray(announced), np.asarray(start), end, None, duration)
        if self.during is not None:
            ((chain, states),) = self.during.items()
            window = Spells(world.chains[chain], tuple(states), after, duration, end)
        elif self.when is not None:
            not_before = np.asarray(-start if self.start is None else start)
            window = Window(never, never, end, Watch(self.when, draws), duration, not_before, after)
        elif duration is not None:
            window.end = np.asarray(start + duration)
        for pause in self.suspended:
            until = never if pause.ends is None else day(draws.number(pause.ends))  # type: ignore[arg-type]
            begins = day(draws.number(pause.begins))  # type: ignore[arg-type]
            share, notice = draws.number(pause.share), draws.number(pause.notice)
            window.pauses.append((np.asarray(begins), np.asarray(until), share, notice))
        return window

    def prepare(self, world: World) -> None:
        """Make ready what must be followed from the start; called once, before the run."""

    # -- during the run -------------------------------------------------------------------------------

    def enact(self, world: World, held: Held) -> Steps:
        """Act at each review."""
        while True:
            yield world.next(Phase.POLICIES, 10 + held.number)
            held.window.follow(world)
            if held.name in world.coming_in_force:
                world.coming_in_force[held.name] = held.window.level(world)
            self.intervene(world, held)
            self.act(world, held)

    def intervene(self, world: World, held: Held) -> None:
        """Deal with goods under way, before it acts; most policies leave them alone."""

    def act(self, world: World, held: Held) -> None:
        """Hold levers for this review."""
        raise AttributeError(f"policy type '{self.type}' does not say how it acts")

    def timeline(self, held: Held) -> dict[str, Array]:
        """Return its dated events per replication, days of the run (inf: never)."""
        announced, start, end = held.window.dates()
        events = {"announced": announced, "in force": np.where(start < end, start, np.inf)}
        ends = np.where(np.isfinite(events["in force"]) | np.isfinite(end), end, np.inf)
        for number, (begins, until, *_) in enumerate(held.window.pauses, start=1):
            which = "" if len(held.window.pauses) == 1 else f" ({number})"
            inside = (begins < end) & (until > start)
            events[f"suspended{which}"] = np.where(inside, np.maximum(begins, start), np.inf)
            events[f"in force again{which}"] = np.where(inside & (until < end), until, np.inf)
        return {**events, "ends": ends, **held.happened}


class Transshipment(Section):
    """Goods that go round a control through third countries, once that pays."""

    cap: Annotated[Number, reads("1", 0.0, 5.0)] = Field(description="most of it, as a share of normal covered trade")
    cost: Annotated[Number, reads("1", 0.0)] = Field(
        description="what it adds to the price: 0.3 is 30 %; it pays where buyers offer more than that over sellers"
    )
    lag: Days = Field(Number(60.0, dimension="d"), description="time constant in which such trade grows and withers")


class LaneMeasure(Policy):
    """A measure on exports: from whom, to whom, of what, and on which share of the goods."""

    origin: Names = Field(alias="from", description="countries, blocs or facilities whose exports it covers")
    destination: Names | None = Field(None, alias="to", description="to whom; everyone abroad unless given")
    material: Names = Field(description="what is exported")
    except_from: Names | None = Field(None, description="exporters that are free of it, as by a general licence")
    except_to: Names | None = Field(None, description="buyers that are free of it")
    end_use: Names | None = Field(None, description="sectors: only goods that end there are covered")
    coverage: Annotated[Number, reads("1", 0.0, 1.0)] = Field(
        Number(1.0), description="share of the goods that it covers"
    )
    smuggled: Ratio | None = Field(None, description="share of the covered goods that leaves all the same")
    transshipment: Transshipment | None = Field(None, description="what goes round it through third countries")
    under_way: Literal["deliver", "hold", "divert", "return"] = Field(
        "deliver",
        description="covered goods that have left but not arrived when it enters into force are delivered, held until "
        "it ends, sold to the seller's other buyers, or sent back",
    )

    def lanes(self, network: Network) -> NDArray[np.int64]:
        """Return the lanes it covers: those that leave the origin's country."""
        return self.without_exceptions(
            network, network.lanes(self.material, self.origin, self.destination, abroad=True)
        )

    def without_exceptions(self, network: Network, lanes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return lanes less those of exporters and buyers that are free of the measure."""
        for origin, destination in ((self.except_from, None), (None, self.except_to)):
            if origin or destination:
                lanes = np.setdiff1d(lanes, network.lanes(self.material, origin, destination))
        return lanes

    def caps(self, network: Network, book: CapBook) -> dict[str, Cap]:
        """One limit per buyer: a licence or a ban names its user."""
        return {"exports": book.per_buyer(self.lanes(network))}

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error if no lane is covered."""
        unknown = [m for m in self.material if m not in network.material_index]
        if unknown:
            yield f"material: got '{unknown[0]}'. Not a material of this world."
        elif not self.lanes(network).size:
            yield f"no trade in {', '.join(self.material)} leaves {', '.join(self.origin)} for the given destinations."
        known = sectors_of(network)
        for sector in self.end_use or ():
            if sector not in known:
                yield f"end_use: got '{sector}'. Not a sector of this world.{did_you_mean(sector, known)}"

    # -- what it covers -------------------------------------------------------------------------------

    def covered(self, world: World, held: Held) -> Array:
        """Return the share of each group's trade that the measure stops or holds, (group, replication).

        Coverage, times the share that ends in the sectors it names, less what is smuggled.
        """
        if "covered" not in held.memory:
            cap, reps = held.caps["exports"], world.draws.replications
            covered = np.broadcast_to(world.draws.number(self.coverage), (len(cap.groups), reps))
            if self.end_use is not None:
                ends = share_of_use(world, self.end_use)[world.network.lane_buyer]
                part, total = (
                    sum_by_group(np.ascontiguousarray(flow), cap.lanes, cap.ptr, np.empty((len(cap.groups), reps)))
                    for flow in (world.baseline.flow * ends, world.baseline.flow)
                )
                covered = covered * np.divide(part, total, out=np.zeros_like(part), where=total > 0)
            if self.smuggled is not None:
                covered = covered * (1.0 - world.draws.number(self.smuggled))
            held.memory["covered"] = covered
        return np.asarray(held.memory["covered"])

    def warn(self, world: World, held: Held, affected: Array | None = None) -> None:
        """Raise the risk signal from the announcement on.

        Parameters
        ----------
        affected : (group, replication) float, optional
            Share of each group's trade that the measure touches; all of it unless given.
        """
        news = held.window.news(world)
        if news.any():
            cap = held.caps["exports"]
            level = news * (self.covered(world, held) if affected is None else self.covered(world, held) * affected)
            world.levers.warn(cap.lanes, level[cap.group_of])

    def hold(self, world: World, held: Held, level: Array, inside: Array) -> None:
        """Hold the caps of its groups (see `hold_cap`), widened by what goes round them."""
        cap = held.caps["exports"]
        if self.transshipment is not None and level.any():
            inside = inside + self._round(world, held, cap) * world.base_flow(cap) * self.covered(world, held)
        hold_cap(world, held, cap, level, inside)

    def _round(self, world: World, held: Held, cap: Cap) -> Array:
        """Return what goes round the measure as a share of normal covered trade, (group, replication).

        It grows towards its cap while buyers pay more than its cost over what sellers get, and withers otherwise; a
        difference that is larger by a tenth draws all of it.
        """
        assert self.transshipment is not None
        way, draws, network = self.transshipment, world.draws, world.network
        buyers, sellers = network.lane_buyer[cap.lanes], network.lane_supplier[cap.lanes]
        gain = np.zeros((len(cap.groups), draws.replications))
        np.maximum.at(gain, cap.group_of, world.beliefs.price[buyers] - world.beliefs.shadow[sellers])
        pays = np.clip((gain - np.log1p(draws.number(way.cost))) / 0.1, 0.0, 1.0)
        weight = 1.0 - np.exp(-world.step / np.maximum(draws.number(way.lag), 1e-9))
        before = held.memory.get("round", np.zeros_like(gain))
        held.memory["round"] = before + weight * (pays - before)
        return np.asarray(held.memory["round"] * draws.number(way.cap))

    # -- goods under way ------------------------------------------------------------------------------

    def prepare(self, world: World) -> None:
        """Have the goods on its lanes followed, if it stops them."""
        if self.under_way != "deliver":
            world.stocks.track(self.lanes(world.network))

    def intervene(self, world: World, held: Held) -> None:
        """Stop what is under way where the measure enters into force now; let go what it held where it is over."""
        if self.under_way == "deliver" or "exports" not in held.caps:
            return
        now, cap = held.window.level(world) > 0.0, held.caps["exports"]
        before = held.memory.get("was_in_force", np.zeros_like(now))
        held.memory["was_in_force"] = now
        if (now & ~before).any():
            share = (self.covered(world, held) * (now & ~before))[cap.group_of]
            world.stocks.stop(cap.lanes, np.ascontiguousarray(share), self.under_way, world.lane_baseline)
        if self.under_way == "hold" and (before & ~now).any():
            world.stocks.let_go(cap.lanes, before & ~now)


def hold_cap(world: World, held: Held, cap: Cap, level: Array, inside: Array) -> None:
    """Hold a cap that is in force for part of a review.

    ``A = D ((1 - level) unrestricted + level inside)``; where the level is 0 nothing is held.

    Parameters
    ----------
    level : (replication,) or (group, replication) float
        Share of the review in which the cap is in force.
    inside : (group, replication) float, t/d
        The cap while it is in force.
    """
    if not level.any():
        held.let_go()
        return
    before = world.last_flow(cap)
    free = before if held.free is None else np.where(held.idle, before, held.free)
    held.free, held.idle = free, level == 0.0
    amount = float(world.step) * ((1.0 - level) * free + level * inside)
    world.levers.cap(cap, np.where(level > 0, amount, np.inf), held.cause)


def build(raw: Mapping[str, Any]) -> type[Policy] | None:
    """Return the class of a raw policy, or None if its type is unknown."""
    return REGISTRY.get(str(raw.get("type")))
