"""NDCG@k."""

from torch import Tensor

from softhash.functional.ranking import Gain, Order, normalized_discounted_cumulative_gain
from softhash.metrics.base import TallyMetric


class NormalizedDiscountedCumulativeGain(TallyMetric):
    """Mean over queries of :func:`softhash.functional.ranking.normalized_discounted_cumulative_gain`.

    Args:
        top_k: Length of the list.
        gain: ``exponential``, 2^r - 1 for r shared labels, or ``linear``, r.
    """

    top_k: int

    def __init__(self, top_k: int = 100, gain: Gain = "exponential") -> None:
        super().__init__("NDCG" if gain == "exponential" else f"NDCG({gain})", top_k)
        self.gain: Gain = gain

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """NDCG@k of each query."""
        return normalized_discounted_cumulative_gain(tally, self.top_k, self.gain, order)
