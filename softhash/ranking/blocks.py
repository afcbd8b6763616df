"""Rankings with ties as lists of blocks, which the sums walk along."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from softhash.ranking.compiled import compiled


class Cells(NamedTuple):
    """Items of the database by distance and grade, for each query; without the cells that are empty.

    Cells of a query lie side by side: nearest first, and ascending by grade where distances are equal.

    Attributes:
        starts: ``(Q + 1,)`` int64; the cells of query q are those from ``starts[q]`` to ``starts[q + 1]``.
        distance: ``(M,)`` int32.
        level: ``(M,)`` int32, place of the grade in a list of all grades.
        items: ``(M,)`` int64, how many there are.
    """

    starts: NDArray[np.int64]
    distance: NDArray[np.int32]
    level: NDArray[np.int32]
    items: NDArray[np.int64]


class Blocks(NamedTuple):
    """What ranks behind one another, for each query; the order of items inside a block is left open.

    Attributes:
        starts: ``(Q + 1,)`` int64; the blocks of query q are those from ``starts[q]`` to ``starts[q + 1]``.
        distance: ``(M,)`` int32.
        items: ``(M,)`` int64, n.
        relevant: ``(M,)`` int64, T, how many of them are relevant.
        gain: ``(M,)`` float64, S, the total of their gains.
    """

    starts: NDArray[np.int64]
    distance: NDArray[np.int32]
    items: NDArray[np.int64]
    relevant: NDArray[np.int64]
    gain: NDArray[np.float64]


@compiled
def cells_of(counts: NDArray[np.int64]) -> Cells:
    """Cells of ``(Q, B, R)`` counts by distance and grade; the level is the column."""
    starts = np.zeros(len(counts) + 1, np.int64)
    # Most cells are empty, so most of these arrays is never touched.
    distance, level = np.empty(counts.size, np.int32), np.empty(counts.size, np.int32)
    count = np.empty(counts.size, np.int64)
    found = 0
    for query in range(counts.shape[0]):
        for b in range(counts.shape[1]):
            for column in range(counts.shape[2]):
                if counts[query, b, column] > 0:
                    distance[found], level[found], count[found] = b, column, counts[query, b, column]
                    found += 1
        starts[query + 1] = found
    return Cells(starts, distance[:found], level[:found], count[:found])


@compiled
def relevant_or_not(cells: Cells, grades: NDArray[np.float64]) -> Cells:
    """Forget the grades, keep whether they are above 0: two levels."""
    starts = np.zeros_like(cells.starts)
    distance, level = np.empty_like(cells.distance), np.empty_like(cells.level)
    count = np.empty_like(cells.items)
    found = 0
    for query in range(len(starts) - 1):
        first = found
        for cell in range(cells.starts[query], cells.starts[query + 1]):
            b, relevant = cells.distance[cell], grades[cells.level[cell]] > 0
            if found > first and distance[found - 1] == b and level[found - 1] == relevant:
                count[found - 1] += cells.items[cell]
            else:
                distance[found], level[found], count[found] = b, relevant, cells.items[cell]
                found += 1
        starts[query + 1] = found
    return Cells(starts, distance[:found], level[:found], count[:found])


@compiled
def tied_blocks(cells: Cells, gains: NDArray[np.float64]) -> Blocks:
    """One block per distance: the order of its items is unknown.

    Args:
        cells: Cells of all queries.
        gains: ``(L,)`` what an item of each level is worth; it is relevant where that is above 0.
    """
    starts, distance = np.zeros_like(cells.starts), np.empty_like(cells.distance)
    items, relevant = np.empty_like(cells.items), np.empty_like(cells.items)
    gain = np.empty(len(items))
    found = 0
    for query in range(len(starts) - 1):
        first = found
        for cell in range(cells.starts[query], cells.starts[query + 1]):
            b, count, worth = cells.distance[cell], cells.items[cell], gains[cells.level[cell]]
            if found == first or distance[found - 1] != b:
                distance[found], items[found], relevant[found], gain[found] = b, 0, 0, 0.0
                found += 1
            items[found - 1] += count
            if worth > 0:
                relevant[found - 1] += count
                gain[found - 1] += count * worth
        starts[query + 1] = found
    return Blocks(starts, distance[:found], items[:found], relevant[:found], gain[:found])


@compiled
def sorted_blocks(cells: Cells, gains: NDArray[np.float64], best: bool) -> Blocks:
    """One block per distance and grade: where distances are equal, small grades first, or large ones if ``best``."""
    starts, distance, items = cells.starts, cells.distance, cells.items
    places = np.arange(len(items))
    if best:
        items = np.empty_like(items)
        for query in range(len(starts) - 1):
            first = starts[query]
            while first < starts[query + 1]:
                end = first + 1
                while end < starts[query + 1] and distance[end] == distance[first]:
                    end += 1
                for place in range(first, end):
                    places[place] = first + end - 1 - place
                    items[place] = cells.items[places[place]]
                first = end
    relevant, gain = np.empty_like(items), np.empty(len(items))
    for place in range(len(items)):
        worth = gains[cells.level[places[place]]]
        relevant[place] = items[place] if worth > 0 else 0
        gain[place] = items[place] * worth
    return Blocks(starts, distance, items, relevant, gain)


@compiled
def ideal_blocks(cells: Cells, gains: NDArray[np.float64]) -> Blocks:
    """One block per grade, large ones first, whatever the distance: the best order that there is."""
    num_query, levels = len(cells.starts) - 1, len(gains)
    starts = np.zeros(num_query + 1, np.int64)
    items = np.zeros(len(cells.items), np.int64)
    gain = np.zeros(len(cells.items))
    counts = np.zeros(levels, np.int64)
    found = 0
    for query in range(num_query):
        counts[:] = 0
        for cell in range(cells.starts[query], cells.starts[query + 1]):
            counts[cells.level[cell]] += cells.items[cell]
        for level in range(levels - 1, -1, -1):
            if counts[level] > 0:
                items[found], gain[found] = counts[level], counts[level] * gains[level]
                found += 1
        starts[query + 1] = found
    relevant = np.where(gain[:found] > 0, items[:found], 0)
    return Blocks(starts, np.zeros(found, np.int32), items[:found], relevant, gain[:found])
