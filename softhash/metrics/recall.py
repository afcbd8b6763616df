"""Recall@k."""

from torch import Tensor

from softhash.metrics.base import TallyMetric, WithoutRelevant
from softhash.ranking.ranking import recall
from softhash.ranking.ties import Order


class Recall(TallyMetric):
    """Mean over queries of :func:`softhash.ranking.ranking.recall`.

    Args:
        top_k: Length of the list.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    graded = False
    top_k: int

    def __init__(self, top_k: int = 1000, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("R", top_k, without_relevant)

    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """Value of each query."""
        return recall(tally, self.top_k, order, grades)
