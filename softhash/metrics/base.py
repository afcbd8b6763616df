"""What all metrics share."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from softhash.functional.checks import check_option, whole_number
from softhash.ranking.ranking import Order, Ranking

WithoutRelevant = Literal["zero", "excluded"]


class RankingMetric(Metric, ABC):
    """Mean over queries of a function of their rankings.

    Update it with the rankings of the whole database for some queries (:meth:`softhash.ranking.counts.Database.rank`).
    It keeps one number for each query, which torchmetrics gathers over processes; their mean is rounded once, so that
    neither batches nor processes change a digit of it. Metrics in a ``MetricCollection`` share the ranking that it is
    updated with.

    Args:
        name: Name of the metric, to which cut-off and exclusion are added.
        top_k: Cut-off, None for the whole database or a metric without one.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded`` from the mean.
        conventions: Further choices that change the number.

    Attributes:
        name: As in tables and logs, such as ``mAP@1000``.
        top_k: Cut-off.
        conventions: Every choice that changes the number, to be stored with it.
        needs_distances: Whether it makes no sense for scores other than Hamming distances.

    Raises:
        ValueError: A cut-off that is below 1 or no whole number, or another ``without_relevant``.

    Example:
        >>> from softhash.metrics.mean_average_precision import MeanAveragePrecision
        >>> found_first_and_found_second = torch.tensor([[[0, 1], [1, 0]], [[1, 0], [0, 1]]])
        >>> metric = MeanAveragePrecision()
        >>> metric.update(Ranking.of_counts(found_first_and_found_second))
        >>> metric.compute()
        tensor(0.7500, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    needs_distances = False
    name: str
    top_k: int | None

    def __init__(
        self,
        name: str,
        top_k: int | None = None,
        without_relevant: WithoutRelevant = "zero",
        conventions: dict[str, str | int] | None = None,
    ) -> None:
        super().__init__()
        self.set_dtype(torch.float64)  # of the empty state of a process without queries
        if top_k is not None:
            top_k = whole_number("top_k", top_k)
            if top_k < 1:
                msg = f"top_k must be at least 1 or null, got {top_k}"
                raise ValueError(msg)
        check_option("without_relevant", without_relevant, get_args(WithoutRelevant))
        self.name = (name if top_k is None else f"{name}@{top_k}") + (
            "" if without_relevant == "zero" else " without empty queries"
        )
        self.top_k = top_k
        self.without_relevant: WithoutRelevant = without_relevant
        self.conventions: dict[str, str | int | None] = {
            "top_k": top_k,
            "without_relevant": without_relevant,
            **(conventions or {}),
        }
        # A MetricCollection merges metrics whose states are equal; a state name per metric prevents it.
        self._state = "scores_" + re.sub(r"\W", "_", self.name)
        self.add_state(self._state, [], dist_reduce_fx="cat")

    @abstractmethod
    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """Score each query in an order of ties: ``(Q,)`` float64; 0 without a relevant item."""

    def scores(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        """Score each query as it enters the mean: NaN where it is excluded.

        Raises:
            ValueError: A score is NaN.
        """
        scores = self.score(ranking, order)
        refuse_nan(self.name, scores)
        if self.without_relevant == "zero":
            return scores
        return scores.where(ranking.num_relevant > 0, torch.nan)

    def mean(self, scores: Tensor) -> float:
        """Mean of :meth:`scores`, rounded once, so that the order of queries does not change a digit; NaN of none."""
        return mean(scores[~scores.isnan()] if self.without_relevant == "excluded" else scores)

    def update(self, ranking: Ranking) -> None:
        """Add queries."""
        if len(ranking):
            self.check_size(ranking.num_items)
            getattr(self, self._state).append(self.scores(ranking).to(ranking.device))

    def compute(self) -> Tensor:
        """Mean over the queries so far, 0-d float64; NaN where there is none."""
        state = getattr(self, self._state)
        if isinstance(state, list) and not state:
            return torch.tensor(torch.nan, dtype=torch.float64)
        scores = dim_zero_cat(state)
        return torch.tensor(self.mean(scores), dtype=torch.float64, device=scores.device)

    def check_size(self, size: int) -> None:
        """Refuse a cut-off beyond the database.

        Raises:
            ValueError: Names the metric and both numbers.
        """
        if self.top_k is not None and self.top_k > size:
            msg = f"{self.name} needs a database of at least {self.top_k} items, this one has {size}"
            raise ValueError(msg)


class CodeMetric(ABC):
    """Mean over queries of a function of codes and labels, for what is more than a ranking.

    It is computed of the final codes alone, not while training. For attributes see :class:`RankingMetric`.
    """

    name: str
    conventions: Mapping[str, str | int | None]

    @abstractmethod
    def score(
        self, query_codes: Tensor, query_labels: Tensor, database_codes: Tensor, database_labels: Tensor, bits: int
    ) -> Tensor:
        """Score each query, ``(Q,)`` float64.

        Args:
            query_codes: ``(Q, W)`` packed uint8.
            query_labels: ``(Q, C)`` multi-hot.
            database_codes: ``(N, W)`` packed uint8.
            database_labels: ``(N, C)`` multi-hot.
            bits: Code length K.
        """


def refuse_without_labels(metrics: Iterable[RankingMetric | CodeMetric]) -> None:
    """Refuse metrics that need labels, where there is a matrix of similarities instead.

    Raises:
        ValueError: Names them.
    """
    names = [metric.name for metric in metrics if isinstance(metric, CodeMetric)]
    if names:
        msg = f"{', '.join(names)} needs labels, and these data have a matrix of similarities"
        raise ValueError(msg)


def refuse_nan(name: str, scores: Tensor) -> None:
    """Refuse scores that are no numbers, which would leave the mean unseen.

    Raises:
        ValueError: Names the metric and says how many.
    """
    wrong = scores.isnan()
    if bool(wrong.any()):
        msg = f"{name} is NaN for {int(wrong.sum())} of {len(scores)} queries that were scored together"
        raise ValueError(msg)


def mean(scores: Tensor) -> float:
    """Mean, rounded once; NaN of nothing, or where a score is."""
    return math.fsum(scores.tolist()) / len(scores) if len(scores) else math.nan
