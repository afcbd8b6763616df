"""What an engine does: it finds the nearest of the codes of a collection."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import translate
from pathlib import Path
from re import compile as pattern_of
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from softhash.search.collection import Collection


class Hits(NamedTuple):
    """What one query finds, nearest first; equal distances in the order of positions.

    Attributes:
        rows: ``(n,)`` int64 positions in the collection.
        distances: ``(n,)`` int64 in bits; or float64, minus the score, where the query is a table.
    """

    rows: NDArray[np.int64]
    distances: NDArray[np.int64] | NDArray[np.float64]


@dataclass(frozen=True)
class Filter:
    """Which images a search is about.

    Attributes:
        label: Name of a label that they have; None where any will do.
        name: Pattern of their names, such as ``holiday/*.jpg``; None where any will do.
    """

    label: str | None = None
    name: str | None = None

    def label_number(self, collection: Collection) -> int:
        """Position of the label.

        Raises:
            ValueError: There is no such label.
        """
        if self.label in collection.label_names:
            return collection.label_names.index(self.label)
        if not collection.label_names:
            msg = f"label={self.label}: the codes were indexed without labels"
            raise ValueError(msg)
        close = get_close_matches(str(self.label), collection.label_names) or collection.label_names
        msg = f"label={self.label}: there is no such label; known are {', '.join(list(close)[:8])}"
        raise ValueError(msg)

    def mask(self, collection: Collection) -> NDArray[np.bool_]:
        """``(N,)`` which images they are; empty where all are.

        Raises:
            ValueError: There is no such label.
        """
        masks = []
        if self.label is not None and collection.labels is not None:
            masks.append(collection.labels[:, self.label_number(collection)] > 0)
        elif self.label is not None:
            self.label_number(collection)
        if self.name is not None:
            matches = pattern_of(translate(self.name)).match
            masks.append(np.fromiter((matches(name) is not None for name in collection.names), bool, len(collection)))
        return np.logical_and.reduce(masks) if masks else np.zeros(0, dtype=bool)


class Searcher(ABC):
    """Finds the nearest codes for queries, which are packed codes, ``(Q, W)`` uint8, or tables, ``(Q, W, 256)``.

    Shapes and values have been checked by :class:`softhash.search.index.Index`.
    """

    @abstractmethod
    def nearest(self, queries: NDArray[np.generic], top_k: int, only: Filter) -> list[Hits]:
        """The ``top_k`` nearest images for each query, or all where fewer pass the filter.

        Raises:
            ValueError: The engine has no such search.
        """

    @abstractmethod
    def within(self, queries: NDArray[np.generic], radius: int, only: Filter) -> list[Hits]:
        """All images within ``radius`` bits of each query.

        Raises:
            ValueError: The engine has no such search.
        """


class Engine(ABC):
    """A way to search: a frozen dataclass whose fields are its options, as ``index.json`` keeps them.

    Attributes:
        name: Of its config, for messages.
    """

    name: str

    @abstractmethod
    def build(self, collection: Collection, folder: Path) -> None:
        """Write what searching needs beside the collection, into a folder that it shares with the collection's files.

        Raises:
            ValueError: The engine cannot hold such codes.
        """

    @abstractmethod
    def open(self, collection: Collection, folder: Path) -> Searcher:
        """Make what :meth:`build` wrote ready.

        Raises:
            ValueError: It is damaged.
        """

    def add(self, collection: Collection, start: int, folder: Path) -> None:
        """Do as :meth:`build` does for a collection that has grown; the images from ``start`` on are new."""
        del start
        self.build(collection, folder)

    def delete(self, collection: Collection, names: list[str], folder: Path) -> None:
        """Do as :meth:`build` does for a collection that some names have been taken out of."""
        del names
        self.build(collection, folder)

    def refuse(self, what: str) -> NoReturn:
        """Refuse a search that the engine has not.

        Raises:
            ValueError: Names the engine.
        """
        msg = f"engine={self.name} {what}; engine=exact has"
        raise ValueError(msg)
