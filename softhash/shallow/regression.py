"""Ridge regressions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softhash.shallow.blocks import spans, total


def ridge(inputs: NDArray[np.float64], targets: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """``(K, C)`` coefficients W of the smallest |targets - inputs W|^2 + weight |W|^2.

    Example:
        >>> codes = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
        >>> ridge(codes, np.array([[1.0], [1], [0], [0]]), 1.0).ravel()  # (4 + 1)^-1 (2, 0)
        array([0.4, 0. ])
    """
    scatter = inputs.T @ inputs + weight * np.eye(inputs.shape[1])
    coefficients: NDArray[np.float64] = scipy.linalg.solve(scatter, inputs.T @ targets, assume_a="pos")
    return coefficients


class KernelMap:
    """Ridge regressions of codes on the kernel values of many rows, which are computed anew in each pass.

    Args:
        features: ``(N, D)``.
        kernel: ``(n, D)`` to ``(n, M)``.
        weight: Ridge.
    """

    def __init__(
        self, features: NDArray[Any], kernel: Callable[[NDArray[np.float64]], NDArray[np.float64]], weight: float
    ) -> None:
        self._features, self._kernel = features, kernel
        width = kernel(features[:1].astype(np.float64)).shape[1]
        self._spans = list(spans(len(features), max(width, features.shape[1])))
        scatter = weight * np.eye(width)
        for span in self._spans:
            values = self._of(span)
            scatter += values.T @ values
        self._factor = scipy.linalg.cho_factor(scatter)

    def _of(self, span: slice) -> NDArray[np.float64]:
        values: NDArray[np.float64] = self._kernel(self._features[span].astype(np.float64))
        return values

    def fit(self, codes: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(M, K)`` weights that give ``(N, K)`` codes best."""
        products = total(self._of(span).T @ codes[span] for span in self._spans)
        weights: NDArray[np.float64] = scipy.linalg.cho_solve(self._factor, products)
        return weights

    def values(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(N, K)`` values of the map."""
        return np.concatenate([self._of(span) @ weights for span in self._spans])
