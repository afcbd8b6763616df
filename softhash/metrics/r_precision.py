"""R-precision."""

from torch import Tensor

from softhash.metrics.base import TallyMetric, WithoutRelevant
from softhash.ranking.ranking import num_relevant, precision
from softhash.ranking.ties import Order


class RPrecision(TallyMetric):
    """Mean over queries of the precision at the rank that equals the number of relevant items.

    Args:
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    graded = False

    def __init__(self, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("R-precision", None, without_relevant)

    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """Value of each query."""
        return precision(tally, num_relevant(tally, grades), order, grades)
