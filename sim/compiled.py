"""Compiles functions when they are first called, so that commands that never run a model need not load the compiler.

``@njit(...)`` here means what it means in Numba (Lam et al. 2015); compiled functions may call one another.
"""

from __future__ import annotations

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
        return numba.njit(**self.options)(self.function)

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
