"""NDCG@k."""

from typing import Literal, get_args

import torch
from torch import Tensor

from softhash.functional.checks import check_option
from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.ranking.ranking import Order, Ranking, ratio
from softhash.ranking.sums import discount_table, discounted_gain

Gain = Literal["exponential", "linear"]


def normalized_discounted_cumulative_gain(
    ranking: Ranking, top_k: int, gain: Gain = "exponential", order: Order = "expected"
) -> Tensor:
    """NDCG@k: sum of gains over log2(1 + rank), divided by that of the ideal order; in [0, 1].

    The ideal order is that of the whole database.

    Source: Jarvelin and Kekalainen, TOIS 2002; McSherry and Najork, ECIR 2008 (its expectation under ties).

    Args:
        ranking: Rankings of Q queries.
        top_k: Length of the list, at most the size of the database.
        gain: ``exponential`` is 2^r - 1 for grade r, ``linear`` is r.
        order: Order of ties.

    Returns:
        ``(Q,)`` float64.

    Raises:
        ValueError: A grade is above 1,000 and its gain exponential.
    """
    gained = ranking.exponential if gain == "exponential" else ranking
    discounts = discount_table(ranking.num_items)
    found, ideal = (discounted_gain(blocks, top_k, discounts) for blocks in (gained.blocks(order), gained.ideal))
    return ratio(torch.from_numpy(found), torch.from_numpy(ideal))


class NormalizedDiscountedCumulativeGain(RankingMetric):
    """Mean over queries of :func:`normalized_discounted_cumulative_gain`.

    Args:
        top_k: Length of the list.
        gain: ``exponential``, 2^r - 1 for r shared labels, or ``linear``, r.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    top_k: int

    def __init__(
        self, top_k: int = 100, gain: Gain = "exponential", without_relevant: WithoutRelevant = "zero"
    ) -> None:
        check_option("gain", gain, get_args(Gain))
        name = "NDCG" if gain == "exponential" else f"NDCG({gain})"
        super().__init__(name, top_k, without_relevant, {"gain": gain})
        self.gain: Gain = gain

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """NDCG@k of each query."""
        return normalized_discounted_cumulative_gain(ranking, self.top_k, self.gain, order)
