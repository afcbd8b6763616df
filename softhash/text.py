"""Words for messages."""

from collections.abc import Iterable
from itertools import islice

_SHOWN = 5


def first_few(names: Iterable[str]) -> str:
    r"""The first five names, and a sign that there are more; bytes of file names that are no text are escaped.

    Example:
        >>> first_few(["a.jpg", "b\udcff.jpg"])
        'a.jpg, b\\udcff.jpg'
        >>> first_few("abcdefg")
        'a, b, c, d, e, ...'
    """
    shown = list(islice(names, _SHOWN + 1))
    text = ", ".join([*shown[:_SHOWN], *(["..."] if len(shown) > _SHOWN else [])])
    return text.encode("utf-8", "backslashreplace").decode()
