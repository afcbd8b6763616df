"""Precision@k."""

import torch
from torch import Tensor

from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.ranking.ranking import Order, Ranking, ratio
from softhash.ranking.sums import gain_in_top


def precision(ranking: Ranking, top_k: int | Tensor, order: Order = "expected") -> Tensor:
    """Precision@k: relevant items among the top k, divided by k; ``(Q,)`` float64 in [0, 1].

    Args:
        ranking: Rankings of Q queries.
        top_k: Length of the list, or ``(Q,)`` one for each query; where it is 0, so is the precision.
        order: Order of ties.
    """
    cuts = torch.as_tensor(top_k, dtype=torch.int64).expand(len(ranking)).contiguous()
    return ratio(relevant_in_top(ranking, cuts, order), cuts)


def relevant_in_top(ranking: Ranking, cuts: Tensor, order: Order = "expected") -> Tensor:
    """Relevant items among the first of each query: ``(Q,)`` int64 cut-offs to ``(Q,)`` float64."""
    return torch.from_numpy(gain_in_top(ranking.binary.blocks(order), cuts.numpy()))


class Precision(RankingMetric):
    """Mean over queries of :func:`precision`.

    Args:
        top_k: Length of the list.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    top_k: int

    def __init__(self, top_k: int = 100, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("P", top_k, without_relevant)

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """Precision@k of each query."""
        return precision(ranking, self.top_k, order)
