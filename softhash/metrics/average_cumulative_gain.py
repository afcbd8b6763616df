"""ACG@k, the mean number of shared labels among the top k; not bounded by 1."""

from torch import Tensor

from softhash.functional.ranking import Order, average_cumulative_gain
from softhash.metrics.base import TallyMetric


class AverageCumulativeGain(TallyMetric):
    """Mean over queries of :func:`softhash.functional.ranking.average_cumulative_gain`.

    Args:
        top_k: Length of the list.
    """

    top_k: int

    def __init__(self, top_k: int = 100) -> None:
        super().__init__("ACG", top_k)

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """Value of each query."""
        return average_cumulative_gain(tally, self.top_k, order)
