"""Spectral hashing: waves along the principal axes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import blocks, mean_and_covariance
from softhash.shallow.pcah import top_eigenvectors


class SH(HashEstimator):
    r"""Signs of the smoothest waves along the principal axes; no labels are used, and nothing is drawn.

    If the features were uniform in a box along their principal axes, the eigenfunctions of their graph Laplacian would
    be :math:`\cos(k \pi t)` with the place :math:`t` in [0, 1] along an axis, and the smaller :math:`k \pi / R` on an
    axis of range R, the smoother. The K smoothest are kept; those of several axes at once are not looked at.

    A row outside the box of the training features comes in again from the other side, and more bits can find less.

    Source: Weiss, Torralba and Fergus, NIPS 2008. Confidence: high, their code.
    Cost: N D^2 + D^3 to fit, min(D, K) D + K per row. Memory: D^2.

    Args:
        bits: Code length K; there may be more bits than features.

    Attributes:
        mean_: ``(D,)`` float64.
        components_: ``(D, A)`` float64, orthonormal; A is the smaller of D and K.
        low_: ``(A,)`` float64, where the box begins along each axis.
        ranges_: ``(A,)`` float64, how long it is.
        axes_: ``(K,)`` int64, axis of each bit.
        waves_: ``(K,)`` int64, number k of half waves of each bit.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Measure the box, and choose the waves."""
        self.mean_, covariance = mean_and_covariance(features)
        self.components_ = top_eigenvectors(covariance, self.bits)
        projected = ((block - self.mean_) @ self.components_ for block in blocks(features))
        low, high = zip(*((values.min(0), values.max(0)) for values in projected), strict=True)
        epsilon = np.finfo(np.float64).eps
        self.low_ = np.min(low, axis=0) - epsilon
        self.ranges_ = np.max(high, axis=0) + epsilon - self.low_
        self.axes_, self.waves_ = smoothest_waves(self.ranges_, self.bits)

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the waves, in [-1, 1]."""
        places = ((features - self.mean_) @ self.components_ - self.low_) / self.ranges_
        waves: NDArray[np.float64] = np.cos(np.pi * self.waves_ * places[:, self.axes_])
        return waves


def smoothest_waves(ranges: NDArray[np.float64], count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Axes and numbers of half waves, ``(count,)`` each, of the smallest k / R, the constant wave left out.

    Example:
        >>> axes, waves = smoothest_waves(np.array([1.0, 0.4]), 4)
        >>> [(int(axis), int(wave)) for axis, wave in zip(axes, waves)]  # k / R is 1, 2, 2.5, 3
        [(0, 1), (0, 2), (1, 1), (0, 3)]
    """
    most = np.ceil((count + 1) * ranges / ranges.max()).astype(np.int64)
    axes = np.repeat(np.arange(len(ranges)), most - 1)
    waves = np.concatenate([np.arange(1, number) for number in most])
    order = np.argsort(waves / ranges[axes], kind="stable")[:count]
    return axes[order], waves[order]
