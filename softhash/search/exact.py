"""Exact search: every code is looked at, by all cores."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from softhash.search.collection import Collection
from softhash.search.engine import Engine, Filter, Hits, Searcher
from softhash.search.scan import QUERIES, Mask, Words, scan_nearest, scan_table, scan_within
from softhash.storage.arrays import read_npy

_WORDS = "words.npy"
_CANDIDATES = 1 << 18  # of all queries of a tile, about: 8 MB for each thread

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Exact(Engine):
    """Compares every query with every code.

    Codes are read as 64-bit words from a file that is mapped into memory: the codes themselves where they have 64 bits,
    else a second file with as many whole words each. Nothing else is kept, so that an index takes 8 bytes of memory an
    image for each 64 bits. What is found does not depend on the number of threads.

    Attributes:
        threads: How many search at once; None takes all cores of the process.

    Raises:
        ValueError: ``threads`` is below 1.
    """

    name = "exact"
    threads: int | None = None

    def __post_init__(self) -> None:
        """Check values."""
        if self.threads is not None and self.threads < 1:
            msg = f"threads must be at least 1 or null, got {self.threads}"
            raise ValueError(msg)

    def build(self, collection: Collection, folder: Path) -> None:
        """Write codes as words, where they are none."""
        if collection.codes.shape[1] != 8:
            np.save(folder / _WORDS, words_of(collection.codes))

    def open(self, collection: Collection, folder: Path) -> "ExactSearcher":
        """Map the words into memory."""
        path = folder / _WORDS
        if not path.exists():
            return ExactSearcher(collection, words_of(collection.codes), self.threads)
        words = read_npy(path, str(path))
        if words.dtype != np.uint64 or words.shape != (-(-collection.bits // 64), len(collection)):
            msg = f"{path} is damaged, or of other codes: it has shape {words.shape} of {words.dtype}"
            raise ValueError(msg)
        return ExactSearcher(collection, words, self.threads)


class ExactSearcher(Searcher):
    """Searches words in memory, or mapped into it.

    Args:
        collection: Whose codes they are.
        words: ``(ceil(bits / 64), N)`` uint64, see :func:`words_of`.
        threads: How many search at once; None takes all cores of the process.
    """

    def __init__(self, collection: Collection, words: NDArray[np.generic], threads: int | None = None) -> None:
        self.collection, self.words = collection, words.view(np.uint64)
        self.threads = threads or len(os.sched_getaffinity(0))

    def nearest(self, queries: NDArray[np.generic], top_k: int, only: Filter) -> list[Hits]:
        """The nearest images for each query; the distance of a table is minus the score that it gives."""
        mask = only.mask(self.collection)
        if queries.ndim == 3:
            codes = self.collection.codes
            return self._map(_best_of_table, [(codes, table, mask, top_k) for table in queries])
        words, count = np.ascontiguousarray(words_of(queries).T), self.words.shape[1]
        size = max(1, min(QUERIES, _CANDIDATES // top_k))
        tiles = [words[first : first + size] for first in range(0, len(words), size)]
        parts = max(1, self.threads // len(tiles))  # of the items, where there are too few queries for all threads
        bounds = [count * part // parts for part in range(parts + 1)]
        found = self._map(
            _nearest,
            [
                (self.words, tile, mask, start, stop, self.collection.bits, top_k)
                for tile in tiles
                for start, stop in pairwise(bounds)
            ],
        )
        return [
            _merged([hits[query] for hits in found[first : first + parts]], top_k)
            for first in range(0, len(found), parts)
            for query in range(len(found[first]))
        ]

    def within(self, queries: NDArray[np.generic], radius: int, only: Filter) -> list[Hits]:
        """All images within a radius of each query."""
        if queries.ndim == 3:
            msg = "radius counts bits, and these queries have a distance of their own; use top_k instead"
            raise ValueError(msg)
        mask, words = only.mask(self.collection), np.ascontiguousarray(words_of(queries).T)
        return self._map(_within, [(self.words, word, mask, radius) for word in words])

    def _map(self, function: Callable[..., _Result], arguments: Sequence[tuple[Any, ...]]) -> list[_Result]:
        if self.threads == 1 or len(arguments) == 1:
            return [function(*each) for each in arguments]
        return list(self._pool.map(function, *zip(*arguments, strict=True)))

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.threads)


def words_of(codes: NDArray[np.generic]) -> Words:
    """Codes as 64-bit words, padded with zeros: ``(N, W)`` uint8 to ``(ceil(W / 8), N)`` uint64.

    Codes of 8 bytes are not copied.

    Example:
        >>> words_of(np.array([[1, 2], [255, 0]], dtype=np.uint8))
        array([[513, 255]], dtype=uint64)
    """
    if codes.shape[1] == 8 and codes.flags.c_contiguous:
        return codes.view("<u8").reshape(1, -1)
    padded = np.zeros((len(codes), -(-codes.shape[1] // 8) * 8), dtype=np.uint8)
    padded[:, : codes.shape[1]] = codes
    return np.ascontiguousarray(padded.view("<u8").T)


def _nearest(words: Words, queries: Words, mask: Mask, start: int, stop: int, bits: int, top_k: int) -> list[Hits]:
    rows, distances = np.empty((2, len(queries), min(top_k, stop - start)), dtype=np.int64)
    counts = scan_nearest(words, queries, mask, start, stop, bits, rows, distances)
    return [Hits(rows[query, :count], distances[query, :count]) for query, count in enumerate(counts.tolist())]


def _merged(parts: list[Hits], top_k: int) -> Hits:
    """The nearest of what parts of the items gave, in the order of the parts."""
    if len(parts) == 1:
        return parts[0]
    rows, distances = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = distances.argsort(kind="stable")[:top_k]
    return Hits(rows[order], distances[order])


def _within(words: Words, query: Words, mask: Mask, radius: int) -> Hits:
    rows, distances = scan_within(words, query, mask, radius)
    order = distances.argsort(kind="stable")
    return Hits(rows[order], distances[order])


def _best_of_table(codes: NDArray[np.uint8], table: NDArray[np.generic], mask: Mask, top_k: int) -> Hits:
    distances = -scan_table(codes, table.astype(np.float64))
    candidates = np.flatnonzero(mask) if len(mask) else np.arange(len(codes))
    if len(candidates) > top_k:
        limit = np.partition(distances[candidates], top_k - 1)[top_k - 1]
        candidates = candidates[distances[candidates] <= limit]
    rows = candidates[distances[candidates].argsort(kind="stable")[:top_k]]
    return Hits(rows, distances[rows])
