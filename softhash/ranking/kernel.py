"""Counting pairs with a compiled kernel, at about one pair a cycle.

Pairs are taken in tiles of queries and items that stay in the caches of a core. For each query of a tile, a loop that
vectorises (population counts of whole words) writes the cell of every item to a small buffer; a second one counts, in
two histograms, as additions to one place wait for each other.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from softhash.ranking.compiled import compiled

Words = NDArray[np.uint64]
_Cell = NDArray[np.uint16] | NDArray[np.uint32]

_ITEMS = 4096  # of a tile: 32 KB of codes, as much of labels, 8 KB of cells
_QUERIES = 64  # of a tile: their histograms stay in the second-level cache


def count_words(
    query_codes: Words,
    query_labels: Words,
    database_codes: Words,
    database_labels: Words,
    bits: int,
    grades: int,
) -> NDArray[np.int64]:
    """Count pairs by differing bits and by shared labels.

    Args:
        query_codes: ``(ceil(K / 64), Q)`` uint64, at least one word; so are the others.
        query_labels: ``(ceil(C / 64), Q)`` uint64.
        database_codes: ``(ceil(K / 64), N)`` uint64.
        database_labels: ``(ceil(C / 64), N)`` uint64.
        bits: Code length K; no bit beyond it is set.
        grades: R, above the largest number of shared labels.

    Returns:
        ``(Q, K + 1, R)`` int64.
    """
    shift = (grades - 1).bit_length()  # a shift vectorises where a product does not
    cells = (bits + 1) << shift
    result = np.empty((query_codes.shape[1], bits + 1, grades), dtype=np.int64)
    cell: _Cell = np.empty(_ITEMS, dtype=np.uint16) if cells <= 1 << 16 else np.empty(_ITEMS, dtype=np.uint32)
    _count(query_codes, query_labels, database_codes, database_labels, shift, cell, result)
    return result


def _population_count(_: Any, word: Any) -> Any:
    """Population count of a word, as the instruction that vectorises."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        del context, signature
        return builder.ctpop(arguments[0])

    return types.uint64(word), code


set_bits = cast("Callable[[np.uint64], np.uint64]", intrinsic(_population_count))


@compiled
def _count(
    query_codes: Words,
    query_labels: Words,
    database_codes: Words,
    database_labels: Words,
    shift: int,
    cell: _Cell,
    result: NDArray[np.int64],
) -> None:
    tile = np.empty((2, min(_QUERIES, len(result)), result.shape[1] << shift), dtype=np.uint32)
    for first in range(0, len(result), _QUERIES):
        last = min(first + _QUERIES, len(result))
        tile[:] = 0
        for start in range(0, database_codes.shape[1], _ITEMS):
            stop = min(start + _ITEMS, database_codes.shape[1])
            for query in range(first, last):
                codes, labels = database_codes[0, start:stop], database_labels[0, start:stop]
                _cells(query_codes[0, query], query_labels[0, query], codes, labels, np.uint64(shift), cell)
                for word in range(1, len(query_codes)):
                    _add_differing(query_codes[word, query], database_codes[word, start:stop], np.uint64(shift), cell)
                for word in range(1, len(query_labels)):
                    _add_shared(query_labels[word, query], database_labels[word, start:stop], cell)
                _add(cell[: stop - start], tile[0, query - first], tile[1, query - first])
        for query in range(first, last):
            for distance in range(result.shape[1]):
                for grade in range(result.shape[2]):
                    place = (distance << shift) + grade
                    result[query, distance, grade] = tile[0, query - first, place] + tile[1, query - first, place]


@compiled
def _cells(code: np.uint64, label: np.uint64, codes: Words, labels: Words, shift: np.uint64, cell: _Cell) -> None:
    for item in range(len(codes)):
        cell[item] = (set_bits(code ^ codes[item]) << shift) + set_bits(label & labels[item])


@compiled
def _add_differing(code: np.uint64, codes: Words, shift: np.uint64, cell: _Cell) -> None:
    for item in range(len(codes)):
        cell[item] += set_bits(code ^ codes[item]) << shift


@compiled
def _add_shared(label: np.uint64, labels: Words, cell: _Cell) -> None:
    for item in range(len(labels)):
        cell[item] += set_bits(label & labels[item])


@compiled
def _add(cell: _Cell, counts: NDArray[np.uint32], others: NDArray[np.uint32]) -> None:
    half = len(cell) // 2
    for item in range(half):
        counts[cell[item]] += 1
        others[cell[half + item]] += 1
    if 2 * half < len(cell):
        counts[cell[2 * half]] += 1
