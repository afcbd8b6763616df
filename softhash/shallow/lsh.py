"""Locality-sensitive hashing by random hyperplanes."""

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin


class LSH(TransformerMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """Signs of random projections: two vectors at an angle t differ in a bit with probability t / pi.

    Source: Charikar, STOC 2002. Differs: the mean of the training features is subtracted by default; features
    that are nowhere negative would else lie on one side of many hyperplanes.

    Args:
        bits: Code length K.
        center: Subtract the mean of the training features.
        random_state: Seed of the hyperplanes.

    Attributes:
        mean_: ``(D,)`` float64, zeros without ``center``.
        hyperplanes_: ``(D, K)`` float64 standard normal.
    """

    learns_from = "nothing"

    def __init__(self, bits: int, center: bool = True, random_state: int | None = None) -> None:
        self.bits, self.center, self.random_state = bits, center, random_state

    def fit(self, features: NDArray[np.floating], labels: NDArray[np.integer] | None = None) -> "LSH":
        """Draw the hyperplanes; ``(N, D)`` features give the mean alone, labels are not used."""
        del labels
        features = np.asarray(features, dtype=np.float64)
        self.mean_ = features.mean(0) if self.center else np.zeros(features.shape[1])
        rng = np.random.default_rng(self.random_state)
        self.hyperplanes_ = rng.standard_normal((features.shape[1], self.bits))
        return self

    def transform(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(N, D)`` features to ``(N, K)`` float32; a bit is 1 where it is above 0."""
        relaxed = (np.asarray(features, dtype=np.float64) - self.mean_) @ self.hyperplanes_
        return relaxed.astype(np.float32)
