"""mAP@k."""

from torch import Tensor

from softhash.functional.ranking import Normalizer, Order, average_precision
from softhash.metrics.base import TallyMetric


class MeanAveragePrecision(TallyMetric):
    """Mean over queries of :func:`softhash.functional.ranking.average_precision`.

    Args:
        top_k: Length of the list; None is the whole database.
        normalizer: ``retrieved``, ``possible`` or ``all`` relevant items.
    """

    def __init__(self, top_k: int | None = None, normalizer: Normalizer = "retrieved") -> None:
        super().__init__("mAP" if normalizer == "retrieved" else f"mAP({normalizer})", top_k)
        self.normalizer: Normalizer = normalizer

    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """AP@k of each query."""
        return average_precision(tally, self.top_k, self.normalizer, order)
