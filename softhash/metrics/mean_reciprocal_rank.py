"""MRR."""

import torch
from torch import Tensor

from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.ranking.ranking import Order, Ranking
from softhash.ranking.sums import expected_reciprocal_rank, reciprocal_rank_in_order


def reciprocal_rank(ranking: Ranking, order: Order = "expected") -> Tensor:
    """One divided by the rank of the first relevant item; ``(Q,)`` float64 in [0, 1]. Its mean over queries is MRR.

    Source: McSherry and Najork, ECIR 2008 (its expectation under ties).

    Example:
        >>> relevant_or_not_at_equal_distance = Ranking.of_counts(torch.tensor([[[1, 1]]]))  # rank 1 or 2
        >>> reciprocal_rank(relevant_or_not_at_equal_distance)
        tensor([0.7500], dtype=torch.float64)
    """
    tied = ranking.binary.tied
    if order == "expected":
        return torch.from_numpy(expected_reciprocal_rank(tied))
    return torch.from_numpy(reciprocal_rank_in_order(tied, order == "best"))


class MeanReciprocalRank(RankingMetric):
    """Mean over queries of :func:`reciprocal_rank`.

    Args:
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    def __init__(self, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("MRR", None, without_relevant)

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """Reciprocal rank of each query."""
        return reciprocal_rank(ranking, order)
