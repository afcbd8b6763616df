"""Speed and memory of the evaluation, as ratios against other ways in the same run.

``python -m benchmarks.evaluation`` prints Markdown tables. Every ratio is the median over rounds in which both sides
run one after the other; the slower side measures fewer queries, its time per query being constant.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numba import njit, types
from numba.extending import intrinsic
from threadpoolctl import threadpool_limits
from torch import Tensor
from torchmetrics.retrieval import RetrievalMAP

from benchmarks.memory import extra_memory
from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance
from softhash.metrics.average_cumulative_gain import AverageCumulativeGain
from softhash.metrics.base import RankingMetric
from softhash.metrics.evaluate import evaluate
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.mean_reciprocal_rank import MeanReciprocalRank
from softhash.metrics.normalized_discounted_cumulative_gain import NormalizedDiscountedCumulativeGain
from softhash.metrics.precision import Precision
from softhash.metrics.precision_within_radius import PrecisionWithinRadius
from softhash.metrics.r_precision import RPrecision
from softhash.metrics.recall import Recall
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision
from softhash.ranking.counts import Database, pack_labels, words
from softhash.ranking.relevance import LabelRelevance

_ROUNDS = 5

Arrays = tuple[Tensor, Tensor, Tensor, Tensor]


class Problem(NamedTuple):
    """Codes and labels of the size of a data set."""

    name: str
    num_query: int
    num_database: int
    bits: int
    classes: int
    labels: float  # mean labels of an item
    top_k: int
    wanted: int  # times faster than the reference


_PROBLEMS = (
    Problem("MIRFLICKR-25K", 1_000, 20_000, 48, 38, 4.7, 5_000, 30),
    Problem("NUS-WIDE-21", 5_000, 190_000, 64, 21, 2.4, 5_000, 70),
    Problem("MS-COCO", 5_000, 117_218, 64, 80, 2.9, 5_000, 100),
)


def _metrics(top_k: int) -> list[RankingMetric]:
    """Every metric on rankings that has a config."""
    return [
        MeanAveragePrecision(top_k),
        MeanAveragePrecision(),
        MeanAveragePrecision(top_k, "possible"),
        NormalizedDiscountedCumulativeGain(100),
        NormalizedDiscountedCumulativeGain(100, "linear"),
        AverageCumulativeGain(100),
        WeightedAveragePrecision(),
        PrecisionWithinRadius(2),
        Precision(100),
        Recall(top_k),
        RPrecision(),
        MeanReciprocalRank(),
    ]


def _make(problem: Problem, num_database: int | None = None) -> Arrays:
    """Codes that know a little of the labels: of queries, then of the database, each with the labels."""
    rng = torch.Generator().manual_seed(0)
    projection = torch.randn(problem.classes, problem.bits, generator=rng)
    found: list[Tensor] = []
    for count in (problem.num_query, num_database or problem.num_database):
        labels = (torch.rand(count, problem.classes, generator=rng) < problem.labels / problem.classes).to(torch.uint8)
        codes = [
            pack(part.float() @ projection + 1.5 * torch.randn(len(part), problem.bits, generator=rng))
            for part in labels.split(1 << 16)
        ]
        found += [torch.cat(codes), labels]
    return found[0], found[1], found[2], found[3]


def _argsort_map(query: np.ndarray, wanted: np.ndarray, database: np.ndarray, offered: np.ndarray, top_k: int) -> float:
    """The mAP as DeepHash-pytorch and much other code computes it: inner products and an argsort for each query."""
    total = 0.0
    for code, labels in zip(query, wanted, strict=True):
        relevant = (np.dot(labels, offered.T) > 0).astype(np.float32)
        ranked = relevant[np.argsort(0.5 * (len(code) - np.dot(code, database.T)))][:top_k]
        count = int(ranked.sum())
        if count:
            total += float(np.mean(np.linspace(1, count, count) / (np.flatnonzero(ranked == 1) + 1.0)))
    return total / len(query)


def _signs(codes: Tensor, bits: int) -> np.ndarray:
    return (unpack(codes, bits).float() * 2 - 1).numpy()


@intrinsic
def _set_bits(_, word):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return types.uint64(word), lambda _context, builder, _signature, arguments: builder.ctpop(arguments[0])


@njit(cache=True)
def _popcounts(query, wanted, database, offered):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    """Only the two population counts of each pair, added up: what no evaluation of pairs can do without."""
    total = np.uint64(0)
    for start in range(0, len(database), 2048):
        codes, labels = database[start : start + 2048], offered[start : start + 2048]
        for row in range(len(query)):
            for item in range(len(codes)):
                total += _set_bits(query[row] ^ codes[item]) + _set_bits(wanted[row] & labels[item])  # type: ignore[call-arg]
    return total


def _seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _ratios(slow: Callable[[], object], factor: float, fast: Callable[[], object], rounds: int = _ROUNDS) -> str:
    """Median and range of how many times faster the second is; ``factor`` scales the time of the first."""
    fast()
    return _median(lambda: factor * _seconds(slow) / _seconds(fast), rounds)


def _median(measured: Callable[[], float], rounds: int = _ROUNDS) -> str:
    """Median and range of some measurements."""
    found = sorted(measured() for _ in range(rounds))
    return f"{statistics.median(found):.1f} [{found[0]:.1f} to {found[-1]:.1f}]"


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def _evaluate(metrics: Sequence[RankingMetric], arrays: Arrays, bits: int) -> object:
    query, query_labels, database, database_labels = arrays
    return evaluate(metrics, query, database, LabelRelevance(query_labels, database_labels), bits)


def _against_argsort() -> None:
    _row("data", "queries x items, bits, labels", "ms, all metrics", "argsort, integer labels / ours", "wanted",
         "argsort, float32 labels / ours", "ours / two popcounts", "wanted", "µs/query beside counting")  # fmt: skip
    _row(*["---"] * 9)
    for problem in _PROBLEMS:
        arrays = _make(problem)
        metrics, few = _metrics(problem.top_k), min(problem.num_query, 3_000_000 // problem.num_database)
        signs = _signs(arrays[0][:few], problem.bits), _signs(arrays[2], problem.bits)

        def ours(arrays: Arrays = arrays, p: Problem = problem, m: list[RankingMetric] = metrics) -> object:
            return _evaluate(m, arrays, p.bits)

        ratios = []
        for dtype in (np.int64, np.float32):
            labels = arrays[1][:few].numpy().astype(dtype), arrays[3].numpy().astype(dtype)

            def theirs(s=signs, w=labels, k: int = problem.top_k) -> object:  # type: ignore[no-untyped-def]  # noqa: ANN001
                return _argsort_map(s[0], w[0], s[1], w[1], k)

            ratios.append(_ratios(theirs, problem.num_query / few, ours))
        limit = "labels take two words"
        if problem.classes <= 64:
            columns = [words(arrays[0])[0], words(pack_labels(arrays[1]))[0]]
            columns += [words(arrays[2])[0], words(pack_labels(arrays[3]))[0]]
            _popcounts(*columns)
            limit = _ratios(ours, 1.0, lambda c=columns: _popcounts(*c))  # type: ignore[misc]
        _row(
            problem.name,
            f"{problem.num_query:,} x {problem.num_database:,}, {problem.bits}, {problem.classes}",
            _median(lambda: 1e3 * _seconds(ours)),
            ratios[0],
            problem.wanted,
            ratios[1],
            limit,
            "at most 5",
            _beside_counting(problem, arrays, metrics),
        )


def _beside_counting(problem: Problem, arrays: Arrays, metrics: list[RankingMetric]) -> str:
    """Microseconds per query that are spent on other things than counting its pairs."""
    query, query_labels, database, database_labels = arrays

    def count() -> None:
        ready = Database(database, database_labels, problem.bits)
        for codes, labels in zip(query.split(256), query_labels.split(256), strict=True):
            ready.tally(codes, labels)

    def once() -> float:
        return 1e6 * (_seconds(lambda: _evaluate(metrics, arrays, problem.bits)) - _seconds(count)) / problem.num_query

    return _median(once)


def _against_torchmetrics() -> None:
    problem = _PROBLEMS[1]
    query, query_labels, database, database_labels = _make(problem)
    few = 20
    scores = problem.bits - hamming_distance(query[:few], database).float() + 1
    relevant = query_labels[:few].float() @ database_labels.float().T > 0
    indexes = torch.arange(few)[:, None].expand_as(scores)

    def theirs() -> object:
        return RetrievalMAP()(scores.flatten(), relevant.flatten(), indexes=indexes.flatten())

    metrics = _metrics(problem.top_k)
    ratio = _ratios(
        theirs,
        problem.num_query / few,
        lambda: _evaluate(metrics, (query, query_labels, database, database_labels), problem.bits),
        rounds=3,
    )
    _row("torchmetrics RetrievalMAP / ours, all metrics (NUS-WIDE-21), 3 rounds", ratio, "at least 200")


def _threads() -> None:
    problem = _PROBLEMS[1]
    arrays, metrics = _make(problem), _metrics(problem.top_k)

    def with_threads(count: int) -> float:
        torch.set_num_threads(count)
        return _seconds(lambda: _evaluate(metrics, arrays, problem.bits))

    found = sorted(with_threads(1) / with_threads(2) for _ in range(_ROUNDS))
    torch.set_num_threads(1)
    text = f"{statistics.median(found):.2f} [{found[0]:.2f} to {found[-1]:.2f}]"
    _row("one thread / two threads (NUS-WIDE-21)", text, "at least 1.8, quiet")


def _linearity() -> None:
    problem = _PROBLEMS[1]._replace(num_query=256)
    metrics, seconds = _metrics(problem.top_k), {}
    for size in (20_000, 200_000, 2_000_000):
        arrays = _make(problem, size)

        def ours(a: Arrays = arrays) -> object:
            return _evaluate(metrics, a, problem.bits)

        seconds[size] = min(_seconds(ours) for _ in range(3))
    _row("time at 200,000 items / at 20,000, least of 3", f"{seconds[200_000] / seconds[20_000]:.1f}", "")
    _row(
        "time at 2,000,000 items / at 200,000, least of 3", f"{seconds[2_000_000] / seconds[200_000]:.1f}", "at most 11"
    )


def _memory_of(problem: Problem) -> None:
    """Print megabytes above the arrays; in a process of its own, as a peak cannot be taken back."""
    torch.set_num_threads(1)
    arrays, metrics = _make(problem), _metrics(problem.top_k)
    small = [MeanAveragePrecision(10)]
    codes, labels = arrays[0][:100], arrays[1][:100]
    _evaluate(small, (codes, labels, codes, labels), problem.bits)  # load the kernels
    print(f"{extra_memory(lambda: _evaluate(metrics, arrays, problem.bits)):.0f}")


def _memory() -> None:
    for index, problem in enumerate(_PROBLEMS):
        call = [sys.executable, "-m", "benchmarks.evaluation", "memory", str(index)]
        found = subprocess.run(call, check=True, capture_output=True, text=True)  # noqa: S603
        _row(f"peak memory above the arrays, MB ({problem.name})", found.stdout.strip(), "at most 64")


def _first_call() -> None:
    code = (
        "import time, torch; from softhash.metrics.evaluate import evaluate;"
        "from softhash.metrics.mean_average_precision import MeanAveragePrecision as M;"
        "from softhash.metrics.average_cumulative_gain import AverageCumulativeGain as N;"
        "from softhash.ranking.relevance import LabelRelevance as R;"
        "c = torch.zeros(9, 1, dtype=torch.uint8); l = torch.ones_like(c); t = time.perf_counter();"
        "evaluate([M(), M(5), N(5)], c, c, R(l, l), 8); print(f'{time.perf_counter() - t:.2f}')"
    )
    with tempfile.TemporaryDirectory() as cache:
        for name in ("compiling", "from the cache"):
            call = [sys.executable, "-c", code]
            environment = os.environ | {"NUMBA_CACHE_DIR": cache}
            found = subprocess.run(call, check=True, capture_output=True, text=True, env=environment)  # noqa: S603
            _row(f"first call in a process, {name}, s", found.stdout.strip(), "")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line for line in lines if line.startswith("flags")), "")
    widest = "AVX-512" if "avx512_vpopcntdq" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    cpu = f"{len(names)} x {names[0]} ({widest})" if names else platform.processor()
    return f"{cpu}, Python {platform.python_version()}, torch {torch.__version__}, numpy {np.__version__}"


def main() -> None:
    """Print all tables."""
    torch.set_num_threads(1)
    print(f"{_machine()}. One thread on both sides, unless said otherwise; median [range] of {_ROUNDS} rounds.\n")
    _against_argsort()
    print()
    _row("", "measured", "wanted")
    _row("---", "---", "---")
    _against_torchmetrics()
    _threads()
    _linearity()
    _memory()
    _first_call()


if __name__ == "__main__":
    if sys.argv[1:2] == ["memory"]:
        _memory_of(_PROBLEMS[int(sys.argv[2])])
    else:
        with threadpool_limits(1):  # numpy's products of matrices would take all cores
            main()
