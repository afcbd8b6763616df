"""Recall@k."""

import torch
from torch import Tensor

from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.metrics.precision import relevant_in_top
from softhash.ranking.ranking import Order, Ranking, ratio


def recall(ranking: Ranking, top_k: int, order: Order = "expected") -> Tensor:
    """Recall@k: relevant items among the top k, divided by all relevant; ``(Q,)`` float64 in [0, 1]."""
    found = relevant_in_top(ranking, torch.full((len(ranking),), top_k), order)
    return ratio(found, ranking.num_relevant)


class Recall(RankingMetric):
    """Mean over queries of :func:`recall`.

    Args:
        top_k: Length of the list.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    top_k: int

    def __init__(self, top_k: int = 1000, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("R", top_k, without_relevant)

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """Recall@k of each query."""
        return recall(ranking, self.top_k, order)
