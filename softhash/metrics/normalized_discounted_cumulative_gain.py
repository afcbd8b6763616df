"""NDCG@k."""

from typing import get_args

from torch import Tensor

from softhash.metrics.base import TallyMetric, WithoutRelevant, check_option
from softhash.ranking.ranking import Gain, normalized_discounted_cumulative_gain
from softhash.ranking.ties import Order


class NormalizedDiscountedCumulativeGain(TallyMetric):
    """Mean over queries of :func:`softhash.ranking.ranking.normalized_discounted_cumulative_gain`.

    Args:
        top_k: Length of the list.
        gain: ``exponential``, 2^r - 1 for r shared labels, or ``linear``, r.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    top_k: int

    def __init__(
        self, top_k: int = 100, gain: Gain = "exponential", without_relevant: WithoutRelevant = "zero"
    ) -> None:
        check_option("gain", gain, get_args(Gain))
        name = "NDCG" if gain == "exponential" else f"NDCG({gain})"
        super().__init__(name, top_k, without_relevant, {"gain": gain})
        self.gain: Gain = gain

    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """NDCG@k of each query."""
        return normalized_discounted_cumulative_gain(tally, self.top_k, self.gain, order, grades)
