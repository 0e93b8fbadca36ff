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
from pydantic import BeforeValidator, Field, model_validator

from sim.blueprint import Blueprint
from sim.calendar import Phase
from sim.config.schema import Date, Days, Names, Number, Real, Section, reads
from sim.draws import Draws
from sim.errors import did_you_mean
from sim.gates import Cap, CapBook
from sim.network import Network
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


class Trigger(Section):
    """A condition on the simulated state, judged per replication on the previous review."""

    metric: Literal["price_pressure", "days_of_cover", "fill_rate", "shortage"]
    material: str
    country: str
    above: Real | None = None
    below: Annotated[Number, BeforeValidator(lambda raw: _threshold(raw))] | None = None
    until: Real | None = Field(None, description="level at which it lets go; the threshold unless given")
    hold: Days | None = Field(None, alias="for", description="how long the condition must hold")

    @model_validator(mode="after")
    def _one_side(self) -> Trigger:
        if (self.above is None) == (self.below is None):
            raise ValueError("a trigger needs either 'above' or 'below'.")
        return self


def _threshold(raw: object) -> object:
    """Let a days-of-cover threshold be written ``30 d``."""
    if isinstance(raw, str) and raw.strip().endswith("d"):
        return Number(float(raw.strip().removesuffix("d")), dimension="1")
    return reads("1", None).func(raw)  # type: ignore[call-arg]


class Watch:
    """State of a trigger while it runs, per replication."""

    def __init__(self, trigger: Trigger, draws: Draws) -> None:
        number = trigger.above if trigger.above is not None else trigger.below
        assert number is not None
        self.trigger = trigger
        self.threshold = draws.number(number)
        self.until = draws.number(trigger.until) if trigger.until is not None else self.threshold
        self.hold = draws.number(trigger.hold) if trigger.hold is not None else np.zeros(draws.replications)
        self.held = np.zeros(draws.replications)
        self.active = np.zeros(draws.replications, dtype=bool)

    def update(self, world: World) -> NDArray[np.bool_]:
        """Judge the previous review; return where the trigger holds."""
        value = world.signal(self.trigger.metric, self.trigger.material, self.trigger.country)
        rising = self.trigger.above is not None
        beyond = value > self.threshold if rising else value < self.threshold
        past = value <= self.until if rising else value >= self.until
        self.held = np.where(beyond, self.held + world.step, 0.0)
        self.active = np.where(self.active, ~past, beyond & (self.held > self.hold))
        return self.active


@dataclass
class Window:
    """When a measure is announced, in force and over, per replication, in days of the run.

    Attributes
    ----------
    announced, start, end : (replication,) float, d
        inf where it never happens.
    """

    announced: Array
    start: Array
    end: Array
    watch: Watch | None = None
    duration: Array | None = None
    not_before: Array | float = -np.inf
    allowed: NDArray[np.bool_] | bool = True
    _span: tuple[float, float] | None = None

    @property
    def holds(self) -> NDArray[np.bool_]:
        """Where the trigger holds now, (replication,)."""
        assert self.watch is not None
        return self.watch.active & self.allowed

    def follow(self, world: World) -> None:
        """Let a trigger that fires now start the measure; called once a review."""
        if self.watch is None:
            return
        self.allowed = np.asarray(world.day >= self.not_before)
        fired = self.watch.update(world) & self.allowed & np.isinf(self.start)
        if not fired.any():
            return
        self.start = np.where(fired, world.day, self.start)
        self.announced = np.where(fired, world.day, self.announced)
        if self.duration is not None:
            self.end = np.where(fired, world.day + self.duration, self.end)

    def level(self, world: World) -> Array:
        """Return the share of this review in which the measure is in force."""
        return self.overlap(world, self.start)

    def news(self, world: World) -> Array:
        """Return the share of this review in which the measure is announced or in force."""
        return self.overlap(world, np.minimum(self.announced, self.start))

    def asleep(self, world: World) -> bool:
        """Whether nothing of the measure, its announcement included, falls into this review anywhere."""
        if self.watch is not None:
            return False
        if self._span is None:
            since = np.minimum(self.announced, self.start)
            ever = since < self.end
            self._span = float(since[ever].min(initial=np.inf)), float(self.end[ever].max(initial=-np.inf))
        return world.day + world.step <= self._span[0] or world.day >= self._span[1]

    def overlap(self, world: World, since: Array) -> Array:
        """Return the share of this review after ``since`` and before the end."""
        left, right = np.maximum(world.day, since), np.minimum(world.day + world.step, self.end)
        return np.asarray(np.clip((right - left) / world.step, 0.0, 1.0))


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

    @model_validator(mode="after")
    def _one_start(self) -> Policy:
        if self.start is None and self.when is None:
            raise ValueError("give a 'start', a 'when', or both (then not before the start).")
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
        if self.when is not None and (self.when.material, self.when.country) not in network.groups:
            buyers = [country for material, country in network.groups if material == self.when.material]
            if not buyers:
                hint = did_you_mean(self.when.material, network.materials)
                yield f"when.material: got '{self.when.material}'. Not a material of this world.{hint}"
            else:
                given, hint = self.when.country, did_you_mean(self.when.country, buyers)
                yield (
                    f"when.country: got '{given}', which buys no {self.when.material}. "
                    f"Allowed are {', '.join(buyers)}.{hint}"
                )
        yield from self.check(network)

    def window(self, world: World) -> Window:
        """Draw its dates, in days of the run."""
        draws, day = world.draws, world.calendar.day
        never = np.full(draws.replications, np.inf)
        start = never if self.start is None else day(draws.number(self.start))  # type: ignore[arg-type]
        announced = start if self.announced is None else day(draws.number(self.announced))  # type: ignore[arg-type]
        duration = None if self.duration is None else draws.number(self.duration)
        end = never if self.end is None else day(draws.number(self.end))  # type: ignore[arg-type]
        if self.when is not None:
            not_before = -start if self.start is None else start
            return Window(never, never, np.asarray(end), Watch(self.when, draws), duration, np.asarray(not_before))
        if duration is not None:
            end = start + duration
        return Window(np.asarray(announced), np.asarray(start), np.asarray(end), None, duration)

    # -- during the run -------------------------------------------------------------------------------

    def enact(self, world: World, held: Held) -> Steps:
        """Act at each review."""
        while True:
            yield world.next(Phase.POLICIES, 10 + held.number)
            held.window.follow(world)
            self.act(world, held)

    def act(self, world: World, held: Held) -> None:
        """Hold levers for this review."""
        raise AttributeError(f"policy type '{self.type}' does not say how it acts")

    def timeline(self, held: Held) -> dict[str, Array]:
        """Return its dated events per replication, days of the run (inf: never)."""
        window = held.window
        events = {
            "announced": window.announced,
            "in force": np.where(window.start < window.end, window.start, np.inf),
        }
        ends = np.where(np.isfinite(events["in force"]) | np.isfinite(window.end), window.end, np.inf)
        return {**events, "ends": ends, **held.happened}


class LaneMeasure(Policy):
    """A measure on exports: from whom, to whom, of what, and on which share of the goods."""

    origin: Names = Field(alias="from", description="countries, blocs or facilities whose exports it covers")
    destination: Names | None = Field(None, alias="to", description="to whom; everyone abroad unless given")
    material: Names = Field(description="what is exported")
    coverage: Annotated[Number, reads("1", 0.0, 1.0)] = Field(
        Number(1.0), description="share of the goods that it covers"
    )

    def lanes(self, network: Network) -> NDArray[np.int64]:
        """Return the lanes it covers: those that leave the origin's country."""
        return network.lanes(self.material, self.origin, self.destination, abroad=True)

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
            level = news * world.draws.number(self.coverage)
            world.levers.warn(cap.lanes, level if affected is None else level * affected[cap.group_of])


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
