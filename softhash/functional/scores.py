"""Tallies of rankings by real-valued scores and graded relevance, for the same measures as codes."""

import numpy as np
import torch
from torch import Tensor


def tally_scores(scores: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Count items by distinct score and grade, for each query.

    Equal scores are ties. For scores without ties a query has as many blocks as items, so that memory is a
    few times that of the scores; take queries in parts.

    Args:
        scores: ``(Q, N)`` real, larger is nearer: inner products, or distances with their sign changed.
        relevance: ``(Q, N)`` grades, at least 0; relevant means above 0. A number of shared labels, or
            anything graded.

    Returns:
        ``(Q, B, R)`` int64 counts and ``(Q, B, R)`` float64 grades, for any measure in
        ``softhash.functional.ranking`` but that within a Hamming radius. B is the largest number of distinct
        scores of a query, R the largest number of distinct grades at one score.

    Raises:
        ValueError: Different shapes, nothing to rank, NaN, or a grade below 0.

    Example:
        >>> counts, grades = tally_scores(torch.tensor([[0.5, 2.0, 0.5]]), torch.tensor([[1, 0, 3]]))
        >>> counts  # the first block is the item with score 2, the second holds the tie
        tensor([[[1, 0],
                 [1, 1]]])
        >>> grades
        tensor([[[0., 0.],
                 [1., 3.]]], dtype=torch.float64)
    """
    if scores.ndim != 2 or scores.shape != relevance.shape:
        msg = f"scores and relevance must both be (Q, N), got {(*scores.shape,)} and {(*relevance.shape,)}"
        raise ValueError(msg)
    if not scores.numel():
        msg = f"scores are empty: {tuple(scores.shape)}"
        raise ValueError(msg)
    for name, values in (("scores", scores), ("relevance", relevance)):
        if bool(values.isnan().any()):
            first = int(values.isnan().any(1).int().argmax())
            msg = f"{name} has {int(values.isnan().sum())} NaN values, the first for query {first}"
            raise ValueError(msg)
    if bool((relevance < 0).any()):
        msg = f"relevance must be at least 0, got {relevance.min().item()}"
        raise ValueError(msg)
    cells = [
        _cells(-s, r) for s, r in zip(scores.cpu().double().numpy(), relevance.cpu().double().numpy(), strict=True)
    ]
    shape = (len(cells), 1 + max(int(c[0].max()) for c in cells), 1 + max(int(c[1].max()) for c in cells))
    counts, grades = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    for query, (block, column, items, grade) in enumerate(cells):
        counts[query, block, column] = items
        grades[query, block, column] = grade
    return torch.from_numpy(counts), torch.from_numpy(grades)


def _cells(distances: np.ndarray, relevance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Block, column, number of items and grade of each pair of distance and grade that occurs."""
    order = np.lexsort((relevance, distances))
    distances, relevance = distances[order], relevance[order]
    farther = np.diff(distances, prepend=-np.inf) != 0
    first = np.flatnonzero(farther | (np.diff(relevance, prepend=-1) != 0))
    block = np.cumsum(farther)[first] - 1
    start_of_block = np.flatnonzero(np.diff(block, prepend=-1))
    column = np.arange(len(first)) - start_of_block[block]
    return block, column, np.diff(first, append=len(order)), relevance[first]
