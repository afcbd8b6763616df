"""ACG@k, the mean number of shared labels among the top k; not bounded by 1."""

from torch import Tensor

from softhash.metrics.base import TallyMetric, WithoutRelevant
from softhash.ranking.ranking import average_cumulative_gain
from softhash.ranking.ties import Order


class AverageCumulativeGain(TallyMetric):
    """Mean over queries of :func:`softhash.ranking.ranking.average_cumulative_gain`.

    Args:
        top_k: Length of the list.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    top_k: int

    def __init__(self, top_k: int = 100, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("ACG", top_k, without_relevant)

    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """Value of each query."""
        return average_cumulative_gain(tally, self.top_k, order, grades)
