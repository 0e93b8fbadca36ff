"""escalation: a conflict moves through named states by chance, and other policies are in force in some of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from sim.calendar import Calendar
from sim.chains import Chain, walk
from sim.config.schema import Names, Number, reads
from sim.draws import Draws
from sim.errors import ConfigError, Problem
from sim.network import Network
from sim.policies.base import Held, Policy, policy
from sim.world import World

Rate = Annotated[Number, reads("1", 0.0)]


@policy("escalation")
class Escalation(Policy):
    """A continuous-time Markov chain over states; it acts only through policies that say ``during``.

    It enters the first state when it starts. From state i it jumps to j at ``rates.i.j`` per year: the mean stay is
    ``1 / sum_j rates.i.j`` years. Waits are unit exponentials keyed by jump, so that scenarios share their luck.
    """

    states: Names = Field(description="names of the states; the first is the one it starts in")
    rates: dict[str, dict[str, Rate]] = Field(description="state: {next state: jumps per year}")

    @model_validator(mode="after")
    def _known_states(self) -> Escalation:
        if len(set(self.states)) != len(self.states):
            raise ValueError("states: each name may stand once.")
        for source, targets in self.rates.items():
            for state in (source, *targets):
                if state not in self.states:
                    raise ValueError(f"rates: got '{state}', which is not one of the states {', '.join(self.states)}.")
            if source in targets:
                raise ValueError(f"rates: '{source}' cannot jump to itself.")
        return self

    def check(self, network: Network) -> Iterator[str]:
        """Yield an error for states that are never reached."""
        reached, found = {self.states[0]}, True
        while found:
            new = {to for state in reached for to in self.rates.get(state, {})} - reached
            found, reached = bool(new), reached | new
        lost = [state for state in self.states if state not in reached]
        if lost:
            yield f"states: no path of 'rates' leads from '{self.states[0]}' to {', '.join(lost)}."

    def chain(self, draws: Draws, name: str, calendar: Calendar) -> Chain:
        """Return its path in every replication; ``start`` is set once it starts."""
        rates = {i: {j: draws.number(rate) for j, rate in targets.items()} for i, targets in self.rates.items()}
        try:
            return walk(draws, name, self.states, rates, float(calendar.horizon))
        except ValueError as error:
            raise ConfigError([Problem(f"policies.{name}.rates", str(error))]) from None

    def act(self, world: World, held: Held) -> None:
        """Say when the chain starts; note when each state is first entered."""
        chain = world.chains[held.name]
        if chain.start is held.window.start and chain.over is held.window.end:
            return
        chain.start, chain.over = held.window.start, held.window.end
        for state in self.states:
            begins, _ = chain.spells([state])
            held.happened[f"enters {state}"] = np.asarray(begins.min(axis=0))
