"""Refusing arguments that make no sense, in the words of the caller."""

from collections.abc import Sequence


def check_at_least(minimum: float, **values: float) -> None:
    """Refuse numbers that are too small.

    Raises:
        ValueError: Names the first one.
    """
    for name, value in values.items():
        if value < minimum:
            msg = f"{name} must be at least {minimum:g}, got {value}"
            raise ValueError(msg)


def check_option(name: str, value: str, options: Sequence[str]) -> None:
    """Refuse what is none of the options.

    Raises:
        ValueError: Names the argument, the options and what was given.
    """
    if value not in options:
        msg = f"{name} must be one of {', '.join(options)}, got {value!r}"
        raise ValueError(msg)
