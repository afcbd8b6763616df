"""Passes over many features in float64, of which only some rows are in memory at a time."""

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

_NUMBERS = 2**20  # of a block: 8 MB
_ROWS_PER_CENTROID = 100


def spans(num_rows: int, width: int) -> Iterator[slice]:
    """Consecutive rows, as many at a time as make 8 MB of float64 with so many columns."""
    step = max(16, _NUMBERS // max(1, width))
    return (slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step))


def blocks(features: NDArray[Any], width: int = 0) -> Iterator[NDArray[np.float64]]:
    """Consecutive rows in float64, about 8 MB at a time.

    Args:
        features: ``(N, D)``.
        width: Columns of what is computed of them, if there are more than D.
    """
    return (features[span].astype(np.float64) for span in spans(len(features), max(width, features.shape[1])))


def total(parts: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Sum of arrays of one shape, at least one, of which no more than two are in memory at a time."""
    return reduce(np.add, parts)


class Rows:
    """Some rows of many features, read where they are asked for and never copied as a whole.

    Args:
        features: ``(N, D)``.
        rows: ``(n,)`` their numbers.
    """

    def __init__(self, features: NDArray[Any], rows: NDArray[np.int64]) -> None:
        self.features, self.rows = features, rows
        self.shape = (len(rows), features.shape[1])

    def __len__(self) -> int:
        """Number of these rows."""
        return len(self.rows)

    def __getitem__(self, key: slice | NDArray[np.int64]) -> NDArray[Any]:
        """Some of the rows, as an array."""
        chosen: NDArray[Any] = self.features[self.rows[key]]
        return chosen


def sample(features: NDArray[Any], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Ascending ``(n,)`` rows drawn without replacement, ``count`` or all there are."""
    rows: NDArray[np.int64] = np.sort(rng.choice(len(features), min(count, len(features)), replace=False))
    return rows


def unit_rows(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.where(lengths > 0, lengths, 1)


def mean_of(features: NDArray[Any]) -> NDArray[np.float64]:
    """``(D,)`` mean."""
    return total(block.sum(0) for block in blocks(features)) / len(features)


def mean_and_covariance(features: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``(D,)`` mean and ``(D, D)`` covariance, the sum of squares divided by N - 1."""
    mean = mean_of(features)
    scatter = np.zeros((len(mean), len(mean)))
    for block in blocks(features):
        centered = block - mean
        scatter += centered.T @ centered
    scatter /= max(1, len(features) - 1)
    return mean, scatter


def k_means(features: NDArray[Any], count: int, rng: np.random.Generator, iterations: int = 100) -> NDArray[np.float64]:
    """``(M, D)`` centres by k-means++ and Lloyd's algorithm, at most as many as there are different rows.

    Of many features, 100 per centre are drawn at random and clustered; centres move little with more.
    """
    chosen = features[sample(features, _ROWS_PER_CENTROID * count, rng)].astype(np.float64)
    count = min(count, len(np.unique(chosen, axis=0)) if len(chosen) <= 10 * count else count)
    estimator = KMeans(count, n_init=1, max_iter=iterations, random_state=int(rng.integers(2**31)))
    centers: NDArray[np.float64] = estimator.fit(chosen).cluster_centers_
    return centers


def centered_values(
    features: NDArray[Any], mean: NDArray[np.float64], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``(N, K)`` products of centred ``(N, D)`` rows with a ``(D, K)`` matrix."""
    return np.concatenate([(block - mean) @ matrix for block in blocks(features)])


def centered_products(
    features: NDArray[Any], mean: NDArray[np.float64], targets: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``(D, K)`` sums over rows of centred ``(N, D)`` features times ``(N, K)`` targets."""
    parts = zip(spans(*features.shape), blocks(features), strict=True)
    return total((block - mean).T @ targets[span] for span, block in parts)
