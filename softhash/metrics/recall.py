"""Recall@k."""

from torch import Tensor

from softhash.functional.ranking import Order, recall
from softhash.metrics.base import TallyMetric


class Recall(TallyMetric):
    """Mean over queries of :func:`softhash.functional.ranking.recall`.

    Args:
        top_k: Length of the list.
    """

    top_k: int

    def __init__(self, top_k: int = 1000) -> None:
        super().__init__("R", top_k)

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """Value of each query."""
        return recall(tally, self.top_k, order)
