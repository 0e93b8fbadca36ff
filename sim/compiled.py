"""Compiles functions when they are first called, so that commands that never run a model need not load the compiler.

``@njit(...)`` here means what it means in Numba (Lam et al. 2015); compiled functions may call one another.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property, update_wrapper
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


class Kernel:
    """A function that is compiled at its first call, or at the first compilation of one that calls it.

    Parameters
    ----------
    function : callable
    options : dict
        Of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], options: dict[str, Any]) -> None:
        self.function, self.options = function, options
        update_wrapper(self, function)

    @cached_property
    def dispatcher(self) -> Any:
        """Numba's own object for the function."""
        import numba
        from numba.extending import typeof_impl

        if Kernel not in typeof_impl.registry:
            # A kernel that another one calls is, to the compiler, the function that Numba knows.
            typeof_impl.register(Kernel)(lambda value, context: numba.typeof(value.dispatcher))
        return numba.njit(**self.options)(self._compiled())

    def _compiled(self) -> Callable[..., Any]:
        """Return the function to compile."""
        return self.function

    def __call__(self, *arguments: Any) -> Any:
        """Run the compiled function."""
        return self.dispatcher(*arguments)


def njit(**options: Any) -> Callable[[F], F]:
    """Return a decorator that compiles a function when it is needed.

    Parameters
    ----------
    **options
        Of `numba.njit`: ``cache``, ``error_model``.
    """

    def decorate(function: F) -> F:
        return cast(F, Kernel(function, options))

    return decorate


_LOG2_E = 1.4426950408889634
_ROUNDER = 6755399441055744.0  # 1.5 x 2**52: adding it rounds to an integer, held in the low bits
_LN2_HIGH = 6.93147180369123816490e-01  # ln 2 in two parts, the first with room for exact products
_LN2_LOW = 1.90821492927058770002e-10


class _Made(Kernel):
    """Compiles other operations than those that it shows: what ``make`` returns."""

    def __init__(self, function: Callable[..., Any], make: Callable[[], Callable[..., Any]]) -> None:
        super().__init__(function, {"error_model": "numpy"})
        self.make = make

    def _compiled(self) -> Callable[..., Any]:
        return self.make()


def _exponential(x: float) -> float:
    """Return exp(x), x held within +-700, in operations of which a compiler can make vector instructions.

    exp(x) = 2^n exp(r) with n = round(x / ln 2), |r| <= ln(2) / 2 found in two parts of ln 2 (Cody & Waite 1980,
    *Software Manual for the Elementary Functions*, ch. 6); the Taylor polynomial of degree 13 is exact to rounding.
    For compiled loops over replications: the C library's exponential takes four times as long there. Kernels keep
    what they were compiled with: after a change here, empty their caches.
    """
    return math.exp(min(max(x, -700.0), 700.0))


def _logarithm(x: float) -> float:
    """Return ln(x) of a normal number x > 0, in operations of which a compiler can make vector instructions.

    ln(x) = k ln 2 + ln(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)), and ln(1 + f) a polynomial in (f / (2 + f))^2, as in
    the C library of Sun (fdlibm, e_log.c), within one unit in the last place; ln(1) is 0.
    """
    return math.log(x)


def _logarithm_of_numba() -> Callable[[float], float]:
    """Return `logarithm` as it is compiled, taking exponent and fraction from a number's bits."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    word, number = ir.IntType(64), types.float64

    def shifted(builder: Any, x: Any) -> Any:
        """Return the bits of x with those of sqrt(1/2) taken off, the exponent counted from 0 upwards."""
        bits = builder.bitcast(x, word)
        return builder.add(bits, ir.Constant(word, (1023 << 52) - 0x3FE6A09E667F3BCD))

    @intrinsic
    def exponent(_typing: Any, _x: Any) -> Any:
        """Return k of x = 2^k (1 + f), as a float."""

        def build(context: Any, builder: Any, signature: Any, terms: Any) -> Any:
            high = builder.lshr(shifted(builder, terms[0]), ir.Constant(word, 52))
            held = builder.bitcast(builder.or_(high, ir.Constant(word, 0x4330000000000000)), ir.DoubleType())
            return builder.fsub(held, ir.Constant(ir.DoubleType(), 4503599627370496.0 + 1023.0))

        return number(number), build

    @intrinsic
    def fraction(_typing: Any, _x: Any) -> Any:
        """Return 1 + f of x = 2^k (1 + f)."""

        def build(context: Any, builder: Any, signature: Any, terms: Any) -> Any:
            low = builder.and_(shifted(builder, terms[0]), ir.Constant(word, (1 << 52) - 1))
            return builder.bitcast(builder.add(low, ir.Constant(word, 0x3FE6A09E667F3BCD)), ir.DoubleType())

        return number(number), build

    def series(x: float) -> float:
        k, f = exponent(x), fraction(x) - 1.0
        s = f / (2.0 + f)
        z = s * s
        p = 1.479819860511658591e-01
        p = p * z + 1.531383769920937332e-01
        p = p * z + 1.818357216161805012e-01
        p = p * z + 2.222219843214978396e-01
        p = p * z + 2.857142874366239149e-01
        p = p * z + 3.999999999940941908e-01
        p = p * z + 6.666666666666735130e-01
        half = 0.5 * f * f
        return float(k * _LN2_HIGH - ((half - (s * (half + p * z) + k * _LN2_LOW)) - f))

    return series


def _exponential_of_numba() -> Callable[[float], float]:
    """Return `exponential` as it is compiled, with products and sums rounded once and 2^n made of its bits."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def fused(_typing: Any, _x: Any, _y: Any, _z: Any) -> Any:
        """Return x y + z, rounded once, whatever the machine."""
        number = types.float64
        return number(number, number, number), lambda context, builder, signature, terms: builder.fma(*terms)

    @intrinsic
    def power_of_two(_typing: Any, _shifted: Any) -> Any:
        """Return 2^n of an integer n to which `_ROUNDER` was added."""

        def build(context: Any, builder: Any, signature: Any, terms: Any) -> Any:
            word = ir.IntType(64)
            bits = builder.shl(builder.bitcast(terms[0], word), ir.Constant(word, 52))
            return builder.bitcast(builder.add(bits, ir.Constant(word, 1023 << 52)), ir.DoubleType())

        return types.float64(types.float64), build

    def polynomial(x: float) -> float:
        y = min(max(x, -700.0), 700.0)
        shifted = fused(y, _LOG2_E, _ROUNDER)
        n = shifted - _ROUNDER
        r = fused(n, -_LN2_LOW, fused(n, -_LN2_HIGH, y))
        p = 1.0 / 6227020800.0
        p = fused(p, r, 1.0 / 479001600.0)
        p = fused(p, r, 1.0 / 39916800.0)
        p = fused(p, r, 1.0 / 3628800.0)
        p = fused(p, r, 1.0 / 362880.0)
        p = fused(p, r, 1.0 / 40320.0)
        p = fused(p, r, 1.0 / 5040.0)
        p = fused(p, r, 1.0 / 720.0)
        p = fused(p, r, 1.0 / 120.0)
        p = fused(p, r, 1.0 / 24.0)
        p = fused(p, r, 1.0 / 6.0)
        p = fused(p, r, 0.5)
        p = fused(p, r, 1.0)
        p = fused(p, r, 1.0)
        return float(p * power_of_two(shifted))

    return polynomial


exponential = cast(Callable[[float], float], _Made(_exponential, _exponential_of_numba))
logarithm = cast(Callable[[float], float], _Made(_logarithm, _logarithm_of_numba))
