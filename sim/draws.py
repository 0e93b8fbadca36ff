"""Random streams and parameter designs, keyed by what they are for, never by call order.

Every stream belongs to (seed, entity, purpose, block), so scenarios share their luck (common random
numbers) and a scenario that adds a parameter leaves the draws of the others alone. Blocks have a fixed
size; a shorter last block uses the first replications of a full one.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.config.schema import Lifetime, Number
from sim.errors import did_you_mean

BLOCK_SIZE = 128
"""Replications in a block: part of a run's identity."""

COMMON_LAWS = {"expon": (), "lognorm": ("s",), "weibull_min": ("c",), "gamma": ("a",)}
"""Lifetimes known to be above 0 with a finite mean, and their shape parameters."""

Array = NDArray[np.float64]


class Draws:
    """Random numbers of one block of replications.

    Parameters
    ----------
    seed : int
    block : int
        Index of the block in the run.
    replications : int
        Replications wanted of this block, at most `BLOCK_SIZE`.
    uncertain : bool
        Whether ranges of configured numbers are drawn; otherwise every number is its central value.
    """

    def __init__(self, seed: int, block: int, replications: int = BLOCK_SIZE, uncertain: bool = True) -> None:
        if not 0 < replications <= BLOCK_SIZE:
            raise ValueError(f"a block holds 1 to {BLOCK_SIZE} replications, got {replications}")
        self.seed, self.block, self.replications, self.uncertain = seed, block, replications, uncertain
        self._keyed = np.random.Generator(np.random.Philox(key=0))
        self._fresh = self._keyed.bit_generator.state
        self._drawn: dict[int, tuple[Number, Array]] = {}  # by identity: numbers are asked for at every review
        self._columns: dict[tuple[str, str], Array] = {}

    def stream(self, entity: str, purpose: str) -> np.random.Generator:
        """Return the generator of (seed, entity, purpose, block)."""
        return np.random.Generator(np.random.Philox(key=self._key(entity, purpose)))

    def _key(self, entity: str, purpose: str) -> NDArray[np.uint64]:
        text = f"{self.seed}|{entity}|{purpose}|{self.block}".encode()
        return np.frombuffer(hashlib.blake2b(text, digest_size=16).digest(), dtype=np.uint64)

    def _at(self, entity: str, purpose: str) -> np.random.Generator:
        """Return a generator with the numbers of `stream`, good until the next call: a new one takes longer to make."""
        fresh: dict[str, Any] = dict(self._fresh)
        fresh["state"] = {"counter": np.zeros(4, dtype=np.uint64), "key": self._key(entity, purpose)}
        self._keyed.bit_generator.state = fresh
        return self._keyed

    def uniform(self, entity: str, purpose: str) -> Array:
        """Return a Latin hypercube column: one draw in each of the block's strata, shuffled.

        Returns
        -------
        (replication,) float in (0, 1), read-only
            McKay, Beckman and Conover (1979), one dimension per key.
        """
        if (entity, purpose) not in self._columns:
            generator = self._at(entity, purpose)
            column = (generator.permutation(BLOCK_SIZE) + generator.random(BLOCK_SIZE)) / BLOCK_SIZE
            column.setflags(write=False)
            self._columns[entity, purpose] = column[: self.replications]
        return self._columns[entity, purpose]

    def number(self, number: Number) -> Array:
        """Return a configured number per replication: drawn over its range, else its value.

        Returns
        -------
        (replication,) float, base unit of the number
        """
        known = self._drawn.get(id(number))
        if known is None:
            drawn = number.uncertain and self.uncertain
            values = (
                quantile(number, self.uniform(number.address, "range"))
                if drawn
                else np.full(self.replications, number.value)
            )
            values.setflags(write=False)
            known = self._drawn[id(number)] = number, values
        return known[1]

    @property
    def ranges(self) -> dict[str, Array]:
        """Every number drawn over a range so far, by address, each (replication,)."""
        return {number.address: values for number, values in self._drawn.values() if number.uncertain}

    def normal(self, entity: str, purpose: str, count: int) -> Array:
        """Return standard normals, shape ``(count, replication)``."""
        return np.asarray(self._at(entity, purpose).standard_normal((count, BLOCK_SIZE))[:, : self.replications])

    def lifetimes(self, entity: str, purpose: str, lifetime: Lifetime, mean: Array, count: int) -> Array:
        """Return durations of a `Lifetime` scaled to a mean per replication.

        Parameters
        ----------
        mean : (replication,) float, d
        count : int
            Successive durations per replication.

        Returns
        -------
        (count, replication) float, d
        """
        shape = tuple(sorted(lifetime.shape.items()))
        law, unit_mean = _law(lifetime.dist, shape)
        u = self._at(entity, purpose).random((count, BLOCK_SIZE))[:, : self.replications]
        plain = _plain_quantile(lifetime.dist, dict(shape), u)
        times = np.asarray(law.ppf(u) if plain is None else plain)
        times *= mean / unit_mean
        return times


@lru_cache(maxsize=256)
def _law(name: str, shape: tuple[tuple[str, float], ...]) -> tuple[Any, float]:
    """Return a distribution of scipy.stats with its shape, and its mean."""
    from scipy import stats  # takes a second to load, and checking a file draws nothing

    frozen = getattr(stats, name)(**dict(shape))
    return frozen, float(frozen.mean())


def _plain_quantile(name: str, shape: dict[str, float], u: Array) -> Array | None:
    """Return what ``scipy.stats`` gives for the laws used most, to the last bit, without its checks of arguments.

    With thousands of facilities those checks cost several times the numbers themselves. None for other laws.
    """
    from scipy import special

    if name == "expon" and not shape:
        times = special.log1p(np.negative(u))
        return np.asarray(np.negative(times, out=times))
    if name == "lognorm" and tuple(shape) == ("s",):
        times = special.ndtri(u)
        times *= shape["s"]
        return np.asarray(np.exp(times, out=times))
    return None


def quantile(number: Number, u: Array) -> Array:
    """Return the quantiles of a configured range.

    Parameters
    ----------
    number : Number
        With a range; triangular has its mode at the value.
    u : (replication,) float in (0, 1)
    """
    low, high = number.low, number.high
    assert low is not None and high is not None
    if number.dist == "uniform":
        return np.asarray(low + u * (high - low))
    if number.dist == "loguniform":
        return np.asarray(low * (high / low) ** u)
    mode = (number.value - low) / (high - low)
    rising = low + np.sqrt(u * mode) * (high - low)
    falling = high - np.sqrt((1 - u) * (1 - mode)) * (high - low)
    return np.asarray(np.where(u < mode, rising, falling))


def lifetime_problem(lifetime: Lifetime) -> tuple[str, str] | None:
    """Return the key of a `Lifetime` that cannot be drawn from and what is wrong with it, or None."""
    if tuple(lifetime.shape) == COMMON_LAWS.get(lifetime.dist) and all(v > 0.0 for v in lifetime.shape.values()):
        return None
    from scipy import stats

    laws = [name for name in dir(stats) if isinstance(getattr(stats, name), stats.rv_continuous)]
    if lifetime.dist not in laws:
        hint = did_you_mean(lifetime.dist, laws)
        return "dist", f"got '{lifetime.dist}'. Not a continuous distribution of scipy.stats.{hint}"
    shapes = getattr(stats, lifetime.dist).shapes
    wanted = shapes.split(", ") if shapes else []
    if set(lifetime.shape) != set(wanted):
        given = ", ".join(lifetime.shape) or "none"
        allowed = ", ".join(wanted) or "none"
        return "shape", f"got {given}. The shape parameters of '{lifetime.dist}' are: {allowed}."
    law, mean = _law(lifetime.dist, tuple(sorted(lifetime.shape.items())))
    if not np.isfinite(mean) or mean <= 0.0 or not law.support()[0] >= 0.0:
        shape = ", ".join(f"{name} {value:g}" for name, value in lifetime.shape.items()) or "its standard form"
        return "dist", f"got '{lifetime.dist}' with {shape}. Durations need a distribution above 0 with a finite mean."
    return None
