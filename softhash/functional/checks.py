"""Refusing arguments that cannot be, in the words that the user typed."""

import operator
from collections.abc import Sequence
from typing import SupportsIndex


def check_at_least(minimum: float, **values: float) -> None:
    """Refuse numbers that are too small, or NaN.

    Raises:
        ValueError: Names the first one.

    Example:
        >>> check_at_least(0, weight=0.5, margin=0.0)
    """
    for name, value in values.items():
        if not value >= minimum:
            msg = f"{name} must be at least {minimum:g}, got {value}"
            raise ValueError(msg)


def check_option(name: str, value: str, options: Sequence[str]) -> None:
    """Refuse what is none of the options.

    Raises:
        ValueError: Names the argument, the options and what was given.

    Example:
        >>> check_option("gain", "linear", ("exponential", "linear"))
    """
    if value not in options:
        msg = f"{name} must be one of {', '.join(options)}, got {value!r}"
        raise ValueError(msg)


def whole_number(name: str, value: SupportsIndex) -> int:
    """An integer of any library as Python's own; what is none is refused, and so are True and False.

    Raises:
        ValueError: Names the argument and what was given.

    Example:
        >>> import numpy as np
        >>> whole_number("radius", np.int64(2))
        2
    """
    try:
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301
        return operator.index(value)
    except TypeError:
        msg = f"{name} must be a whole number, got {value!r}"
        raise ValueError(msg) from None
