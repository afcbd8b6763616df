"""WAP@k, the graded mAP."""

from typing import Literal, get_args

import torch
from torch import Tensor

from softhash.functional.checks import check_option
from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.ranking.ranking import Order, Ranking, ratio
from softhash.ranking.sums import (
    expected_mean_gain_over_retrieved,
    extreme_mean_gain_over_retrieved,
    harmonic_table,
    mean_gain_at_relevant_ranks,
)

Normalizer = Literal["retrieved", "possible", "all"]


def weighted_average_precision(
    ranking: Ranking, top_k: int | None = None, normalizer: Normalizer = "retrieved", order: Order = "expected"
) -> Tensor:
    """WAP@k: ACG at the rank of each relevant item among the top k, averaged; AP where all grades are 0 or 1.

    Source: Zhao, Huang, Wang and Tan, CVPR 2015 (DSRH).

    Args:
        ranking: Rankings of Q queries.
        top_k: Length of the list; None is the whole database.
        normalizer: What the sum over relevant items is divided by: ``retrieved``, the relevant items among
            the top k, as hashing code does (0 where there is none); ``possible``, the smaller of k and all
            relevant items; ``all``, all relevant items. The same for the whole database.
        order: Order of ties.

    Returns:
        ``(Q,)`` float64, not bounded by 1.
    """
    size = ranking.num_items
    cut = size if top_k is None else top_k
    blocks, harmonic = ranking.blocks(order), harmonic_table(size)
    if normalizer == "retrieved" and cut < size:
        if order == "expected":
            return torch.from_numpy(expected_mean_gain_over_retrieved(blocks, cut, harmonic))
        return torch.from_numpy(extreme_mean_gain_over_retrieved(blocks, cut, order == "best", harmonic))
    total = torch.from_numpy(mean_gain_at_relevant_ranks(blocks, cut, harmonic))
    relevant = ranking.num_relevant
    return ratio(total, relevant.clamp(max=cut) if normalizer == "possible" else relevant)


class WeightedAveragePrecision(RankingMetric):
    """Mean over queries of :func:`weighted_average_precision`; not bounded by 1.

    Args:
        top_k: Length of the list; None is the whole database.
        normalizer: ``retrieved``, ``possible`` or ``all`` relevant items.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    def __init__(
        self,
        top_k: int | None = None,
        normalizer: Normalizer = "retrieved",
        without_relevant: WithoutRelevant = "zero",
    ) -> None:
        check_option("normalizer", normalizer, get_args(Normalizer))
        name = "WAP" if normalizer == "retrieved" else f"WAP({normalizer})"
        super().__init__(name, top_k, without_relevant, {"normalizer": normalizer})
        self.normalizer: Normalizer = normalizer

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """WAP@k of each query."""
        return weighted_average_precision(ranking, self.top_k, self.normalizer, order)
