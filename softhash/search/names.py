"""Names of a million images in a few bytes each."""

from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np
from numpy.typing import NDArray

from softhash.ranking.compiled import compiled
from softhash.text import first_few


class Names(Sequence[str]):
    r"""Names as one text in UTF-8, each ended by a zero byte, which no name of a file can have.

    Bytes of file names that are no text are kept, as Python's ``surrogateescape`` does. A name is decoded when it is
    asked for, so millions of them are loaded as fast as their file is read.

    Args:
        text: ``(bytes,)`` uint8.

    Raises:
        ValueError: The last name has no end, or a name is empty.

    Example:
        >>> names = Names.of(["a.jpg", "dogs/b.jpg"])
        >>> len(names), names[-1], names.text[:6].tobytes()
        (2, 'dogs/b.jpg', b'a.jpg\x00')
    """

    def __init__(self, text: NDArray[np.uint8]) -> None:
        if text.dtype != np.uint8 or text.ndim != 1:
            msg = f"names must be (bytes,) uint8, got shape {text.shape} of {text.dtype}"
            raise ValueError(msg)
        if len(text) and text[-1]:
            msg = "the last name is cut short"
            raise ValueError(msg)
        self.text = text
        self._ends = np.concatenate([[-1], np.flatnonzero(np.asarray(text) == 0)])
        if len(self) and np.diff(self._ends).min() == 1:
            msg = f"a name is empty, that of item {int(np.diff(self._ends).argmin())}"
            raise ValueError(msg)

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        """Names from texts.

        Raises:
            ValueError: A name is empty, or holds a zero byte.
        """
        if isinstance(names, Names):
            return names
        names = list(names)
        text = "".join(f"{name}\0" for name in names).encode("utf-8", "surrogateescape")
        made = cls(np.frombuffer(text, dtype=np.uint8))
        if len(made) != len(names):
            msg = f"names hold zero bytes: {first_few(repr(name) for name in names if chr(0) in name)}"
            raise ValueError(msg)
        return made

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        """A name by its position, or some of them."""
        if isinstance(place, slice):
            return [self[position] for position in range(len(self))[place]]
        position = range(len(self))[place]
        name = self.text[self._ends[position] + 1 : self._ends[position + 1]]
        return name.tobytes().decode("utf-8", "surrogateescape")

    def take(self, rows: NDArray[np.int64]) -> "Names":
        """Names at ``(n,)`` positions."""
        return Names.of(self[row] for row in rows.tolist())

    def hashes(self) -> NDArray[np.uint64]:
        """A number for each name, ``(N,)``, by FNV-1a; equal names have equal numbers, others hardly ever."""
        return _hashes(np.asarray(self.text), len(self))

    def twice(self) -> list[str]:
        """Names that stand there more than once."""
        hashes = self.hashes()
        order = hashes.argsort()
        same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
        rows = np.unique(np.concatenate([order[same], order[same + 1]]))
        seen: set[str] = set()
        repeated: dict[str, None] = {}
        for name in (self[row] for row in rows.tolist()):
            if name in seen:
                repeated[name] = None
            seen.add(name)
        return list(repeated)


@compiled
def _hashes(text: NDArray[np.uint8], count: int) -> NDArray[np.uint64]:
    """Hash (FNV-1a) of each text that a zero byte ends, ``(count,)``."""
    result = np.empty(count, dtype=np.uint64)
    value, name = np.uint64(14695981039346656037), 0
    for byte in text:
        if byte == 0:
            result[name] = value
            value, name = np.uint64(14695981039346656037), name + 1
        else:
            value = (value ^ np.uint64(byte)) * np.uint64(1099511628211)
    return result
