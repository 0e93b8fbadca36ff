"""Random streams belong to what they are for, never to call order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sim.config.schema import Lifetime, Number
from sim.draws import BLOCK_SIZE, Draws, lifetime_problem, quantile

RANGE = Number(2.0, 1.0, 4.0, address="behaviour.some")


def test_draws_do_not_depend_on_what_was_drawn_before() -> None:
    one, other = Draws(1, 0), Draws(1, 0)
    other.normal("elsewhere", "noise", 50)
    other.number(Number(5.0, 1.0, 9.0, address="behaviour.new"))
    assert np.array_equal(one.number(RANGE), other.number(RANGE))
    assert np.array_equal(one.normal("a", "noise", 3), other.normal("a", "noise", 3))


@pytest.mark.parametrize("changed", [{"seed": 2}, {"block": 1}])
def test_seed_and_block_count(changed: dict[str, int]) -> None:
    key = {"seed": 1, "block": 0}
    one, other = Draws(**key), Draws(**{**key, **changed})
    assert not np.array_equal(one.number(RANGE), other.number(RANGE))
    assert not np.array_equal(one.normal("a", "b", 2), other.normal("a", "b", 2))


def test_entity_and_purpose_count() -> None:
    draws = Draws(1, 0)
    first = draws.normal("a", "b", 2)
    assert not np.array_equal(first, draws.normal("a", "c", 2))
    assert not np.array_equal(first, draws.normal("b", "b", 2))


def test_a_short_block_has_the_first_replications_of_a_full_one() -> None:
    full, short = Draws(1, 0), Draws(1, 0, 5)
    assert np.array_equal(full.number(RANGE)[:5], short.number(RANGE))
    assert np.array_equal(full.normal("a", "b", 3)[:, :5], short.normal("a", "b", 3))
    life, mean = Lifetime(mean=Number(10.0)), np.full(BLOCK_SIZE, 10.0)
    assert np.array_equal(full.lifetimes("a", "b", life, mean, 4)[:, :5], short.lifetimes("a", "b", life, mean[:5], 4))


def test_a_full_block_is_a_latin_hypercube() -> None:
    """One draw in each of 128 strata of equal probability (McKay, Beckman and Conover 1979)."""
    column = Draws(1, 0).uniform("behaviour.some", "range")
    assert sorted((column * BLOCK_SIZE).astype(int)) == list(range(BLOCK_SIZE))


@pytest.mark.parametrize(
    ("number", "exact"),
    [
        (Number(2.0, 1.0, 4.0, "uniform"), stats.uniform(1.0, 3.0)),
        (Number(2.0, 1.0, 4.0, "loguniform"), stats.loguniform(1.0, 4.0)),
        (Number(2.0, 1.0, 4.0, "triangular"), stats.triang(1.0 / 3.0, 1.0, 3.0)),
        (Number(1.0, 1.0, 4.0, "triangular"), stats.triang(0.0, 1.0, 3.0)),
        (Number(4.0, 1.0, 4.0, "triangular"), stats.triang(1.0, 1.0, 3.0)),
    ],
)
def test_ranges_have_the_distribution_they_name(number: Number, exact: stats.rv_continuous) -> None:
    u = np.linspace(0.001, 0.999, 99)
    assert quantile(number, u) == pytest.approx(exact.ppf(u), rel=1e-12)


def test_what_is_certain_is_not_drawn() -> None:
    draws = Draws(1, 0, 4)
    assert np.array_equal(draws.number(Number(2.0)), np.full(4, 2.0))
    assert np.array_equal(draws.number(Number(2.0, 2.0, 2.0, address="b")), np.full(4, 2.0))
    assert np.array_equal(Draws(1, 0, 4, uncertain=False).number(RANGE), np.full(4, 2.0))
    assert draws.ranges == {}


def test_ranges_drawn_are_reported_by_address() -> None:
    draws = Draws(1, 0, 4)
    values = draws.number(RANGE)
    assert list(draws.ranges) == ["behaviour.some"]
    assert np.array_equal(draws.ranges["behaviour.some"], values)
    with pytest.raises(ValueError, match="read-only"):
        values[0] = 0.0


@pytest.mark.parametrize("dist", ["expon", "lognorm", "gamma", "weibull_min"])
def test_lifetimes_have_the_mean_asked_for(dist: str) -> None:
    shape = {"lognorm": {"s": 1.0}, "gamma": {"a": 2.0}, "weibull_min": {"c": 1.5}}.get(dist, {})
    life = Lifetime(dist=dist, mean=Number(30.0), shape=shape)
    found = Draws(1, 0).lifetimes("plant", "repair time", life, np.full(BLOCK_SIZE, 30.0), 400)
    assert found.mean() == pytest.approx(30.0, abs=4 * found.std() / np.sqrt(found.size))
    assert found.min() > 0


@pytest.mark.parametrize("count", [0, -1, BLOCK_SIZE + 1])
def test_a_block_has_a_size(count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to {BLOCK_SIZE} replications, got {count}"):
        Draws(1, 0, count)


def test_lifetime_problems() -> None:
    mean = Number(100.0, dimension="d")
    assert lifetime_problem(Lifetime(mean=mean)) is None
    assert lifetime_problem(Lifetime(dist="weibull_min", mean=mean, shape={"c": 1.5})) is None
    assert lifetime_problem(Lifetime(dist="expnential", mean=mean)) is not None
    assert lifetime_problem(Lifetime(dist="binom", mean=mean)) is not None
