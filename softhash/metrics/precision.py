"""Precision@k."""

from torch import Tensor

from softhash.functional.ranking import Order, precision
from softhash.metrics.base import TallyMetric


class Precision(TallyMetric):
    """Mean over queries of :func:`softhash.functional.ranking.precision`.

    Args:
        top_k: Length of the list.
    """

    top_k: int

    def __init__(self, top_k: int = 100) -> None:
        super().__init__("P", top_k)

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """Value of each query."""
        return precision(tally, self.top_k, order)
