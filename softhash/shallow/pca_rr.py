"""Signs of principal components after a random rotation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import mean_and_covariance
from softhash.shallow.itq import itq_rotation
from softhash.shallow.pcah import top_eigenvectors


class PCARR(HashEstimator):
    """Signs of the first K principal components, turned at random; no labels are used.

    The rotation spreads the variance over the bits. ITQ starts here.

    Source: Gong and Lazebnik, CVPR 2011, where it is the baseline with an unlearnt rotation. Confidence: high, their
    code.
    Cost: N D^2 + D^3 to fit, D K per row. Memory: D^2.

    Args:
        bits: Code length K, at most the number D of features.
        random_state: Seed of the rotation.

    Attributes:
        mean_: ``(D,)`` float64.
        projection_: ``(D, K)`` float64, orthonormal columns.
    """

    def __init__(self, bits: int, random_state: int | None = None) -> None:
        self.bits, self.random_state = bits, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Keep the principal components, and turn them."""
        self.check_components(features.shape[1], "feature")
        self.mean_, covariance = mean_and_covariance(features)
        rotation = itq_rotation(np.zeros((1, self.bits)), 0, rng)
        self.projection_ = top_eigenvectors(covariance, self.bits) @ rotation

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rotated principal components."""
        return (features - self.mean_) @ self.projection_
