"""The same metrics for real-valued scores and graded relevance."""

from collections.abc import Sequence

import torch
from torch import Tensor

from softhash.functional.codes import pack
from softhash.metrics.base import RankingMetric
from softhash.metrics.evaluate import Value, evaluate, value_of
from softhash.ranking.ranking import ORDERS
from softhash.ranking.relevance import LabelRelevance
from softhash.ranking.scores import rank_scores

_QUERIES = 16  # whose rankings are in memory together


def evaluate_scores(metrics: Sequence[RankingMetric], scores: Tensor, relevance: Tensor) -> dict[str, Value]:
    """Measure rankings by real-valued scores: of float embeddings, weighted bits, asymmetric distances.

    Args:
        metrics: The metrics; none within a Hamming radius.
        scores: ``(Q, N)`` real, larger is nearer; equal scores are ties.
        relevance: ``(Q, N)`` grades, at least 0; relevant means above 0.

    Returns:
        Value of each metric, by its name.

    Raises:
        ValueError: Bad scores or relevance, a cut-off beyond the database, or a metric that needs codes.
    """
    for metric in metrics:
        metric.check_size(scores.shape[1])
    radius = [metric.name for metric in metrics if metric.needs_distances]
    if radius:
        msg = f"{', '.join(radius)} needs Hamming distances of codes, not scores"
        raise ValueError(msg)
    rankings = [rank_scores(scores[rows], relevance[rows]) for rows in torch.arange(len(scores)).split(_QUERIES)]
    return {
        metric.name: value_of(
            metric, *(torch.cat([metric.scores(ranking, order) for ranking in rankings]) for order in ORDERS)
        )
        for metric in metrics
    }


def quantization_gap(
    metrics: Sequence[RankingMetric],
    query_relaxed: Tensor,
    query_labels: Tensor,
    database_relaxed: Tensor,
    database_labels: Tensor,
) -> dict[str, tuple[float, float]]:
    """What is lost by keeping only the signs: metrics of relaxed codes and of their bits.

    Relaxed codes are ranked by inner product.

    Args:
        metrics: The metrics; none within a Hamming radius.
        query_relaxed: ``(Q, K)`` real values before the sign.
        query_labels: ``(Q, C)`` multi-hot.
        database_relaxed: ``(N, K)``; ``(Q, N)`` scores are in memory at once.
        database_labels: ``(N, C)`` multi-hot.

    Returns:
        Expected value of the relaxed and of the binary codes, by name.
    """
    relevance = LabelRelevance(query_labels, database_labels)
    shared = query_labels.float() @ database_labels.float().T
    relaxed = evaluate_scores(metrics, query_relaxed @ database_relaxed.T, shared)
    binary = evaluate(metrics, pack(query_relaxed), pack(database_relaxed), relevance, query_relaxed.shape[1])
    return {name: (relaxed[name].expected, binary.metrics[name].expected) for name in relaxed}
