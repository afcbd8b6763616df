"""Compilation of loops over numbers, with their types kept for readers and checkers."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def compiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compile at the first call, and keep the machine code in numba's cache.

    Threads run it side by side. A division by 0 gives infinity or NaN, as in numpy, and is not looked for.
    """
    result: Callable[_Arguments, _Result] = njit(nogil=True, cache=True, error_model="numpy")(function)
    return result
