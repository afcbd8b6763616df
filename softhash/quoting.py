r"""Overrides in quotes: ``run='/data/it\'s here'``. Knows neither Hydra nor a shell."""

import re
from pathlib import Path

_PLAIN = re.compile(r"(?:\.{0,2}/|[A-Za-z_])[A-Za-z0-9_/.+-]*")
_QUOTE_OR_END = re.compile(r"(\\*)('|\Z)")  # before these alone, and before ${, a backslash is no letter
_INTERPOLATION = re.compile(r"(\\*)(\$\{)")
_VALUES = {"true", "false", "null", "nan", "inf"}  # which are no text without quotes


def quote(text: str) -> str:
    r"""Put a text of any letters into the quotes of Hydra.

    Example:
        >>> print(quote("it's"))
        'it\'s'
    """
    return f"'{re.sub(_QUOTE_OR_END, _escaped, text)}'"


def quote_override(key: str, value: str | Path) -> str:
    r"""Write the override that sets a key to exactly this text, in quotes only where it needs them.

    For a command to be pasted, ``shlex.quote`` goes around it: a shell takes away quotes of its own.

    Example:
        >>> print(quote_override("run", "runs/a"), quote_override("run", "runs/a, b"))
        run=runs/a run='runs/a, b'
    """
    text = str(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _VALUES:
        return f"{key}={text}"
    return f"{key}={quote(re.sub(_INTERPOLATION, _escaped, text))}"


def _escaped(found: re.Match[str]) -> str:
    backslashes, special = found.groups()
    return backslashes * 2 + (f"\\{special}" if special else "")
