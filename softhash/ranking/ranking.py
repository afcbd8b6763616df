"""Rankings of a database for some queries: all that metrics need to know of codes and labels."""

from functools import cached_property
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.ranking.blocks import (
    Blocks,
    Cells,
    cells_of,
    ideal_blocks,
    relevant_or_not,
    sorted_blocks,
    tied_blocks,
)
from softhash.ranking.sums import within_each_distance

Order = Literal["expected", "worst", "best"]

ORDERS: tuple[Order, ...] = ("expected", "worst", "best")
_LARGEST_EXPONENT = 1000.0  # of a gain 2^r - 1, so that sums of many stay below the largest float64


class Ranking:
    """Items of the database by distance and grade, for each of Q queries.

    An item is relevant where its grade is above 0. Items at equal distance tie, and every metric is given

    - ``expected``: its exact mean over all orders of items at equal distance, equally likely,
    - ``worst`` and ``best``: its smallest and largest value over those orders.

    What several metrics need is computed once, when the first one asks for it.

    Args:
        cells: Items by distance and level.
        grades: ``(L,)`` float64 grade of each level, ascending, finite and at least 0.
        depth: How many distances there may be.
        has_distances: Whether the distances are those of codes; otherwise they only count distinct scores.
        device: Where the codes are, to which scores are returned; the ranking itself is on the CPU.

    Example:
        >>> one_near_and_two_far = Ranking.of_counts(torch.tensor([[[0, 1], [1, 1]]]))
        >>> one_near_and_two_far.num_relevant
        tensor([2.], dtype=torch.float64)
    """

    def __init__(
        self,
        cells: Cells,
        grades: NDArray[np.float64],
        depth: int,
        *,
        has_distances: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        self.cells, self.grades, self.depth = cells, grades, depth
        self.has_distances, self.device = has_distances, torch.device(device)

    @classmethod
    def of_counts(cls, counts: Tensor) -> "Ranking":
        """Rank by a tally.

        Args:
            counts: ``(Q, B, R)`` int64 items by distance, 0 to B - 1, and grade, 0 to R - 1, as of
                :func:`softhash.ranking.counts.tally`.
        """
        cells = cells_of(counts.cpu().contiguous().numpy())
        return cls(cells, np.arange(counts.shape[2], dtype=np.float64), counts.shape[1], device=counts.device)

    def __len__(self) -> int:
        """Q."""
        return len(self.cells.starts) - 1

    @cached_property
    def num_items(self) -> int:
        """Size of the database."""
        return int(self.cells.items[: self.cells.starts[1]].sum()) if len(self) else 0

    @cached_property
    def binary(self) -> "Ranking":
        """The same with the grades 0 and 1, for metrics that only ask whether an item is relevant."""
        if self.grades.tolist() == [0.0, 1.0]:
            return self
        return self._with(relevant_or_not(self.cells, self.grades), np.array([0.0, 1.0]))

    @cached_property
    def exponential(self) -> "Ranking":
        """The same with 2^r - 1 for every grade r.

        Raises:
            ValueError: A grade is so large that this would be infinite.
        """
        if self.grades.max(initial=0.0) > _LARGEST_EXPONENT:
            msg = (
                f"gain=exponential takes grades up to {_LARGEST_EXPONENT:g}, got {self.grades.max():g}; use gain=linear"
            )
            raise ValueError(msg)
        # of grades far below 1, exp2 would leave nothing above 1
        gains = np.where(self.grades < 1, np.expm1(self.grades * np.log(2)), np.exp2(self.grades) - 1)
        return self._with(self.cells, gains)

    @cached_property
    def num_relevant(self) -> Tensor:
        """Relevant items in the database for each query; ``(Q,)`` float64."""
        starts = self.tied.starts
        totals = np.concatenate([[0], np.cumsum(self.tied.relevant)])
        return torch.from_numpy((totals[starts[1:]] - totals[starts[:-1]]).astype(np.float64))

    @cached_property
    def tied(self) -> Blocks:
        """One block per distance."""
        return tied_blocks(self.cells, self.grades)

    @cached_property
    def worst(self) -> Blocks:
        """One block per distance and grade, small grades first."""
        return sorted_blocks(self.cells, self.grades, best=False)

    @cached_property
    def best(self) -> Blocks:
        """One block per distance and grade, large grades first."""
        return sorted_blocks(self.cells, self.grades, best=True)

    @cached_property
    def ideal(self) -> Blocks:
        """One block per grade, large grades first, as if the distances were those that one could wish for."""
        return ideal_blocks(self.cells, self.grades)

    @cached_property
    def within(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Items and relevant items up to each distance; ``(Q, B)`` both."""
        return within_each_distance(self.tied, self.depth)

    def pairs(self, columns: int) -> Tensor:
        """All pairs of queries and items by distance and grade, which are whole numbers; ``(B, columns)`` int64."""
        columns_of_cells = self.grades.astype(np.int64)[self.cells.level]
        places = self.cells.distance.astype(np.int64) * columns + columns_of_cells
        counts = np.bincount(places, weights=self.cells.items, minlength=self.depth * columns)
        return torch.from_numpy(counts.astype(np.int64).reshape(self.depth, columns))

    def blocks(self, order: Order) -> Blocks:
        """What ranks behind one another in an order of ties."""
        if order == "expected":
            return self.tied
        return self.best if order == "best" else self.worst

    def _with(self, cells: Cells, grades: NDArray[np.float64]) -> "Ranking":
        return Ranking(cells, grades, self.depth, has_distances=self.has_distances, device=self.device)


def ratio(numerator: Tensor, denominator: Tensor) -> Tensor:
    """Quotient, float64; 0 where the denominator is 0."""
    return torch.where(denominator == 0, 0.0, numerator.double() / denominator)
