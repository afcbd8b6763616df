"""Iterative quantization of the directions that correlate most with the labels."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import centered_products, centered_values, mean_and_covariance
from softhash.shallow.itq import itq_rotation
from softhash.shallow.labels import with_labels


class CCAITQ(HashEstimator):
    r"""Signs of rotated canonical directions of features and labels; learns from multi-hot labels as they are.

    Canonical correlation analysis gives directions :math:`W` of the centred features and the correlations :math:`r` of
    their values with the labels. The projection is :math:`V = X W \operatorname{diag}(r)`, which ITQ rotates
    towards binary codes. Labels of C classes tell at most C directions apart (C - 1 if each image has one): with more
    bits, the further ones are noise, and the factor r removes them.

    Rows without labels are left out.

    Source: Gong and Lazebnik, CVPR 2011; with Gordo and Perronnin, TPAMI 2013. Confidence: high, their code.
    Differs: the ridge is a share of the mean variance of the features and of the labels; theirs is 0.0001 as it is,
    so what it does depends on the scale of the features.
    Cost: N (D + C)^2 + D^3 + T (N K^2 + K^3) to fit, D K per row. Memory: D^2 + N (C + K).

    Args:
        bits: Code length K, at most the number D of features.
        ridge: What is added to the variances, as a share of their mean.
        iterations: T, how often the rotation is improved.
        random_state: Seed of the first rotation.

    Attributes:
        mean_: ``(D,)`` float64.
        projection_: ``(D, K)`` float64.
        correlations_: ``(K,)`` float64, descending.
    """

    learns_from = "classes"

    def __init__(self, bits: int, ridge: float = 0.0001, iterations: int = 50, random_state: int | None = None) -> None:
        self.bits, self.ridge, self.iterations, self.random_state = bits, ridge, iterations, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Find the directions and the rotation."""
        self.check_components(features.shape[1], "feature")
        features, labels = with_labels(features, labels)
        self.mean_, covariance = mean_and_covariance(features)
        centered = labels - labels.mean(0)
        degrees = max(1, len(features) - 1)
        cross = centered_products(features, self.mean_, centered) / degrees
        label_covariance = centered.T @ centered / degrees
        directions, self.correlations_ = canonical_directions(
            with_ridge(covariance, self.ridge), with_ridge(label_covariance, self.ridge), cross, self.bits
        )
        scaled = directions * self.correlations_
        projected = centered_values(features, self.mean_, scaled)
        self.projection_ = scaled @ itq_rotation(projected, self.iterations, rng)

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rotated canonical variables."""
        return (features - self.mean_) @ self.projection_


def with_ridge(covariance: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The covariance with a share of the mean variance added to each variance, and a little if all are 0."""
    mean_variance = float(covariance.diagonal().mean())
    return covariance + (share * mean_variance or 1e-12) * np.eye(len(covariance))


def canonical_directions(
    covariance: NDArray[np.float64], other_covariance: NDArray[np.float64], cross: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Directions of the first view whose values correlate most with the second, of variance 1 and uncorrelated.

    Args:
        covariance: ``(D, D)`` of the first view, positive definite.
        other_covariance: ``(C, C)`` of the second, positive definite.
        cross: ``(D, C)`` covariance of both.
        count: Number K of directions.

    Returns:
        ``(D, K)`` directions and ``(K,)`` correlations, descending.
    """
    upper = scipy.linalg.cholesky(covariance)
    half = scipy.linalg.solve_triangular(upper, cross, trans="T")
    matrix = half @ scipy.linalg.solve(other_covariance, half.T, assume_a="pos")
    num_features = len(matrix)
    values, vectors = scipy.linalg.eigh(
        (matrix + matrix.T) / 2, subset_by_index=(num_features - count, num_features - 1)
    )
    directions: NDArray[np.float64] = scipy.linalg.solve_triangular(upper, vectors[:, ::-1])
    return directions, np.sqrt(np.clip(values[::-1], 0, None))
