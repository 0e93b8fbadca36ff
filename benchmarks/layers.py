"""Says which layer of the engine a run spends its time in; for runs of their own, because the clock costs time, too.

SimPy's events carry their phase as priority, so the time of a phase is the time of its events. Recording happens
within other phases; its methods are clocked by themselves and taken out of the phase that called them.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import simpy

from sim.calendar import Phase
from sim.compiled import Kernel
from sim.draws import BLOCK_SIZE
from sim.engine import Case, run_block
from sim.nodes.independence import Independence
from sim.parts import reduce
from sim.recorder import Recorder
from sim.sectors import Sectors

LAYERS = ("kernel", "build", "policies", "production", "consumption", "markets", "recording")
"""`kernel` clears the markets, `markets` is all else in them; `build` is what a block does before its first review."""

LAYER_OF = {
    Phase.ARRIVALS: "markets",
    Phase.POLICIES: "policies",
    Phase.HAZARDS: "policies",
    Phase.PRODUCTION: "production",
    Phase.CONSUMPTION: "consumption",
    Phase.STOCKPILES: "policies",
    Phase.MARKETS: "markets",
    Phase.RECORDING: "recording",
}
RECORDERS = ((Recorder, ("note_", "close_")), (Sectors, ("note_",)), (Independence, ("update",)))
RECORDING_KERNELS = ("attribute",)
"""What compiled code of other layers is there for the record only: causes of prices."""


class Stopwatch:
    """Processor seconds by layer; what one layer does within another counts for itself only."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stack: list[str] = []
        self._last = time.process_time()

    def _book(self) -> None:
        now = time.process_time()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._last
        self._last = now

    @contextmanager
    def within(self, layer: str) -> Iterator[None]:
        """Clock what is done inside for a layer."""
        self._book()
        self._stack.append(layer)
        try:
            yield
        finally:
            self._book()
            self._stack.pop()

    def clocked(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is clocked for a layer."""

        def run(*arguments: Any, **named: Any) -> Any:
            with self.within(layer):
                return function(*arguments, **named)

        return run


@contextmanager
def watched(watch: Stopwatch) -> Iterator[None]:
    """Clock every event of SimPy, and recording by itself, while it lasts."""
    plain = Kernel.__call__

    def run(env: simpy.Environment, until: float) -> None:
        while env.peek() < until:
            phase = env._queue[0][1] // 1000
            with watch.within(LAYER_OF[Phase(phase)] if phase else "build"):
                env.step()

    def call(kernel: Kernel, *arguments: Any) -> Any:
        if kernel.function.__name__ not in RECORDING_KERNELS:
            return plain(kernel, *arguments)
        with watch.within("recording"):
            return plain(kernel, *arguments)

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(simpy.Environment, "run", run))
        patches.enter_context(mock.patch.object(Kernel, "__call__", call))
        for owner, starts in RECORDERS:
            for name in [name for name in vars(owner) if name.startswith(starts)]:
                clocked = watch.clocked("recording", getattr(owner, name))
                patches.enter_context(mock.patch.object(owner, name, clocked))
        yield


def shares(case: Case, seed: int, replications: int) -> dict[str, float]:
    """Return the share of each layer in the time of some replications of a case."""
    watch, kernel = Stopwatch(), 0.0
    with watched(watch):
        for block, first in enumerate(range(0, replications, BLOCK_SIZE)):
            with watch.within("build"):
                made = run_block(case, seed, block, min(BLOCK_SIZE, replications - first))
            with watch.within("recording"):
                reduce(case, made)
            kernel += made.seconds["kernel"]
    seconds = {layer: watch.seconds[layer] for layer in LAYERS}
    seconds["kernel"] = kernel
    seconds["markets"] -= kernel
    total = sum(seconds.values())
    return {layer: value / total for layer, value in seconds.items()}
