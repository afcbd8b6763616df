"""Locality-sensitive hashing by random hyperplanes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import mean_of


class LSH(HashEstimator):
    """Signs of random projections: two vectors at an angle t differ in a bit with probability t / pi.

    Source: Charikar, STOC 2002. Confidence: high, toolboxes by others.
    Differs: the mean of the training features is subtracted by default; features that are nowhere negative would else
    lie on one side of many hyperplanes.
    Cost: N D to fit, D K per row. Memory: D K.

    Args:
        bits: Code length K.
        center: Subtract the mean of the training features.
        random_state: Seed of the hyperplanes.

    Attributes:
        mean_: ``(D,)`` float64, zeros without ``center``.
        hyperplanes_: ``(D, K)`` float64 standard normal.
    """

    def __init__(self, bits: int, center: bool = True, random_state: int | None = None) -> None:
        self.bits, self.center, self.random_state = bits, center, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw the hyperplanes; the features give the mean alone."""
        self.mean_ = mean_of(features) if self.center else np.zeros(features.shape[1])
        self.hyperplanes_ = rng.standard_normal((features.shape[1], self.bits))

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Projections on the normals of the hyperplanes."""
        return (features - self.mean_) @ self.hyperplanes_
