"""The exponential of compiled loops is exact to rounding, alone and in rows of any length."""

import numpy as np
import numpy.typing as npt
import pytest

from sim.compiled import exponential, njit

Array = npt.NDArray[np.float64]


@njit(error_model="numpy")
def fill(x: Array, out: Array) -> None:
    """Fill ``out`` with exp(x)."""
    for i in range(x.size):
        out[i] = exponential(x[i])


def exponentials(x: Array) -> Array:
    out = np.empty_like(x)
    fill(x, out)
    return out


def test_it_is_exact_to_rounding() -> None:
    x = np.concatenate([np.linspace(-690.0, 690.0, 4001), np.linspace(-1.0, 1.0, 4001), [0.0, 1e-300, -1e-17]])
    assert exponentials(x) == pytest.approx(np.exp(x), rel=5e-16, abs=0.0)
    assert exponentials(np.zeros(5)).tolist() == [1.0] * 5


def test_it_is_held_within_bounds_and_keeps_what_is_not_a_number() -> None:
    out = exponentials(np.array([-np.inf, -1e4, 1e4, np.inf, np.nan, 0.0, np.nan, np.nan]))
    assert out[:4] == pytest.approx(np.exp([-700.0, -700.0, 700.0, 700.0]))
    assert np.isnan(out).tolist() == [False] * 4 + [True, False, True, True]


@pytest.mark.parametrize("length", [1, 2, 3, 5, 7, 8, 31, 128])
def test_the_length_of_a_row_changes_no_bit(length: int) -> None:
    x = np.random.default_rng(1).normal(0.0, 20.0, 128)
    assert exponentials(x[:length]).tobytes() == exponentials(x)[:length].tobytes()
