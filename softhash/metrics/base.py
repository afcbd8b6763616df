"""What all measures share."""

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from softhash.ranking.ranking import num_relevant
from softhash.ranking.ties import Order

WithoutRelevant = Literal["zero", "excluded"]


class TallyMetric(Metric, ABC):
    """Mean over queries of a function of their tallies.

    Update it with the tallies of some queries against the whole database
    (:func:`softhash.ranking.counts.tally`). It keeps one number for each query, which torchmetrics gathers
    over processes; their mean is rounded once, so that neither batches nor processes change a digit of it.
    Measures in a ``MetricCollection`` share the tally that it is updated with.

    Args:
        name: Of the measure, to which cut-off and exclusion are added.
        top_k: Cut-off, None for the whole database or a measure without one.
        without_relevant: Queries without a relevant item count as ``zero`` or are ``excluded`` from the mean.
        conventions: Further choices that change the number.

    Attributes:
        name: As in tables and logs, such as ``mAP@1000``.
        top_k: Cut-off.
        conventions: Every choice that changes the number, to be stored with it.

    Raises:
        ValueError: A cut-off below 1, or another ``without_relevant``.

    Example:
        >>> from softhash.metrics.mean_average_precision import MeanAveragePrecision
        >>> metric = MeanAveragePrecision()
        >>> metric.update(torch.tensor([[[0, 1], [1, 0]], [[1, 0], [0, 1]]]))  # found first, found second
        >>> metric.compute()
        tensor(0.7500, dtype=torch.float64)
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    graded = True  # whether it matters how relevant an item is
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
        if top_k is not None and top_k < 1:
            msg = f"top_k must be at least 1 or null, got {top_k}"
            raise ValueError(msg)
        if without_relevant not in ("zero", "excluded"):
            msg = f"without_relevant must be zero or excluded, got {without_relevant!r}"
            raise ValueError(msg)
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
        # A collection takes metrics with equal states for the same metric, so each has a state of its own
        # name.
        self._state = "values_" + re.sub(r"\W", "_", self.name)
        self.add_state(self._state, [], dist_reduce_fx="cat")

    @abstractmethod
    def score(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """Value of each query: ``(Q, K + 1, R)`` counts to ``(Q,)`` float64; 0 without a relevant item."""

    def values(self, tally: Tensor, order: Order = "expected", grades: Tensor | None = None) -> Tensor:
        """Value of each query as it enters the mean: NaN where the query is excluded."""
        scores = self.score(tally, order, grades)
        if self.without_relevant == "zero":
            return scores
        return scores.where(num_relevant(tally, grades) > 0, torch.nan)

    def update(self, tally: Tensor, grades: Tensor | None = None) -> None:
        """Add queries, given ``(Q, B, R)`` counts, and grades if these are not shared labels."""
        if len(tally):
            self.check_size(int(tally[0].sum()))
            getattr(self, self._state).append(self.values(tally, grades=grades))

    def compute(self) -> Tensor:
        """Mean over the queries so far, 0-d float64; NaN where there is none."""
        values = dim_zero_cat(getattr(self, self._state))
        return torch.tensor(mean(values), dtype=torch.float64, device=values.device)

    def check_size(self, size: int) -> None:
        """Refuse a cut-off beyond the database.

        Raises:
            ValueError: Names the measure and both numbers.
        """
        if self.top_k is not None and self.top_k > size:
            msg = f"{self.name} needs a database of at least {self.top_k} items, this one has {size}"
            raise ValueError(msg)


class CodeMetric(ABC):
    """Mean over queries of a function of codes and labels, for what is more than a ranking.

    It is computed of the final codes alone, not while training. For attributes see :class:`TallyMetric`.
    """

    name: str
    conventions: Mapping[str, str | int | None]

    @abstractmethod
    def values(
        self, query_codes: Tensor, query_labels: Tensor, database_codes: Tensor, database_labels: Tensor, bits: int
    ) -> Tensor:
        """Value of each query, ``(Q,)`` float64.

        Args:
            query_codes: ``(Q, W)`` packed uint8.
            query_labels: ``(Q, C)`` multi-hot.
            database_codes: ``(N, W)`` packed uint8.
            database_labels: ``(N, C)`` multi-hot.
            bits: Code length K.
        """


def refuse_without_labels(metrics: Iterable[TallyMetric | CodeMetric]) -> None:
    """Refuse measures that need labels, where there is a matrix of similarities instead.

    Raises:
        ValueError: Names them.
    """
    names = [metric.name for metric in metrics if isinstance(metric, CodeMetric)]
    if names:
        msg = f"{', '.join(names)} needs labels, and these data have a matrix of similarities"
        raise ValueError(msg)


def check_option(name: str, value: str, options: tuple[str, ...]) -> None:
    """Refuse what is none of the options.

    Raises:
        ValueError: Names the argument, the options and what was given.
    """
    if value not in options:
        msg = f"{name} must be one of {', '.join(options)}, got {value!r}"
        raise ValueError(msg)


def mean(values: Tensor) -> float:
    """Mean of those that are not NaN, rounded once, so that the order of queries does not change a digit."""
    counted = values[~values.isnan()].tolist()
    return math.fsum(counted) / len(counted) if counted else math.nan
