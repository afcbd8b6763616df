"""mAP@k."""

from typing import get_args

from torch import Tensor

from softhash.metrics.base import TallyMetric, WithoutRelevant, check_option
from softhash.ranking.ranking import Normalizer, average_precision
from softhash.ranking.ties import Order


class MeanAveragePrecision(TallyMetric):
    """Mean over queries of :func:`softhash.ranking.ranking.average_precision`.

    Args:
        top_k: Length of the list; None is the whole database.
        normalizer: ``retrieved``, ``possible`` or ``all`` relevant items.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    graded = False

    def __init__(
        self,
        top_k: int | None = None,
        normalizer: Normalizer = "retrieved",
        without_relevant: WithoutRelevant = "zero",
    ) -> None:
        check_option("normalizer", normalizer, get_args(Normalizer))
        name = "mAP" if normalizer == "retrieved" else f"mAP({normalizer})"
        super().__init__(name, top_k, without_relevant, {"normalizer": normalizer})
        self.normalizer: Normalizer = normalizer

    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """AP@k of each query."""
        return average_precision(tally, self.top_k, self.normalizer, order, grades)
