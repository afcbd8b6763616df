"""What several measures of one tally need is computed once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

_local = threading.local()


@contextmanager
def sharing() -> Iterator[None]:
    """Inside, functions marked with :func:`once` remember what they gave, for this thread.

    Tensors that they were given must not be changed meanwhile.
    """
    _local.known = {}
    try:
        yield
    finally:
        _local.known = None


def once(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Compute for the same tensors and values once inside :func:`sharing`, and each time elsewhere."""

    @wraps(function)
    def remembering(*arguments: Any, **options: Any) -> _Result:
        known: dict[Any, _Result] | None = getattr(_local, "known", None)
        if known is None:
            return function(*arguments, **options)
        key = (function, *arguments, *options.items())  # tensors are hashed by identity, and kept alive by the key
        if key not in known:
            known[key] = function(*arguments, **options)
        return known[key]

    return remembering
