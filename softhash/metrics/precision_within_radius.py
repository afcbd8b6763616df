"""Precision within a Hamming radius."""

from torch import Tensor

from softhash.functional.ranking import Order, precision_within_radius
from softhash.metrics.base import TallyMetric


class PrecisionWithinRadius(TallyMetric):
    """Mean over queries of the precision among items at distance at most ``radius``; empty balls count as 0.

    Args:
        radius: In bits.
    """

    def __init__(self, radius: int = 2) -> None:
        super().__init__(f"P@H<={radius}")
        if radius < 0:
            msg = f"radius must be at least 0, got {radius}"
            raise ValueError(msg)
        self.radius = radius

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """Value of each query; the order of ties does not matter."""
        del order
        return precision_within_radius(tally, self.radius)
