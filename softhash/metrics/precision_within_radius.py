"""Precision within a Hamming radius."""

from torch import Tensor

from softhash.functional.checks import check_at_least, whole_number
from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.metrics.curves import precision_recall_curve
from softhash.ranking.ranking import Order, Ranking


def precision_within_radius(ranking: Ranking, radius: int) -> Tensor:
    """P@H<=r: relevant among the items at distance at most r; 0 where there is no item; ``(Q,)`` float64 in [0, 1].

    Raises:
        ValueError: The rankings are not by distance.
    """
    if not ranking.has_distances:
        msg = "a Hamming radius needs rankings by Hamming distance, not by scores"
        raise ValueError(msg)
    return precision_recall_curve(ranking)[0][:, min(radius, ranking.depth - 1)]


class PrecisionWithinRadius(RankingMetric):
    """Mean over queries of :func:`precision_within_radius`; empty balls count as 0.

    Args:
        radius: In bits.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    needs_distances = True

    def __init__(self, radius: int = 2, without_relevant: WithoutRelevant = "zero") -> None:
        radius = whole_number("radius", radius)
        check_at_least(0, radius=radius)
        super().__init__(f"P@H<={radius}", None, without_relevant, {"radius": radius, "empty_ball": "zero"})
        self.radius = radius

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """Precision of each query; the order of ties does not matter."""
        return precision_within_radius(ranking, self.radius)
