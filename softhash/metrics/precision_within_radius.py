"""Precision within a Hamming radius."""

from torch import Tensor

from softhash.metrics.base import TallyMetric, WithoutRelevant
from softhash.ranking.ranking import precision_within_radius
from softhash.ranking.ties import Order


class PrecisionWithinRadius(TallyMetric):
    """Mean over queries of the precision among items at distance at most ``radius``; empty balls count as 0.

    Args:
        radius: In bits.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    graded = False

    def __init__(self, radius: int = 2, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__(f"P@H<={radius}", None, without_relevant, {"radius": radius, "empty_ball": "zero"})
        if radius < 0:
            msg = f"radius must be at least 0, got {radius}"
            raise ValueError(msg)
        self.radius = radius

    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """Value of each query; the order of ties does not matter."""
        del order
        return precision_within_radius(tally, self.radius, grades)
