"""mAP@k."""

from typing import get_args

from torch import Tensor

from softhash.functional.checks import check_option
from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.metrics.weighted_average_precision import Normalizer, weighted_average_precision
from softhash.ranking.ranking import Order, Ranking


def average_precision(
    ranking: Ranking, top_k: int | None = None, normalizer: Normalizer = "retrieved", order: Order = "expected"
) -> Tensor:
    """AP@k: precision at the rank of each relevant item among the top k, averaged; ``(Q,)`` float64 in [0, 1].

    See :func:`softhash.metrics.weighted_average_precision.weighted_average_precision` for the arguments.

    Source: McSherry and Najork, ECIR 2008 (its expectation under ties).

    Example:
        >>> import torch
        >>> relevant_or_not_at_equal_distance = Ranking.of_counts(torch.tensor([[[1, 1]]]))  # 1 or 1/2, equally likely
        >>> average_precision(relevant_or_not_at_equal_distance)
        tensor([0.7500], dtype=torch.float64)
    """
    return weighted_average_precision(ranking.binary, top_k, normalizer, order)


class MeanAveragePrecision(RankingMetric):
    """Mean over queries of :func:`average_precision`.

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
        name = "mAP" if normalizer == "retrieved" else f"mAP({normalizer})"
        super().__init__(name, top_k, without_relevant, {"normalizer": normalizer})
        self.normalizer: Normalizer = normalizer

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """AP@k of each query."""
        return average_precision(ranking, self.top_k, self.normalizer, order)
