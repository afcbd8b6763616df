"""Metrics for a training loop: queries arrive in batches, or the database does."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from softhash.functional.codes import check_codes
from softhash.metrics.base import RankingMetric
from softhash.ranking.counts import Database, check_labels, most_labels
from softhash.ranking.ranking import Ranking

_QUERIES = 256  # scored together


class QueryMetrics(MetricCollection):
    """Metrics of queries that arrive in batches or are spread over processes, against a whole database.

    The metrics share one ranking per batch. ``compute`` gives a 0-d float64 tensor for each name, the
    same for any batches and any number of processes, if each query is there once: leave out the rows that a
    distributed sampler repeats with :func:`softhash.functional.distributed.own_rows`.

    Args:
        metrics: The metrics.
        database: All of it, in every process.

    Example:
        >>> from softhash.metrics.mean_average_precision import MeanAveragePrecision
        >>> codes, labels = torch.tensor([[0b0], [0b1]], dtype=torch.uint8), torch.tensor([[1, 0], [0, 1]])
        >>> metrics = QueryMetrics([MeanAveragePrecision()], Database(codes, labels, bits=1))
        >>> metrics.update(codes, labels)
        >>> metrics.compute()
        {'mAP': tensor(1., dtype=torch.float64)}
    """

    def __init__(self, metrics: Sequence[RankingMetric], database: Database) -> None:
        super().__init__({metric.name: metric for metric in metrics})
        for metric in metrics:
            metric.check_size(len(database))
        self.database = database

    def update(self, query_codes: Tensor, query_labels: Tensor) -> None:  # type: ignore[override]
        """Add queries: ``(Q, W)`` packed uint8 and ``(Q, C)`` multi-hot; Q may be 0."""
        if len(query_codes):
            super().update(self.database.rank(query_codes, query_labels))

    def forward(self, query_codes: Tensor, query_labels: Tensor) -> dict[str, Any]:
        """Add queries, and give the metrics of these alone; NaN where there is none."""
        if not len(query_codes):
            return {str(name): torch.tensor(torch.nan, dtype=torch.float64) for name in self}
        return super().forward(self.database.rank(query_codes, query_labels))


class ShardMetrics(Metric):
    """Metrics of a database that arrives in batches or is spread over processes, for all queries at once.

    The state is the tally of all queries, a sum over the database; each item must be there once.

    Args:
        metrics: The metrics.
        query_codes: ``(Q, W)`` packed uint8, all of them in every process.
        query_labels: ``(Q, C)`` multi-hot.
        bits: Code length K.

    Raises:
        ValueError: Bad codes or labels, or no query.
    """

    full_state_update = False
    counts: Tensor
    query_codes: Tensor
    query_labels: Tensor

    def __init__(self, metrics: Sequence[RankingMetric], query_codes: Tensor, query_labels: Tensor, bits: int) -> None:
        super().__init__()
        check_codes(query_codes, bits, "query_codes")
        check_labels(query_labels, query_codes, "query")
        self.metrics = {metric.name: metric for metric in metrics}
        self.bits = bits
        self.register_buffer("query_codes", query_codes, persistent=False)
        self.register_buffer("query_labels", query_labels, persistent=False)
        shape = len(query_codes), bits + 1, 1 + most_labels(query_labels)
        self.add_state("counts", torch.zeros(shape, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, database_codes: Tensor, database_labels: Tensor) -> None:
        """Add items of the database: ``(N, W)`` packed uint8 and ``(N, C)`` multi-hot; N may be 0."""
        if len(database_codes):
            found = Database(database_codes, database_labels, self.bits).tally(self.query_codes, self.query_labels)
            self.counts[:, :, : found.shape[2]] += found

    def compute(self) -> dict[str, Tensor]:
        """Each metric of the database so far, by name: 0-d float64, NaN where there is no item yet."""
        size = int(self.counts[0].sum())
        if not size:
            return {name: torch.tensor(torch.nan, dtype=torch.float64) for name in self.metrics}
        for metric in self.metrics.values():
            metric.check_size(size)
        rankings = [Ranking.of_counts(part) for part in self.counts.split(_QUERIES)]
        return {
            name: torch.tensor(
                metric.mean(torch.cat([metric.scores(ranking) for ranking in rankings])), dtype=torch.float64
            )
            for name, metric in self.metrics.items()
        }
