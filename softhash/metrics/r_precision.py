"""R-precision."""

from torch import Tensor

from softhash.functional.ranking import Order, num_relevant, precision
from softhash.metrics.base import TallyMetric


class RPrecision(TallyMetric):
    """Mean over queries of the precision at the rank that equals the number of relevant items."""

    def __init__(self) -> None:
        super().__init__("R-precision")

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """Value of each query."""
        return precision(tally, num_relevant(tally), order)
