"""Signs of principal components."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import mean_and_covariance


def top_eigenvectors(matrix: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """``(D, count)`` orthonormal eigenvectors of a symmetric ``(D, D)`` matrix, of the largest eigenvalues first."""
    size = len(matrix)
    largest = (size - min(count, size), size - 1)
    vectors: NDArray[np.float64] = scipy.linalg.eigh((matrix + matrix.T) / 2, subset_by_index=largest)[1]
    return vectors[:, ::-1].copy()


class PCAH(HashEstimator):
    """Signs of the first K principal components of the centred features; no labels are used, and nothing is drawn.

    The components have unequal variances, and each gives one bit: more bits can find less.

    Source: Gong and Lazebnik, CVPR 2011, where it is the baseline without a rotation. Confidence: high, their code.
    Cost: N D^2 + D^3 to fit, D K per row. Memory: D^2.

    Args:
        bits: Code length K, at most the number D of features.

    Attributes:
        mean_: ``(D,)`` float64.
        components_: ``(D, K)`` float64, orthonormal columns.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Keep the principal components."""
        self.check_components(features.shape[1], "feature")
        self.mean_, covariance = mean_and_covariance(features)
        self.components_ = top_eigenvectors(covariance, self.bits)

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Principal components."""
        return (features - self.mean_) @ self.components_
