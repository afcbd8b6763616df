"""The same measures for real-valued scores and graded relevance."""

from collections.abc import Sequence

import torch
from torch import Tensor

from softhash.functional.codes import pack
from softhash.metrics.base import TallyMetric, mean
from softhash.metrics.evaluate import Measure, evaluate
from softhash.metrics.precision_within_radius import PrecisionWithinRadius
from softhash.ranking.relevance import LabelRelevance
from softhash.ranking.scores import tally_scores
from softhash.ranking.ties import Order

_QUERIES = 16  # whose rankings are in memory together


def evaluate_scores(metrics: Sequence[TallyMetric], scores: Tensor, relevance: Tensor) -> dict[str, Measure]:
    """Measure rankings by real-valued scores: of float embeddings, weighted bits, asymmetric distances.

    Args:
        metrics: The measures; none within a Hamming radius.
        scores: ``(Q, N)`` real, larger is nearer; equal scores are ties.
        relevance: ``(Q, N)`` grades, at least 0; relevant means above 0.

    Raises:
        ValueError: Bad scores or relevance, a cut-off beyond the database, or a measure that needs codes.
    """
    for metric in metrics:
        metric.check_size(scores.shape[1])
    radius = [metric.name for metric in metrics if isinstance(metric, PrecisionWithinRadius)]
    if radius:
        msg = f"{', '.join(radius)} needs Hamming distances of codes, not scores"
        raise ValueError(msg)
    parts = [tally_scores(scores[rows], relevance[rows]) for rows in torch.arange(len(scores)).split(_QUERIES)]
    return {metric.name: _measure(metric, parts) for metric in metrics}


def quantization_gap(
    metrics: Sequence[TallyMetric],
    query_relaxed: Tensor,
    query_labels: Tensor,
    database_relaxed: Tensor,
    database_labels: Tensor,
) -> dict[str, tuple[float, float]]:
    """What is lost by keeping only the signs: measures of relaxed codes and of their bits.

    Relaxed codes are ranked by inner product.

    Args:
        metrics: The measures; none within a Hamming radius.
        query_relaxed: ``(Q, K)`` real values before the sign.
        query_labels: ``(Q, C)`` multi-hot.
        database_relaxed: ``(N, K)``; ``(Q, N)`` scores are in memory at once.
        database_labels: ``(N, C)`` multi-hot.

    Returns:
        Expected value of the relaxed and of the binary codes, by name.
    """
    shared = query_labels.float() @ database_labels.float().T
    relaxed = evaluate_scores(metrics, query_relaxed @ database_relaxed.T, shared)
    bits = query_relaxed.shape[1]
    relevance = LabelRelevance(query_labels, database_labels)
    binary = evaluate(metrics, pack(query_relaxed), pack(database_relaxed), relevance, bits)
    return {name: (relaxed[name].expected, binary.measures[name].expected) for name in relaxed}


def _measure(metric: TallyMetric, parts: Sequence[tuple[Tensor, Tensor]]) -> Measure:
    orders: tuple[Order, ...] = ("expected", "worst", "best")
    expected, worst, best = (
        torch.cat([metric.values(counts, order, grades) for counts, grades in parts]) for order in orders
    )
    return Measure(mean(expected), mean(worst), mean(best), expected, metric.conventions)
