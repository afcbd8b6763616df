"""All measures of codes, in one pass over the pairs of queries and database."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from softhash.functional.codes import check_codes
from softhash.functional.ranking import (
    binary,
    num_relevant,
    precision_at_ranks,
    precision_recall_curve,
)
from softhash.functional.tally import Database
from softhash.functional.ties import Order
from softhash.metrics.base import TallyMetric, mean

_QUERY_BLOCK = 256
_BLOCK_CELLS = 1 << 18  # of the tallies of a block of queries: 2 MB
_WORKERS = 8  # each has a block in memory
_CURVE_POINTS = 64  # ranks, evenly spaced in their logarithm, at which the precision@N curve is taken
_ORDERS: tuple[Order, ...] = ("expected", "worst", "best")

Array = Tensor | np.ndarray


@dataclass(frozen=True)
class Measure:
    """A measure, averaged over queries.

    Attributes:
        expected: Mean over the orders of ties, exact.
        worst: In the order of ties that makes it smallest.
        best: In the order of ties that makes it largest.
        per_query: ``(Q,)`` float64 expected values, for significance tests; NaN for a query that is excluded.
        conventions: The choices that the number depends on, such as cut-off and normaliser.
    """

    expected: float
    worst: float
    best: float
    per_query: Tensor
    conventions: dict[str, str | int | None]


@dataclass(frozen=True)
class Evaluation:
    """What the codes of queries and database are worth.

    Attributes:
        measures: By name, in the order asked for.
        num_queries: Q.
        num_database: N, without the query itself where that is left out.
        queries_without_relevant: Queries that share no label with any item.
        empty_balls: ``(K + 1,)`` share of queries with no item within each Hamming radius.
        pairs: ``(K + 1, R)`` int64 pairs by Hamming distance and number of shared labels.
        radius_precision: ``(K + 1,)`` mean precision within each Hamming radius; empty balls count as 0.
        radius_recall: ``(K + 1,)`` mean recall within each Hamming radius.
        ranks: ``(P,)`` int64 ranks of the precision@N curve, from 1 to the size of the database.
        rank_precision: ``(P,)`` mean precision at those ranks.
    """

    measures: dict[str, Measure]
    num_queries: int
    num_database: int
    queries_without_relevant: int
    empty_balls: Tensor
    pairs: Tensor
    radius_precision: Tensor
    radius_recall: Tensor
    ranks: Tensor
    rank_precision: Tensor


@dataclass(frozen=True)
class _Block:
    """What is kept of a block of queries: values ``(metrics, 3, q)``, sums over its queries for the rest."""

    values: Tensor
    pairs: Tensor
    curves: tuple[Tensor, Tensor, Tensor]  # (q, K + 1) precision and recall by radius, (q, P) precision by rank
    empty: Tensor
    without_relevant: int


def evaluate(
    metrics: Mapping[str, TallyMetric] | Sequence[TallyMetric],
    query_codes: Array,
    query_labels: Array,
    database_codes: Array,
    database_labels: Array,
    bits: int,
    *,
    exclude_self: bool = False,
) -> Evaluation:
    """Measure codes; block by block of queries, and the same to the last digit for any block size.

    Queries are shared out to as many threads as torch may use, eight at most. Memory above the arguments: a
    packed copy of codes and labels, and a few megabytes for each thread.

    Args:
        metrics: The measures; keys do not matter.
        query_codes: ``(Q, W)`` packed uint8, tensor or array; so are the others.
        query_labels: ``(Q, C)`` multi-hot.
        database_codes: ``(N, W)`` packed uint8.
        database_labels: ``(N, C)`` multi-hot.
        bits: Code length K.
        exclude_self: Queries are the database; leave each one's match with itself out.

    Raises:
        ValueError: Bad codes or labels, a cut-off beyond the database, or no query with a relevant item.
    """
    metrics = list(metrics.values()) if isinstance(metrics, Mapping) else list(metrics)
    query_codes, query_labels = torch.as_tensor(query_codes), torch.as_tensor(query_labels)
    check_codes(query_codes, bits, "query_codes")
    database = Database(torch.as_tensor(database_codes), torch.as_tensor(database_labels), bits)
    size = len(database) - exclude_self
    for metric in metrics:
        metric.check_size(size)
    if exclude_self and len(query_codes) != len(database):
        sizes = f"{len(query_codes)} and {len(database)}"
        msg = f"exclude_self needs the queries to be the database, got {sizes} codes"
        raise ValueError(msg)
    spaced = np.geomspace(1, max(size, 1), _CURVE_POINTS).round().astype(np.int64)
    ranks = torch.from_numpy(np.unique(spaced))

    def measure(rows: Tensor) -> _Block:
        counts = database.tally(query_codes[rows], query_labels[rows]).cpu()
        if exclude_self:
            counts[torch.arange(len(counts)), 0, query_labels[rows].sum(1).long().cpu()] -= 1
        return _measure(metrics, counts, ranks)

    grades = 1 + database.most_labels
    step = max(1, min(_QUERY_BLOCK, _BLOCK_CELLS // ((bits + 1) * grades)))
    values, without_relevant = [], 0
    pairs = torch.zeros(bits + 1, grades, dtype=torch.int64)
    empty = torch.zeros(bits + 1, dtype=torch.int64)
    curves = [torch.zeros(1, n, dtype=torch.float64) for n in (bits + 1, bits + 1, len(ranks))]
    workers = 1 if query_codes.is_cuda else min(torch.get_num_threads(), _WORKERS)
    for block in _in_threads(measure, torch.arange(len(query_codes)).split(step), workers):
        values.append(block.values)
        without_relevant += block.without_relevant
        pairs[:, : block.pairs.shape[1]] += block.pairs
        empty += block.empty
        # one query after the other, so that the block size does not change a digit
        curves = [torch.cat([c, new]).cumsum(0)[-1:] for c, new in zip(curves, block.curves, strict=True)]
    count = len(query_codes)
    if without_relevant == count:
        msg = f"none of the {count} queries shares a label with any of the {size} database items"
        raise ValueError(msg)
    found = torch.cat(values, dim=2)
    radius_precision, radius_recall, rank_precision = (c[0] / count for c in curves)
    used = int(pairs.any(0).nonzero().max()) + 1
    return Evaluation(
        measures={
            metric.name: Measure(mean(expected), mean(worst), mean(best), expected, metric.conventions)
            for metric, (expected, worst, best) in zip(metrics, found, strict=True)
        },
        num_queries=count,
        num_database=size,
        queries_without_relevant=without_relevant,
        empty_balls=empty.double() / count,
        pairs=pairs[:, :used],
        radius_precision=radius_precision,
        radius_recall=radius_recall,
        ranks=ranks,
        rank_precision=rank_precision,
    )


def _measure(metrics: Sequence[TallyMetric], counts: Tensor, ranks: Tensor) -> _Block:
    """Measure a block of queries from its ``(q, K + 1, R)`` tallies."""
    relevance = binary(counts)
    by_metric = [
        torch.stack([metric.values(counts if metric.graded else relevance, order) for order in _ORDERS])
        for metric in metrics
    ]
    return _Block(
        values=torch.stack(by_metric) if by_metric else torch.empty(0, len(_ORDERS), len(counts)),
        pairs=counts.sum(0),
        curves=(*precision_recall_curve(relevance), precision_at_ranks(relevance, ranks)),
        empty=((relevance[:, :, 0] + relevance[:, :, 1]).cumsum(1) == 0).sum(0),
        without_relevant=int((num_relevant(relevance) == 0).sum()),
    )


def _in_threads(function: Callable[[Tensor], _Block], parts: Iterable[Tensor], workers: int) -> Iterator[_Block]:
    """Results in order; each thread keeps to itself inside torch."""
    if workers == 1:
        yield from map(function, parts)
        return
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(function, parts)
    finally:
        torch.set_num_threads(workers)
