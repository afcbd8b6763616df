"""R-precision."""

from torch import Tensor

from softhash.metrics.base import RankingMetric, WithoutRelevant
from softhash.metrics.precision import precision
from softhash.ranking.ranking import Order, Ranking


def r_precision(ranking: Ranking, order: Order = "expected") -> Tensor:
    """Precision at the rank that equals the number of relevant items; ``(Q,)`` float64 in [0, 1]."""
    return precision(ranking, ranking.num_relevant, order)


class RPrecision(RankingMetric):
    """Mean over queries of :func:`r_precision`.

    Args:
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded``.
    """

    def __init__(self, without_relevant: WithoutRelevant = "zero") -> None:
        super().__init__("R-precision", None, without_relevant)

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """R-precision of each query."""
        return r_precision(ranking, order)
