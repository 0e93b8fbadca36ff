"""Paths of an escalation: a continuous-time Markov chain over named states, drawn once per replication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.draws import Draws

Array = NDArray[np.float64]
Index = NDArray[np.int64]

MOST_JUMPS = 400
"""A chain that jumps more often than this within a run is refused."""


@dataclass
class Chain:
    """Which state holds when.

    Attributes
    ----------
    states : tuple of str
    start : (replication,) float, d
        Day of the run on which the first state is entered; inf until it is.
    entered : (spell, replication) float, d
        When each spell begins, after the start; inf for spells beyond the run.
    state : (spell, replication) int
    over : (replication,) float, d
        Day of the run on which it ends, in whatever state; inf for never.
    """

    states: tuple[str, ...]
    start: Array
    entered: Array
    state: Index
    over: Array

    def spells(self, states: Sequence[str]) -> tuple[Array, Array]:
        """Return when the chain enters and leaves a set of states, each (spell, replication), days of the run.

        Neighbouring spells in the set are one: a measure that both states hold goes on. inf where there is none.
        """
        inside = np.isin(self.state, [self.states.index(name) for name in states]) & np.isfinite(self.entered)
        leaves = np.concatenate([self.entered[1:], np.full((1, self.entered.shape[1]), np.inf)])
        first = inside.copy()
        first[1:] &= ~inside[:-1]
        for k in range(len(inside) - 2, -1, -1):
            leaves[k] = np.where(inside[k] & inside[k + 1], leaves[k + 1], leaves[k])
        begins = self.entered + self.start
        real = first & (begins < self.over)
        return np.where(real, begins, np.inf), np.where(real, np.minimum(leaves + self.start, self.over), np.inf)


def walk(
    draws: Draws, name: str, states: Sequence[str], rates: Mapping[str, Mapping[str, Array]], horizon: float
) -> Chain:
    """Draw a chain that begins in the first state.

    The sojourn in state i is exponential with rate ``sum_j rates[i][j]`` and the next state is j with probability
    ``rates[i][j] / sum`` (Norris 1997, chapter 2). Draws are keyed by jump, so that other rates share their luck.

    Parameters
    ----------
    rates : state -> state -> (replication,) float, jumps per year
    horizon : float, d

    Returns
    -------
    Chain
        With ``start`` inf; who runs it says when it begins.

    Raises
    ------
    ValueError
        If a replication jumps more than `MOST_JUMPS` times within the horizon.
    """
    reps = draws.replications
    table = np.zeros((len(states), len(states), reps))
    for source, targets in rates.items():
        for target, rate in targets.items():
            table[states.index(source), states.index(target)] = rate
    never = np.full(reps, np.inf)
    here, now, each = np.zeros(reps, dtype=np.int64), np.zeros(reps), np.arange(reps)
    entered, state = [now], [here]
    for jump in range(MOST_JUMPS):
        out = table[here, :, each].T
        total = np.cumsum(out, axis=0)
        leaving = total[-1] > 0
        wait = -np.log1p(-draws.uniform(f"policies.{name}", f"wait {jump}")) * 365.25
        stay = np.divide(wait, total[-1], out=np.full(reps, np.inf), where=leaving)
        pick = draws.uniform(f"policies.{name}", f"jump {jump}") * total[-1]
        now = now + stay
        now = np.where(now < horizon, now, np.inf)
        here = np.where(leaving, np.minimum((pick >= total).argmin(axis=0), len(states) - 1), here)
        if not np.isfinite(now).any():
            return Chain(tuple(states), never, np.array(entered), np.array(state), never)
        entered.append(now)
        state.append(here)
    raise ValueError(f"jumps more than {MOST_JUMPS} times within the run; give lower rates.")
