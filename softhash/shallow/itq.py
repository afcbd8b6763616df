"""Iterative quantization: principal components, rotated towards binary codes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import centered_values, mean_and_covariance
from softhash.shallow.pcah import top_eigenvectors


class ITQ(HashEstimator):
    r"""Signs of rotated principal components; the rotation is learnt, and no labels are used.

    Of the centred features X, the K principal components :math:`V = X W` are kept. The rotation R is sought that
    minimises :math:`\lVert B - V R \rVert_F^2` with codes B in plus and minus one, by turns: B is the sign of V R,
    then R is the orthogonal Procrustes solution for B.

    Source: Gong and Lazebnik, CVPR 2011; TPAMI 2013 with Gordo and Perronnin. Confidence: high, their code.
    Cost: N D^2 + D^3 + T (N K^2 + K^3) to fit, D K per row. Memory: D^2 + N K.

    Args:
        bits: Code length K, at most the number D of features and the number N of images.
        iterations: T, how often B and R are computed.
        random_state: Seed of the first rotation.

    Attributes:
        mean_: ``(D,)`` float64.
        projection_: ``(D, K)`` float64 with orthonormal columns: W R.
    """

    def __init__(self, bits: int, iterations: int = 50, random_state: int | None = None) -> None:
        self.bits, self.iterations, self.random_state = bits, iterations, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Find the components and the rotation.

        Raises:
            ValueError: There are more bits than features or images.
        """
        self.check_components(min(features.shape), "image and one feature")
        self.mean_, covariance = mean_and_covariance(features)
        components = top_eigenvectors(covariance, self.bits)
        projected = centered_values(features, self.mean_, components)
        self.projection_ = components @ itq_rotation(projected, self.iterations, rng)

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rotated principal components."""
        return (features - self.mean_) @ self.projection_


def itq_rotation(projected: NDArray[np.float64], iterations: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(K, K)`` rotation or reflection after which ``(N, K)`` values are nearer to plus and minus one.

    It starts at a random one; each iteration makes the squared distance smaller or leaves it as it is.
    """
    bits = projected.shape[1]
    rotation: NDArray[np.float64] = np.linalg.svd(rng.standard_normal((bits, bits)))[0]
    for _ in range(iterations):
        codes = np.where(projected @ rotation > 0, 1.0, -1.0)
        left, _, right = np.linalg.svd(codes.T @ projected)
        rotation = right.T @ left.T
    return rotation
