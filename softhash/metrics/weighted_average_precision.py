"""WAP@k, the graded mAP."""

from torch import Tensor

from softhash.functional.ranking import Normalizer, Order, weighted_average_precision
from softhash.metrics.base import TallyMetric


class WeightedAveragePrecision(TallyMetric):
    """Mean over queries of :func:`softhash.functional.ranking.weighted_average_precision`; not bounded by 1.

    Args:
        top_k: Length of the list; None is the whole database.
        normalizer: ``retrieved``, ``possible`` or ``all`` relevant items.
    """

    def __init__(self, top_k: int | None = None, normalizer: Normalizer = "retrieved") -> None:
        super().__init__("WAP" if normalizer == "retrieved" else f"WAP({normalizer})", top_k)
        self.normalizer: Normalizer = normalizer

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """WAP@k of each query."""
        return weighted_average_precision(tally, self.top_k, self.normalizer, order)
