"""ACG@k, the mean number of shared labels among the top k; not bounded by 1."""

import numpy as np
import torch
from torch import Tensor

from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.ranking.ranking import Order, Ranking
from softhash.ranking.sums import gain_in_top


def average_cumulative_gain(ranking: Ranking, top_k: int, order: Order = "expected") -> Tensor:
    """ACG@k: mean grade of the top k; not bounded by 1.

    Source: Jarvelin and Kekalainen, SIGIR 2000.

    Args:
        ranking: Rankings of Q queries.
        top_k: Length of the list, at most the size of the database.
        order: Order of ties.

    Returns:
        ``(Q,)`` float64.

    Example:
        >>> one_far_match = Ranking.of_counts(torch.tensor([[[3, 0], [0, 1]]]))  # 3 items at distance 0, none shared
        >>> average_cumulative_gain(one_far_match, top_k=4)
        tensor([0.2500], dtype=torch.float64)
    """
    return torch.from_numpy(gain_in_top(ranking.blocks(order), np.full(len(ranking), top_k))) / top_k


class AverageCumulativeGain(RankingMetric):
    """Mean over queries of :func:`average_cumulative_gain`.

    Args:
        top_k: Length of the list.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    top_k: int

    def __init__(self, top_k: int = 100, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("ACG", top_k, without_relevant)

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """ACG@k of each query."""
        return average_cumulative_gain(ranking, self.top_k, order)
