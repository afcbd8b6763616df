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
        ``softhash.ranking.ranking`` but that within a Hamming radius. B is the largest number of distinct
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
    _refuse_nan("scores", scores)
    check_relevance(relevance)
    ranks = [np.unique(-row, return_inverse=True)[1] for row in scores.cpu().double().numpy()]
    return _tally(ranks, relevance, 1 + max(int(row.max()) for row in ranks))


def tally_distances(distances: Tensor, relevance: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Count items by Hamming distance and grade, for each query.

    Args:
        distances: ``(Q, N)`` integers from 0 to K.
        relevance: ``(Q, N)`` grades, at least 0.
        bits: Code length K.

    Returns:
        ``(Q, K + 1, R)`` int64 counts and ``(Q, K + 1, R)`` float64 grades, for any measure; R is the largest number
        of distinct grades at one distance.
    """
    return _tally(list(distances.cpu().numpy()), relevance, bits + 1)


def check_relevance(relevance: Tensor) -> None:
    """Refuse grades that are NaN or below 0.

    Raises:
        ValueError: Says how many, or which.
    """
    _refuse_nan("relevance", relevance)
    if bool((relevance < 0).any()):
        msg = f"relevance must be at least 0, got {relevance.min().item()}"
        raise ValueError(msg)


def _refuse_nan(name: str, values: Tensor) -> None:
    if bool(values.isnan().any()):
        first = int(values.isnan().any(1).int().argmax())
        msg = f"{name} has {int(values.isnan().sum())} NaN values, the first for query {first}"
        raise ValueError(msg)


def _tally(blocks_of: list[np.ndarray], relevance: Tensor, blocks: int) -> tuple[Tensor, Tensor]:
    """Counts and grades, given the block of each item of each query."""
    graded = relevance.cpu().double().numpy()
    cells = [_cells(block, grade) for block, grade in zip(blocks_of, graded, strict=True)]
    shape = (len(cells), blocks, 1 + max(int(c[1].max()) for c in cells))
    counts, grades = np.zeros(shape, dtype=np.int64), np.zeros(shape)
    for query, (block, column, items, grade) in enumerate(cells):
        counts[query, block, column] = items
        grades[query, block, column] = grade
    return torch.from_numpy(counts), torch.from_numpy(grades)


def _cells(blocks: np.ndarray, relevance: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Block, column, number of items and grade of each pair of block and grade that occurs."""
    order = np.lexsort((relevance, blocks))
    blocks, relevance = blocks[order], relevance[order]
    first = np.flatnonzero((np.diff(blocks, prepend=-1) != 0) | (np.diff(relevance, prepend=-1) != 0))
    block = blocks[first]
    starts = np.diff(block, prepend=-1) != 0
    column = np.arange(len(first)) - np.flatnonzero(starts)[np.cumsum(starts) - 1]
    return block, column, np.diff(first, append=len(order)), relevance[first]
