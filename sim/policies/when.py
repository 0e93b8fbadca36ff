"""When a measure is announced, in force, suspended and over, per replication.

By dates, by triggers on the simulated state, or by the states of an escalation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from sim.chains import Chain
from sim.config.schema import Date, Days, Number, Ratio, Real, Section, reads
from sim.draws import Draws
from sim.errors import did_you_mean
from sim.network import Network
from sim.sums import sum_rows
from sim.world import World

Array = NDArray[np.float64]


class Trigger(Section):
    """A condition on the simulated state, judged per replication on the previous review."""

    metric: Literal["price_pressure", "days_of_cover", "fill_rate", "shortage", "in_force"]
    material: str | None = None
    country: str | None = None
    policy: str | None = Field(None, description="for in_force: the measure that this one answers")
    above: Real | None = None
    below: Annotated[Number, BeforeValidator(lambda raw: _threshold(raw))] | None = None
    until: Real | None = Field(None, description="level at which it lets go; the threshold unless given")
    hold: Days | None = Field(None, alias="for", description="how long the condition must hold")

    @model_validator(mode="after")
    def _one_side(self) -> Trigger:
        if (self.above is None) == (self.below is None):
            raise ValueError("a trigger needs either 'above' or 'below'.")
        if self.metric == "in_force" and (self.policy is None or self.material or self.country):
            raise ValueError("a trigger on 'in_force' needs a 'policy', and neither material nor country.")
        if self.metric != "in_force" and (self.policy or self.material is None or self.country is None):
            raise ValueError(f"a trigger on '{self.metric}' needs a 'material' and a 'country', and no policy.")
        return self

    def read(self, world: World) -> Array:
        """Return what it watches, (replication,)."""
        if self.policy is not None:
            return world.in_force[self.policy]
        assert self.material is not None
        assert self.country is not None
        return world.signal(self.metric, self.material, self.country)

    def problems(self, network: Network) -> Iterator[str]:
        """Yield what is wrong with it in this world; `cases` looks up the names of policies."""
        if self.policy is not None or (self.material, self.country) in network.groups:
            return
        buyers = [country for material, country in network.groups if material == self.material]
        if not buyers:
            hint = did_you_mean(str(self.material), network.materials)
            yield f"when.material: got '{self.material}'. Not a material of this world.{hint}"
        else:
            given, hint = self.country, did_you_mean(str(self.country), buyers)
            yield (
                f"when.country: got '{given}', which buys no {self.material}. Allowed are {', '.join(buyers)}.{hint}"
            )


class Suspension(Section):
    """A time in which a measure is suspended, wholly or in part."""

    begins: Date = Field(alias="from", description="first day of the suspension")
    ends: Date | None = Field(
        None, alias="to", description="day on which the measure is in force again; never if left out"
    )
    share: Ratio = Field(Number(1.0), description="share of the measure that is suspended")
    notice: Days = Field(
        Number(0.0, dimension="d"),
        description="time before its end from which its return is news, as an announcement is",
    )


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
        value = self.trigger.read(world)
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
    after : (replication,) float, d
        From what triggers it to its entry into force.
    pauses : list of (from, to, share, notice), each (replication,) float
        Suspensions; the return is news some days before it.
    """

    announced: Array
    start: Array
    end: Array
    watch: Watch | None = None
    duration: Array | None = None
    not_before: Array | float = -np.inf
    after: Array | float = 0.0
    pauses: list[tuple[Array, Array, Array, Array]] = field(default_factory=list)
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
        self.start = np.where(fired, world.day + self.after, self.start)
        self.announced = np.where(fired, world.day, self.announced)
        if self.duration is not None:
            self.end = np.where(fired, self.start + self.duration, self.end)

    def level(self, world: World) -> Array:
        """Return the share of this review in which the measure is in force."""
        return self.overlap(world, self.start)

    def news(self, world: World) -> Array:
        """Return the share of this review in which it is announced or in force, and not suspended without notice."""
        return self.between(world, np.minimum(self.announced, self.start), self.end, news=True)

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
        """Return the share of this review after ``since`` and before the end, less what is suspended."""
        return self.between(world, since, self.end)

    def between(self, world: World, since: Array, until: Array, news: bool = False) -> Array:
        """Return the share of this review between two days, less what is suspended, of the shape of ``since``.

        With ``news``, a suspension counts up to the notice of its end.
        """
        left, right = np.maximum(world.day, since), np.minimum(world.day + world.step, until)
        level = np.clip((right - left) / world.step, 0.0, 1.0)
        for begins, ends, share, notice in self.pauses:
            if news:  # where it comes back at all
                ends = np.where(until > ends, ends - notice, ends)
            inside = np.clip(np.minimum(right, ends) - np.maximum(left, begins), 0.0, None) / world.step
            level = level - share * inside
        return np.maximum(level, 0.0) if self.pauses else np.asarray(level)

    def dates(self) -> tuple[Array, Array, Array]:
        """Return when it was first announced, first in force and over for good."""
        return self.announced, self.start, self.end


class Spells(Window):
    """A measure that is in force while an escalation is in some of its states, again and again.

    ``announced``, ``start`` and ``end`` are those of the spell in hand, or of the first one before it.
    """

    def __init__(self, chain: Chain, states: tuple[str, ...], after: Array, duration: Array | None, end: Array) -> None:
        never = np.full(after.shape, np.inf)
        super().__init__(never, never, end, after=after, duration=duration)
        self.chain, self.states, self.last = chain, states, end
        self.known: Array | None = None
        self.begins = self.starts = self.ends = never[None]

    def follow(self, world: World) -> None:
        """Lay the spells out once the escalation has begun; name the one in hand."""
        if self.known is not self.chain.start:
            self.known = self.chain.start
            begins, leaves = self.chain.spells(self.states)
            starts = begins + self.after
            ends = np.minimum(leaves, self.last)
            if self.duration is not None:
                ends = np.minimum(ends, starts + self.duration)
            self.begins, self.starts, self.ends = begins, starts, ends
        begun = np.maximum((self.begins < world.day + world.step).sum(axis=0) - 1, 0)
        order = np.argsort(self.begins, axis=0, kind="stable")
        here, each = np.take_along_axis(order, begun[None], axis=0)[0], np.arange(begun.size)
        self.announced, self.start, self.end = self.begins[here, each], self.starts[here, each], self.ends[here, each]

    def asleep(self, world: World) -> bool:
        """Whether no spell can fall into this review."""
        return not (self.begins < world.day + world.step).any()

    def level(self, world: World) -> Array:
        """Return the share of this review in which it is in force, over all spells."""
        return np.asarray(np.minimum(sum_rows(self.between(world, self.starts, self.ends)), 1.0))

    def news(self, world: World) -> Array:
        """Return the share of this review in which it is announced or in force, over all spells."""
        return np.asarray(np.minimum(sum_rows(self.between(world, self.begins, self.ends, news=True)), 1.0))

    def dates(self) -> tuple[Array, Array, Array]:
        """Return the first announcement, the first entry into force and the end of the last spell."""
        real = self.starts < self.ends
        last = np.where(np.isfinite(self.begins), self.ends, -np.inf).max(axis=0)
        return (
            self.begins.min(axis=0),
            np.where(real, self.starts, np.inf).min(axis=0),
            np.where(last == -np.inf, np.inf, last),
        )
