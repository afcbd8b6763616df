"""All measures of codes, in one pass over the pairs of queries and database."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from softhash.functional.codes import check_codes
from softhash.functional.hamming import hamming_distance
from softhash.metrics.base import TallyMetric, mean
from softhash.ranking.counts import Database
from softhash.ranking.ranking import (
    binary,
    num_relevant,
    precision_at_ranks,
    precision_recall_curve,
)
from softhash.ranking.relevance import LabelRelevance, Relevance
from softhash.ranking.scores import check_relevance, tally_distances
from softhash.ranking.sharing import sharing
from softhash.ranking.ties import Order

_QUERY_BLOCK = 1024
_GRADED_BLOCK = 16  # queries, whose distances and grades are in memory together
_CELLS = 1 << 20  # of the tallies in memory: 8 MB
_WORKERS = 8
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
    database_codes: Array,
    relevance: Relevance,
    bits: int,
    *,
    exclude_self: bool = False,
) -> Evaluation:
    """Measure codes; see :func:`_evaluate_labels`."""
    if isinstance(relevance, LabelRelevance):
        labels = relevance.query_labels, relevance.database_labels
        return _evaluate_labels(
            metrics, query_codes, labels[0], database_codes, labels[1], bits, exclude_self=exclude_self
        )
    grades = relevance.between(torch.arange(relevance.shape[0]), torch.arange(relevance.shape[1]))
    return _evaluate_graded(metrics, query_codes, database_codes, grades, bits, exclude_self=exclude_self)


def _evaluate_labels(
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
    packed copy of codes and labels, and some 30 megabytes.

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
    _check_self(query_codes, database.codes, exclude_self)

    def tallies(rows: Tensor) -> tuple[Tensor, None]:
        counts = database.tally(query_codes[rows], query_labels[rows]).cpu()
        if exclude_self:
            counts[torch.arange(len(counts)), 0, query_labels[rows].sum(1).long().cpu()] -= 1
        return counts, None

    columns = 1 + database.most_labels
    workers = 1 if query_codes.is_cuda else min(torch.get_num_threads(), _WORKERS)
    step = max(1, min(_QUERY_BLOCK, _CELLS // workers // ((bits + 1) * columns)))
    rounds = -(-len(query_codes) // (step * workers))  # in each, every worker has a block
    rows = torch.arange(len(query_codes)).tensor_split(min(rounds * workers, len(query_codes)))
    return _evaluate(metrics, tallies, rows, len(database) - exclude_self, (bits + 1, columns), workers)


def _evaluate_graded(
    metrics: Mapping[str, TallyMetric] | Sequence[TallyMetric],
    query_codes: Array,
    database_codes: Array,
    relevance: Array,
    bits: int,
    *,
    exclude_self: bool = False,
) -> Evaluation:
    """Measure codes where a matrix says how relevant each item is to each query, and labels do not.

    ``pairs`` of the result has two columns: not relevant, and relevant.

    Args:
        metrics: The measures; keys do not matter.
        query_codes: ``(Q, W)`` packed uint8, tensor or array.
        database_codes: ``(N, W)`` packed uint8.
        relevance: ``(Q, N)`` grades, at least 0; relevant means above 0.
        bits: Code length K.
        exclude_self: Queries are the database; leave each one's match with itself out.

    Raises:
        ValueError: Bad codes or grades, a cut-off beyond the database, or no query with a relevant item.
    """
    metrics = list(metrics.values()) if isinstance(metrics, Mapping) else list(metrics)
    query, database, grades = (torch.as_tensor(part) for part in (query_codes, database_codes, relevance))
    check_codes(query, bits, "query_codes")
    check_codes(database, bits, "database_codes")
    if grades.shape != (len(query), len(database)):
        msg = f"relevance has shape {tuple(grades.shape)}; {len(query)} queries and {len(database)} items were given"
        raise ValueError(msg)
    check_relevance(grades)
    _check_self(query, database, exclude_self)

    def tallies(rows: Tensor) -> tuple[Tensor, Tensor]:
        counts, cells = tally_distances(hamming_distance(query[rows], database), grades[rows], bits)
        if exclude_self:
            own = grades[rows, rows].cpu().double()
            found = ((cells[:, 0] == own[:, None]) & (counts[:, 0] > 0)).int().argmax(1)
            counts[torch.arange(len(counts)), 0, found] -= 1
        return counts, cells

    rows = torch.arange(len(query)).split(_GRADED_BLOCK)
    return _evaluate(metrics, tallies, rows, len(database) - exclude_self, (bits + 1, 2), workers=1)


def _evaluate(
    metrics: Sequence[TallyMetric],
    tallies: Callable[[Tensor], tuple[Tensor, Tensor | None]],
    parts: Sequence[Tensor],
    size: int,
    shape: tuple[int, int],
    workers: int,
) -> Evaluation:
    """Measure tallies and their grades, given by parts of the queries; ``shape`` is that of ``pairs``."""
    for metric in metrics:
        metric.check_size(size)
    spaced = np.geomspace(1, max(size, 1), _CURVE_POINTS).round().astype(np.int64)
    ranks = torch.from_numpy(np.unique(spaced))
    values, without_relevant = [], 0
    pairs = torch.zeros(shape, dtype=torch.int64)
    empty = torch.zeros(shape[0], dtype=torch.int64)
    curves = [torch.zeros(1, n, dtype=torch.float64) for n in (shape[0], shape[0], len(ranks))]
    for block in _in_threads(lambda rows: _measure(metrics, *tallies(rows), ranks), parts, workers):
        values.append(block.values)
        without_relevant += block.without_relevant
        pairs[:, : block.pairs.shape[1]] += block.pairs
        empty += block.empty
        # one query after the other, so that the block size does not change a digit
        curves = [torch.cat([c, new]).cumsum(0)[-1:] for c, new in zip(curves, block.curves, strict=True)]
    count = sum(map(len, parts))
    if without_relevant == count:
        msg = f"none of the {count} queries has a relevant item among the {size} of the database"
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


def _check_self(query_codes: Tensor, database_codes: Tensor, exclude_self: bool) -> None:
    if exclude_self and len(query_codes) != len(database_codes):
        sizes = f"{len(query_codes)} and {len(database_codes)}"
        msg = f"exclude_self needs the queries to be the database, got {sizes} codes"
        raise ValueError(msg)


def _measure(metrics: Sequence[TallyMetric], counts: Tensor, grades: Tensor | None, ranks: Tensor) -> _Block:
    """Measure a block of queries from its ``(q, K + 1, R)`` tallies, with grades if these are not shared labels."""
    with sharing():
        return _measured(metrics, counts, grades, ranks)


def _measured(metrics: Sequence[TallyMetric], counts: Tensor, grades: Tensor | None, ranks: Tensor) -> _Block:
    relevance = binary(counts, grades)
    by_metric = [
        torch.stack(
            [metric.values(*((counts, order, grades) if metric.graded else (relevance, order))) for order in _ORDERS]
        )
        for metric in metrics
    ]
    return _Block(
        values=torch.stack(by_metric) if by_metric else torch.empty(0, len(_ORDERS), len(counts)),
        pairs=(counts if grades is None else relevance).sum(0),
        curves=(*precision_recall_curve(relevance), precision_at_ranks(relevance, ranks)),
        empty=((relevance[:, :, 0] + relevance[:, :, 1]).cumsum(1) == 0).sum(0),
        without_relevant=int((num_relevant(relevance) == 0).sum()),
    )


def _in_threads(function: Callable[[Tensor], _Block], parts: Iterable[Tensor], workers: int) -> Iterator[_Block]:
    """Results in order; each thread keeps to itself inside torch, and so does this one, which adds them up."""
    if workers == 1:
        yield from map(function, parts)
        return
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            yield from pool.map(function, parts)
    finally:
        torch.set_num_threads(workers)
