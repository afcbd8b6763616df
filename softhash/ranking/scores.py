"""Rankings by real-valued scores, and of items with a grade of their own each, for the same metrics as codes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.ranking.blocks import Cells
from softhash.ranking.ranking import Ranking


def rank_scores(scores: Tensor, relevance: Tensor, leave_out: Tensor | None = None) -> Ranking:
    """Rank by score; equal scores are ties.

    Args:
        scores: ``(Q, N)`` real, larger is nearer: inner products, or distances with their sign changed.
        relevance: ``(Q, N)`` grades, finite and at least 0; relevant means above 0. A number of shared labels, or
            anything graded.
        leave_out: ``(Q,)`` an item for each query that its ranking does not have; None for none.

    Returns:
        Q rankings, for any metric but those within a Hamming radius.

    Raises:
        ValueError: Different shapes, nothing to rank, NaN, or a grade that is below 0 or infinite.

    Example:
        >>> ranking = rank_scores(torch.tensor([[0.5, 2.0, 0.5]]), torch.tensor([[1, 0, 3]]))
        >>> ranking.tied.items  # first the item with score 2, then the tie
        array([1, 2])
        >>> ranking.tied.gain
        array([0., 4.])
    """
    if scores.ndim != 2 or scores.shape != relevance.shape:
        msg = f"scores and relevance must both be (Q, N), got {(*scores.shape,)} and {(*relevance.shape,)}"
        raise ValueError(msg)
    if not scores.numel():
        msg = f"scores are empty: {tuple(scores.shape)}"
        raise ValueError(msg)
    if bool(scores.isnan().any()):
        first = int(scores.isnan().any(1).int().argmax())
        msg = f"scores has {int(scores.isnan().sum())} NaN values, the first for query {first}"
        raise ValueError(msg)
    numbers = [np.unique(-row, return_inverse=True)[1] for row in scores.cpu().double().numpy()]
    depth = 1 + max(int(row.max()) for row in numbers)
    return _rank(np.stack(numbers), relevance, leave_out, depth, scores.device, has_distances=False)


def rank_distances(distances: Tensor, relevance: Tensor, bits: int, leave_out: Tensor | None = None) -> Ranking:
    """Rank by Hamming distance.

    Args:
        distances: ``(Q, N)`` integers from 0 to K.
        relevance: ``(Q, N)`` grades, finite and at least 0.
        bits: Code length K.
        leave_out: ``(Q,)`` an item for each query that its ranking does not have; None for none.

    Raises:
        ValueError: A grade is NaN, below 0 or infinite.
    """
    return _rank(
        distances.cpu().numpy().astype(np.int64), relevance, leave_out, bits + 1, distances.device, has_distances=True
    )


def check_relevance(relevance: Tensor) -> None:
    """Refuse grades that are NaN, below 0 or infinite.

    Raises:
        ValueError: Names the first one and its place.
    """
    wrong = ~((relevance >= 0) & (relevance < torch.inf))
    if bool(wrong.any()):
        query, item = wrong.nonzero()[0].tolist()
        msg = (
            f"relevance must be finite and at least 0, got {relevance[query, item].item()} for query {query} and item "
            f"{item}"
        )
        raise ValueError(msg)


def _rank(
    numbers: NDArray[np.int64],
    relevance: Tensor,
    leave_out: Tensor | None,
    depth: int,
    device: torch.device,
    *,
    has_distances: bool,
) -> Ranking:
    """Rank by the ``(Q, N)`` number, below ``depth``, of the block that each item is in."""
    check_relevance(relevance)
    grades, levels = np.unique(relevance.cpu().double().numpy(), return_inverse=True)
    keys = numbers * len(grades) + levels.reshape(numbers.shape)
    if leave_out is not None:
        kept = np.arange(keys.shape[1]) != leave_out.cpu().numpy()[:, None]
        keys = keys[kept].reshape(len(keys), -1)
    keys.sort(axis=1)
    new = np.ones(keys.shape, dtype=bool)
    new[:, 1:] = keys[:, 1:] != keys[:, :-1]
    places = np.flatnonzero(new)
    distance, level = np.divmod(keys.reshape(-1)[places], len(grades))
    cells = Cells(
        starts=np.concatenate([[0], new.sum(1).cumsum()]).astype(np.int64),
        distance=distance.astype(np.int32),
        level=level.astype(np.int32),
        items=np.diff(places, append=keys.size).astype(np.int64),
    )
    return Ranking(cells, grades, depth, has_distances=has_distances, device=device)
