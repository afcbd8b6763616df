"""Speed and memory of exact search, as ratios against faiss' IndexBinaryFlat in the same run.

``python -m benchmarks.search [MILLIONS]`` prints a Markdown table, of 1 and 10 million codes unless told otherwise.
Codes are signs of projections of points in 2,000 clusters; the nearest 100 are wanted. Ratios are medians over rounds
in which both sides answer the same queries one after the other, with one thread by processor time, with all by the
clock. The distances that both find must be equal.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import extra_memory
from softhash.search.collection import Collection
from softhash.search.engine import Filter
from softhash.search.exact import ExactSearcher, words_of

_ROUNDS, _TOP_K, _CLUSTERS, _DIMENSIONS, _GOAL = 5, 100, 2_000, 32, 2.0

Codes = NDArray[np.uint8]


def main() -> None:
    """Print the table; or with ``memory`` and a number of codes what loading and searching them takes."""
    if sys.argv[1:2] == ["memory"]:
        print(_memory(int(sys.argv[2])))
        return
    millions = [float(text) for text in sys.argv[1:]] or [1, 10]
    cores = len(os.sched_getaffinity(0))
    print(f"Exact search of the nearest {_TOP_K}, queries a second; goal for 64 bits and one thread: {_GOAL:g} times\n")
    print(
        "| codes | bits | threads | queries at once | softhash | faiss | ratio |\n|---:|---:|---:|---:|---:|---:|---:|"
    )
    for million in millions:
        for bits in (64, 128, 256) if million == millions[0] else (64,):
            database, queries = _codes(int(million * 1e6), bits, 0), _codes(320, bits, 1)
            for threads in (1, cores):
                for batch in (64, 1):
                    ours, theirs, ratio = _compared(database, queries, bits, threads, batch)
                    print(
                        f"| {million:g}M | {bits} | {threads} | {batch} | {ours:,.0f} | {theirs:,.0f} | {ratio:.1f} |",
                        flush=True,
                    )
    command = [sys.executable, "-m", "benchmarks.search", "memory", str(int(millions[0] * 1e6))]
    memory = subprocess.check_output(command, text=True)  # noqa: S603
    print(f"\nMemory for an item of 64 bits, codes included: {memory.strip()} bytes (goal: at most 9)")


def _compared(database: Codes, queries: Codes, bits: int, threads: int, batch: int) -> tuple[float, float, float]:
    """Queries a second of both, and the median of the ratios."""
    faiss.omp_set_num_threads(threads)
    peer = faiss.IndexBinaryFlat(bits)
    peer.add(database)
    own = _searcher(database, bits, threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    count = len(queries) if batch > 1 else 20

    def answer(search: Callable[[Codes], NDArray[np.int64]]) -> tuple[float, NDArray[np.int64]]:
        start = clock()
        found = [search(queries[first : first + batch]) for first in range(0, count, batch)]
        return clock() - start, np.concatenate(found)

    def ours(some: Codes) -> NDArray[np.int64]:
        return np.stack([hits.distances for hits in own.nearest(some, _TOP_K, Filter())]).astype(np.int64)

    def theirs(some: Codes) -> NDArray[np.int64]:
        distances: NDArray[np.int64] = peer.search(some, _TOP_K)[0].astype(np.int64)
        return distances

    answer(ours), answer(theirs)  # compile, and read everything once
    rounds = [(answer(ours), answer(theirs)) for _ in range(_ROUNDS)]
    np.testing.assert_array_equal(rounds[0][0][1], rounds[0][1][1])
    seconds = [statistics.median(side[0] for side in sides) for sides in zip(*rounds, strict=True)]
    ratio = statistics.median(other[0] / mine[0] for mine, other in rounds)
    return count / seconds[0], count / seconds[1], ratio


def _searcher(database: Codes, bits: int, threads: int) -> ExactSearcher:
    names = np.char.mod("%d", np.arange(1))  # names are not looked at
    collection = Collection(database[:1], names.tolist(), bits, {})
    return ExactSearcher(collection, words_of(database), threads)


def _codes(count: int, bits: int, seed: int) -> Codes:
    """``(count, bits / 8)`` packed codes of clustered points."""
    shape = np.random.default_rng(0)
    centers = shape.standard_normal((_CLUSTERS, _DIMENSIONS), np.float32)
    projection = shape.standard_normal((_DIMENSIONS, bits), np.float32)
    rng, parts = np.random.default_rng(seed + 1), []
    for first in range(0, count, 1 << 18):
        chosen = centers[rng.integers(_CLUSTERS, size=min(1 << 18, count - first))]
        points = chosen + 0.5 * rng.standard_normal(chosen.shape, np.float32)
        parts.append(np.packbits(points @ projection > 0, axis=1))
    return np.concatenate(parts)


def _memory(count: int) -> str:
    """Bytes for an item: the codes, and what searching them takes besides."""
    database, queries = _codes(count, 64, 0), _codes(64, 64, 1)
    searcher = _searcher(database, 64, 1)
    searcher.nearest(_codes(64, 64, 2), _TOP_K, Filter())  # compile
    extra = extra_memory(lambda: searcher.nearest(queries, _TOP_K, Filter()))
    return f"{8 + extra * 2**20 / count:.2f}"


if __name__ == "__main__":
    main()
