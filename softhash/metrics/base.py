"""What all measures share."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torchmetrics import Metric

from softhash.functional.ranking import Order


class TallyMetric(Metric, ABC):
    """Mean over queries of a function of their tallies.

    Update it with the tallies of some queries against the whole database
    (:func:`softhash.functional.tally.tally`); it then holds a sum and a count, which torchmetrics adds up over
    batches and processes. Several measures in a ``MetricCollection`` share the tally.

    Attributes:
        name: As in tables and logs, such as ``mAP@1000``.
        top_k: Cut-off, None for the whole database or a measure without one.

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
    name: str
    top_k: int | None
    total: Tensor
    count: Tensor

    def __init__(self, name: str, top_k: int | None = None) -> None:
        super().__init__()
        if top_k is not None and top_k < 1:
            msg = f"top_k must be at least 1 or null, got {top_k}"
            raise ValueError(msg)
        self.name = name if top_k is None else f"{name}@{top_k}"
        self.top_k = top_k
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    @abstractmethod
    def score(self, tally: Tensor, order: Order = "expected") -> Tensor:
        """Value of each query: ``(Q, K + 1, R)`` counts to ``(Q,)`` float64."""

    def update(self, tally: Tensor) -> None:
        """Add queries, given ``(Q, K + 1, R)`` counts."""
        self.check_size(int(tally[0].sum()))
        self.total += self.score(tally).sum()
        self.count += len(tally)

    def compute(self) -> Tensor:
        """Mean over the queries so far; queries without a relevant item count as 0."""
        return self.total / self.count

    def check_size(self, size: int) -> None:
        """Refuse a cut-off beyond the database.

        Raises:
            ValueError: Names the measure and both numbers.
        """
        if self.top_k is not None and self.top_k > size:
            msg = f"{self.name} needs a database of at least {self.top_k} items, this one has {size}"
            raise ValueError(msg)
