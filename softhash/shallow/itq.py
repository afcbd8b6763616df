"""Iterative quantization: principal components, rotated towards binary codes."""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class ITQ(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    r"""Signs of rotated principal components; the rotation is learnt, and no labels are used.

    Of the centred features X, the K principal components :math:`V = X W` are kept. The rotation R is sought that
    minimises :math:`\lVert B - V R \rVert_F^2` with codes B in plus and minus one, by turns: B is the sign of V R,
    then R is the orthogonal Procrustes solution for B.

    Source: Gong and Lazebnik, CVPR 2011; TPAMI 2013 with Gordo and Perronnin.

    Args:
        bits: Code length K, at most the number D of features and the number N of images.
        iterations: How often B and R are computed.
        random_state: Seed of the first rotation.

    Attributes:
        mean_: ``(D,)`` float64.
        projection_: ``(D, K)`` float64 with orthonormal columns: W R.
    """

    learns_from = "nothing"

    def __init__(self, bits: int, iterations: int = 50, random_state: int | None = None) -> None:
        self.bits, self.iterations, self.random_state = bits, iterations, random_state

    def fit(self, features: NDArray[np.floating], labels: NDArray[np.integer] | None = None) -> "ITQ":
        """Learn from ``(N, D)`` features; labels are not used.

        Raises:
            ValueError: There are more bits than features or images.
        """
        del labels
        features = np.asarray(features, dtype=np.float64)
        num_images, num_features = features.shape
        if self.bits > min(features.shape):
            msg = (
                f"ITQ keeps one principal component per bit: bits={self.bits} is more than {num_images} images with"
                f" {num_features} features have.\n  Take fewer bits, or a backbone with more features."
            )
            raise ValueError(msg)
        self.mean_ = features.mean(0)
        centered = features - self.mean_
        components = np.linalg.eigh(centered.T @ centered)[1][:, num_features - self.bits :]
        rng = np.random.default_rng(self.random_state)
        self.projection_ = components @ itq_rotation(centered @ components, self.iterations, rng)
        return self

    def transform(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(N, D)`` features to ``(N, K)`` float32; a bit is 1 where it is above 0."""
        relaxed: NDArray[np.float64] = (np.asarray(features, dtype=np.float64) - self.mean_) @ self.projection_
        return relaxed.astype(np.float32)


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
