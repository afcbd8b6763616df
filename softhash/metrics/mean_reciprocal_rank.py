"""MRR."""

from torch import Tensor

from softhash.metrics.base import TallyMetric, WithoutRelevant
from softhash.ranking.ranking import reciprocal_rank
from softhash.ranking.ties import Order


class MeanReciprocalRank(TallyMetric):
    """Mean over queries of :func:`softhash.ranking.ranking.reciprocal_rank`.

    Args:
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    graded = False

    def __init__(self, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("MRR", None, without_relevant)

    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """Value of each query."""
        return reciprocal_rank(tally, order, grades)
