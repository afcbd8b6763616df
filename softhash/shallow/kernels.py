"""Radial kernels to anchors, with the width rules of the methods that use them left to those."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.blocks import blocks, total


def squared_distances(features: NDArray[np.float64], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, D)`` and ``(M, D)`` to ``(n, M)``, at least 0."""
    squares = (features**2).sum(1)[:, None] + (anchors**2).sum(1)[None]
    distances: NDArray[np.float64] = np.maximum(squares - 2 * features @ anchors.T, 0)
    return distances


def rbf(features: NDArray[np.float64], anchors: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """``(n, M)`` values exp(-squared distance / width); 1 for all if the width is 0, as with constant features."""
    values: NDArray[np.float64] = np.exp(-squared_distances(features, anchors) / (width or np.inf))
    return values


def rbf_and_one(features: NDArray[np.float64], anchors: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """``(n, M + 1)`` values of :func:`rbf`, and a column of ones."""
    return np.hstack([rbf(features, anchors, width), np.ones((len(features), 1))])


def mean_squared_distance(features: NDArray[Any], anchors: NDArray[np.float64]) -> float:
    """Mean over all pairs of a row and an anchor."""
    sums = [squared_distances(block, anchors).sum() for block in blocks(features, len(anchors))]
    return float(np.sum(sums) / (len(features) * len(anchors)))


def mean_of_map(
    features: NDArray[Any], function: Callable[[NDArray[np.float64]], NDArray[np.float64]], width: int
) -> NDArray[np.float64]:
    """``(M,)`` mean of what a function gives for rows, ``(n, D)`` to ``(n, M)``."""
    return total(function(block).sum(0) for block in blocks(features, width)) / len(features)
