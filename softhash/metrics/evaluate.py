"""All metrics of codes, in one pass over the pairs of queries and database."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.functional.arrays import Array, as_tensor
from softhash.metrics.base import CodeMetric, RankingMetric, mean, refuse_nan, refuse_without_labels
from softhash.metrics.curves import curves_over_distances, precision_at_ranks
from softhash.ranking.compiled import compiled
from softhash.ranking.rankers import Ranker
from softhash.ranking.ranking import ORDERS
from softhash.ranking.relevance import Relevance

_QUERIES = 1024  # ranked together, at most
_ROOM = 1 << 20  # numbers of rankings in memory: 8 MB
_WORKERS = 8
_CURVE_POINTS = 64  # ranks, evenly spaced in their logarithm, at which the precision@N curve is taken


@dataclass(frozen=True)
class Value:
    """What a metric gives, averaged over queries.

    Attributes:
        expected: Mean over the orders of ties, exact.
        worst: In the order of ties that makes it smallest.
        best: In the order of ties that makes it largest.
        per_query: ``(Q,)`` float64 expected scores, for significance tests; NaN for a query that is excluded.
        conventions: The choices that the number depends on, such as cut-off and normaliser.
    """

    expected: float
    worst: float
    best: float
    per_query: Tensor
    conventions: Mapping[str, str | int | None]


@dataclass(frozen=True)
class Evaluation:
    """What the codes of queries and database are worth.

    Curves over distances are None where queries are tables, as there are no distances.

    Attributes:
        metrics: Value of each metric by its name, in the order asked for.
        num_queries: Q.
        num_database: N, without the query itself where that is left out.
        queries_without_relevant: Queries for which no item is relevant.
        ranks: ``(P,)`` int64 ranks of the precision@N curve, from 1 to the size of the database.
        rank_precision: ``(P,)`` mean precision at those ranks.
        pairs: ``(K + 1, R)`` int64 pairs by Hamming distance and number of shared labels; in two columns, not relevant
            and relevant, where a matrix says how relevant items are.
        empty_balls: ``(K + 1,)`` share of queries with no item within each Hamming radius.
        radius_precision: ``(K + 1,)`` mean precision within each Hamming radius; empty balls count as 0.
        radius_recall: ``(K + 1,)`` mean recall within each Hamming radius.
    """

    metrics: dict[str, Value]
    num_queries: int
    num_database: int
    queries_without_relevant: int
    ranks: Tensor
    rank_precision: Tensor
    pairs: Tensor | None = None
    empty_balls: Tensor | None = None
    radius_precision: Tensor | None = None
    radius_recall: Tensor | None = None

    def values(self) -> dict[str, dict[str, float]]:
        """``expected``, ``worst`` and ``best`` of each metric, by its name."""
        return {
            name: {"expected": value.expected, "worst": value.worst, "best": value.best}
            for name, value in self.metrics.items()
        }

    def per_query(self) -> dict[str, NDArray[np.float64]]:
        """Expected score of each query, ``(Q,)``, by the name of the metric."""
        return {name: value.per_query.numpy() for name, value in self.metrics.items()}

    def curves(self) -> dict[str, NDArray[np.generic]]:
        """Curves and pairs by their name, those that there are."""
        curves = {
            "pairs": self.pairs,
            "empty_balls": self.empty_balls,
            "radius_precision": self.radius_precision,
            "radius_recall": self.radius_recall,
            "ranks": self.ranks,
            "rank_precision": self.rank_precision,
        }
        return {name: curve.numpy() for name, curve in curves.items() if curve is not None}


class _Block(NamedTuple):
    """What is kept of a block of q queries.

    ``scores`` are ``(metrics, 3, q)``, a curve has a row for each query, ``pairs`` are summed.
    """

    scores: Tensor
    without_relevant: int
    curves: dict[str, Tensor]
    pairs: Tensor | None


def evaluate(
    metrics: Mapping[str, RankingMetric | CodeMetric] | Sequence[RankingMetric | CodeMetric],
    query_codes: Array,
    database_codes: Array,
    relevance: Relevance,
    bits: int,
    *,
    exclude_self: bool = False,
) -> Evaluation:
    """Measure codes; block by block of queries, and the same to the last digit for any block size.

    Queries are shared out to as many threads as torch may use, eight at most. Memory above the arguments: with labels a
    packed copy of codes and labels, and some 30 megabytes.

    Args:
        metrics: The metrics; keys do not matter.
        query_codes: ``(Q, W)`` packed uint8, tensor or array; or ``(Q, W, 256)`` tables, whose entries for the bytes of
            a code add up to its score, larger is nearer. Metrics of codes or within a Hamming radius are left out then.
        database_codes: ``(N, W)`` packed uint8.
        relevance: How relevant each item is to each query.
        bits: Code length K.
        exclude_self: Queries are the database, in its order; leave each one's match with itself out.

    Raises:
        ValueError: Bad codes, labels or grades, a cut-off beyond the database, or no query with a relevant item.

    Example:
        >>> from softhash.metrics.mean_average_precision import MeanAveragePrecision
        >>> from softhash.ranking.relevance import LabelRelevance
        >>> codes, labels = torch.tensor([[0b0], [0b1]], dtype=torch.uint8), torch.tensor([[1, 0], [0, 1]])
        >>> evaluate([MeanAveragePrecision()], codes, codes, LabelRelevance(labels, labels), bits=1).values()
        {'mAP': {'expected': 1.0, 'worst': 1.0, 'best': 1.0}}
    """
    metrics = list(metrics.values()) if isinstance(metrics, Mapping) else list(metrics)
    query, database = as_tensor(query_codes, "query_codes"), as_tensor(database_codes, "database_codes")
    ranker = relevance.ranker(query, database, bits, exclude_self=exclude_self)
    num_query, size = len(query), len(database) - exclude_self
    on_rankings = [
        metric
        for metric in metrics
        if isinstance(metric, RankingMetric) and (ranker.has_distances or not metric.needs_distances)
    ]
    for metric in on_rankings:
        metric.check_size(size)
    spaced = np.geomspace(1, max(size, 1), _CURVE_POINTS).round().astype(np.int64)
    ranks = torch.from_numpy(np.unique(spaced))

    workers = min(torch.get_num_threads(), _WORKERS) if ranker.is_parallel else 1
    step = max(1, min(_QUERIES, _ROOM // workers // ranker.room))
    rounds = -(-num_query // (step * workers))  # in each, every worker has a block
    parts = torch.arange(num_query).tensor_split(min(rounds * workers, num_query))
    scores, without_relevant, curves = [], 0, dict[str, Tensor]()
    pairs: Tensor | None = None
    for block in _in_threads(lambda rows: _measure(on_rankings, ranker, rows, ranks), parts, workers):
        scores.append(block.scores)
        without_relevant += block.without_relevant
        for name, rows in block.curves.items():
            total = curves.setdefault(name, torch.zeros_like(rows[0]))
            _add_one_by_one(total.numpy(), rows.numpy())  # so that the block size does not change a digit
        if block.pairs is not None:
            pairs = block.pairs if pairs is None else pairs + block.pairs
    if without_relevant == num_query:
        msg = f"none of the {num_query} queries has a relevant item among the {size} of the database"
        raise ValueError(msg)

    by_metric = torch.cat(scores, dim=2)
    values = {metric.name: value_of(metric, *three) for metric, three in zip(on_rankings, by_metric, strict=True)}
    if ranker.has_distances:
        values |= _values_of_codes(metrics, query, database, relevance, bits)
    return Evaluation(
        metrics={metric.name: values[metric.name] for metric in metrics if metric.name in values},
        num_queries=num_query,
        num_database=size,
        queries_without_relevant=without_relevant,
        ranks=ranks,
        pairs=None if pairs is None else pairs[:, : int(pairs.any(0).nonzero().max()) + 1],
        **{name: total / num_query for name, total in curves.items()},
    )


def value_of(metric: RankingMetric, expected: Tensor, worst: Tensor, best: Tensor) -> Value:
    """Value of a metric from its ``(Q,)`` scores in each order of ties."""
    return Value(metric.mean(expected), metric.mean(worst), metric.mean(best), expected, metric.conventions)


def _measure(metrics: Sequence[RankingMetric], ranker: Ranker, rows: Tensor, ranks: Tensor) -> _Block:
    """Measure a block of queries."""
    ranking = ranker.rank(rows)
    scores = [torch.stack([metric.scores(ranking, order) for order in ORDERS]) for metric in metrics]
    curves = {"rank_precision": precision_at_ranks(ranking, ranks)}
    return _Block(
        scores=torch.stack(scores) if scores else torch.empty(0, len(ORDERS), len(rows)),
        without_relevant=int((ranking.num_relevant == 0).sum()),
        curves=curves | (curves_over_distances(ranking) if ranker.has_distances else {}),
        pairs=ranker.pairs(ranking) if ranker.has_distances else None,
    )


def _values_of_codes(
    metrics: Sequence[RankingMetric | CodeMetric], query: Tensor, database: Tensor, relevance: Relevance, bits: int
) -> dict[str, Value]:
    """Values of the metrics that are more than a function of rankings, in which nothing ties."""
    if relevance.labels is None:
        refuse_without_labels(metrics)
        return {}
    values = {}
    for metric in metrics:
        if isinstance(metric, CodeMetric):
            query_labels, database_labels = relevance.labels
            scores = metric.score(query, query_labels, database, database_labels, bits)
            refuse_nan(metric.name, scores)
            value = mean(scores)
            values[metric.name] = Value(value, value, value, scores, metric.conventions)
    return values


def _in_threads(function: Callable[[Tensor], _Block], parts: Sequence[Tensor], workers: int) -> Iterator[_Block]:
    """Results in order; torch is limited to one thread per worker, and here while the results are added up."""
    if workers == 1:
        yield from map(function, parts)
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(function, parts)
    finally:
        torch.set_num_threads(threads)


@compiled
def _add_one_by_one(total: NDArray[np.float64], rows: NDArray[np.float64]) -> None:
    """Add ``(q, P)`` rows to their ``(P,)`` total, one after the other."""
    for query in range(len(rows)):
        for place in range(len(total)):
            total[place] += rows[query, place]
