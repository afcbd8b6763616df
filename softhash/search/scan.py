"""Finding the nearest of many codes with compiled loops, at less than two cycles a pair.

Queries and items are taken in tiles that stay in the caches of a core. Of each group of items a loop that vectorises
finds the smallest distance alone. Only where that is small enough are its items looked at one by one: those below the
query's limit become candidates, and the limit falls as soon as enough of them lie below a smaller one. As items come in
the order of their positions, an item at the limit comes too late, so that ties go to the smaller position.
"""

import numpy as np
from numpy.typing import NDArray

from softhash.ranking.compiled import compiled
from softhash.ranking.kernel import set_bits

Words = NDArray[np.uint64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

QUERIES = 64  # of a tile, at most
_ITEMS = 4096  # of a tile: 32 KB for each 64 bits of a code
_GROUP = 256  # items of which the smallest distance is found at once
_FAR = np.int64(2**62)  # signed: processors before AVX-512 have no minimum of unsigned words


@compiled
def scan_nearest(
    words: Words, queries: Words, mask: Mask, start: int, stop: int, bits: int, rows: Numbers, distances: Numbers
) -> Numbers:
    """Find the nearest items of some queries; equal distances are ordered by position.

    Args:
        words: ``(ceil(bits / 64), N)`` uint64 codes of all items.
        queries: ``(Q, ceil(bits / 64))`` uint64 codes.
        mask: ``(N,)`` which items count, or empty where all do.
        start: First item.
        stop: The item after the last.
        bits: Code length.
        rows: ``(Q, k)`` int64 for the positions of the k nearest, nearest first.
        distances: ``(Q, k)`` int64 for their distances.

    Returns:
        ``(Q,)`` int64, how many there are for each query; fewer than k where fewer items count.
    """
    room = 2 * max(rows.shape[1], 256)
    near = np.empty((len(queries), 2, room), dtype=np.int64)  # positions and distances of candidates
    counts = np.zeros((len(queries), bits + 1), dtype=np.int64)  # of all that have been candidates, by distance
    states = np.zeros((len(queries), 3), dtype=np.int64)  # limit, candidates below it, candidates
    states[:, 0] = bits + 1
    ends = np.empty(bits + 2, dtype=np.int64)
    group = np.empty(_GROUP, dtype=np.int64)  # distances
    for tile in range(start, stop, _ITEMS):
        tile_end = min(tile + _ITEMS, stop)
        for query in range(len(queries)):
            state, code = states[query], queries[query]
            for first in range(tile, tile_end, _GROUP):
                last = min(first + _GROUP, tile_end)
                if _smallest_distance(code, words, first, last, group) < state[0]:
                    _write_distances(code, words, first, last, group)
                    for item in range(first, last):
                        if group[item - first] < state[0] and (not len(mask) or mask[item]):
                            _add_candidate(item, group[item - first], state, near[query], counts[query], rows.shape[1])
                            if state[2] == room:
                                _keep_nearest(state, near[query], ends, rows[query], distances[query])
    for query in range(len(queries)):
        _keep_nearest(states[query], near[query], ends, rows[query], distances[query])
    return states[:, 2].copy()


@compiled
def _add_candidate(item: int, distance: int, state: Numbers, near: Numbers, counts: Numbers, top_k: int) -> None:
    """Note an item below the limit, and lower the limit while as many lie below the next one as are wanted."""
    near[0, state[2]], near[1, state[2]] = item, distance
    state[2] += 1
    counts[distance] += 1
    state[1] += 1
    while state[1] >= top_k:
        state[0] -= 1
        state[1] -= counts[state[0]]


@compiled
def scan_within(words: Words, code: Words, mask: Mask, radius: int) -> tuple[Numbers, Numbers]:
    """Find all items within a radius of a query.

    Args:
        words: ``(ceil(bits / 64), N)`` uint64 codes of all items.
        code: ``(ceil(bits / 64),)`` uint64.
        mask: ``(N,)`` which items count, or empty where all do.
        radius: Largest distance.

    Returns:
        Positions and distances, each ``(n,)`` int64, in the order of positions.
    """
    rows, distances = np.empty(64, dtype=np.int64), np.empty(64, dtype=np.int64)
    group = np.empty(_GROUP, dtype=np.int64)
    filled = 0
    for first in range(0, words.shape[1], _GROUP):
        last = min(first + _GROUP, words.shape[1])
        if _smallest_distance(code, words, first, last, group) > radius:
            continue
        _write_distances(code, words, first, last, group)
        if filled + _GROUP > len(rows):
            rows, distances = _twice_as_long(rows, filled), _twice_as_long(distances, filled)
        for item in range(first, last):
            distance = group[item - first]
            if distance <= radius and (not len(mask) or mask[item]):
                rows[filled], distances[filled] = item, distance
                filled += 1
    return rows[:filled], distances[:filled]


@compiled
def scan_table(codes: NDArray[np.uint8], table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up, over the bytes of each code, what a table holds for them, in the order of bytes.

    Args:
        codes: ``(N, W)`` uint8.
        table: ``(W, 256)`` float64.

    Returns:
        ``(N,)`` float64 scores, as :func:`softhash.functional.tables.look_up` gives them.
    """
    scores = np.empty(len(codes))
    for item in range(len(codes)):
        score = 0.0
        for byte in range(codes.shape[1]):
            score += table[byte, codes[item, byte]]
        scores[item] = score
    return scores


@compiled
def _twice_as_long(numbers: Numbers, filled: int) -> Numbers:
    longer = np.empty(2 * (len(numbers) + _GROUP), dtype=np.int64)
    for place in range(filled):
        longer[place] = numbers[place]
    return longer


@compiled
def _smallest_distance(code: Words, words: Words, first: int, last: int, sums: Numbers) -> np.int64:
    """Smallest distance of some items; ``sums`` has room for what all words but the last come to."""
    final = len(code) - 1
    if final == 0:
        return _smallest(code[0], words[0, first:last])
    _write_distances(code[:final], words, first, last, sums)
    return _smallest_sum(code[final], words[final, first:last], sums)


@compiled
def _smallest(word: np.uint64, words: Words) -> np.int64:
    smallest = _FAR
    for item in range(len(words)):
        smallest = min(smallest, np.int64(set_bits(word ^ words[item])))
    return smallest


@compiled
def _smallest_sum(word: np.uint64, words: Words, sums: Numbers) -> np.int64:
    smallest = _FAR
    for item in range(len(words)):
        smallest = min(smallest, sums[item] + np.int64(set_bits(word ^ words[item])))
    return smallest


@compiled
def _write_distances(code: Words, words: Words, first: int, last: int, distances: Numbers) -> None:
    _write_set_bits(code[0], words[0, first:last], distances)
    for word in range(1, len(code)):
        _add_set_bits(code[word], words[word, first:last], distances)


@compiled
def _write_set_bits(word: np.uint64, words: Words, distances: Numbers) -> None:
    for item in range(len(words)):
        distances[item] = np.int64(set_bits(word ^ words[item]))


@compiled
def _add_set_bits(word: np.uint64, words: Words, distances: Numbers) -> None:
    for item in range(len(words)):
        distances[item] += np.int64(set_bits(word ^ words[item]))


@compiled
def _keep_nearest(state: Numbers, near: Numbers, ends: Numbers, rows: Numbers, distances: Numbers) -> None:
    """Sort candidates by distance, stably and by counting, and keep as many as are wanted, also in the results."""
    for distance in range(len(ends)):
        ends[distance] = 0
    for place in range(state[2]):
        ends[near[1, place] + 1] += 1
    for distance in range(1, len(ends)):
        ends[distance] += ends[distance - 1]
    for place in range(state[2]):
        distance = near[1, place]
        if ends[distance] < len(rows):
            rows[ends[distance]], distances[ends[distance]] = near[0, place], distance
        ends[distance] += 1
    state[2] = min(state[2], len(rows))
    for place in range(state[2]):
        near[0, place], near[1, place] = rows[place], distances[place]
