"""Supervised hashing with kernels."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softhash.functional.similarity import Similarity, share
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import sample
from softhash.shallow.kernels import mean_of_map, mean_squared_distance, rbf
from softhash.shallow.pairs import signed, similarities


class KSH(HashEstimator):
    r"""Codes whose inner products are as the similarities of labelled images say, one bit after the other.

    With the centred kernel :math:`\bar k(x)` to M anchors, bit k is the sign of :math:`\bar k(x)^\top a_k`. Of L
    labelled images with similarities S in [-1, 1], the bits :math:`b_k` shall make
    :math:`\lVert K S - \sum_k b_k b_k^\top \rVert_F^2` small: each :math:`a` in turn makes :math:`b^\top R b` large for
    what the bits before left over, :math:`R`; first without the sign (a generalised eigenvector), then, starting
    there, with :math:`\tanh(z / 2)` in its place, by Nesterov's accelerated gradient. The better of both is kept.

    Similarity: of the labels, 1 where one is shared in the paper; see :func:`softhash.shallow.pairs.signed`.
    Others are an extension.

    Source: Liu, Wang, Ji, Jiang and Chang, CVPR 2012. Confidence: high, their code.
    Differs: 0.000001 of the mean diagonal is added to the right matrix of the eigenproblem, which is singular after
    centring.
    Cost: N M D + K (L^2 M + L M^2 + M^3 + T (L^2 + L M)) to fit, M (D + K) per row. Memory: L^2 + L M + M D + N C.

    Args:
        bits: Code length K.
        num_anchors: M, or all rows if there are fewer.
        num_labeled: L, or all rows if there are fewer; with as few as anchors, the codes fit these rows alone.
        gradient_steps: Most steps of gradient per bit, T; 0 for the eigenvectors alone.
        similarity: Compares label vectors.
        random_state: Seed of the anchors and the labelled rows.

    Attributes:
        anchors_: ``(M, D)`` float64.
        width_: Mean squared distance of rows and anchors; the kernel is exp(-squared distance / (2 width)).
        kernel_mean_: ``(M,)`` float64, mean of the kernel.
        weights_: ``(M, K)`` float64.
    """

    learns_from = "classes"

    def __init__(
        self,
        bits: int,
        num_anchors: int = 300,
        num_labeled: int = 2000,
        gradient_steps: int = 500,
        similarity: Similarity = share,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.num_anchors, self.num_labeled = bits, num_anchors, num_labeled
        self.gradient_steps, self.similarity, self.random_state = gradient_steps, similarity, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw anchors and labelled rows, and learn bit by bit."""
        self.anchors_ = features[sample(features, self.num_anchors, rng)].astype(np.float64)
        chosen = sample(features, self.num_labeled, rng)
        self.width_ = mean_squared_distance(features, self.anchors_)
        self.kernel_mean_ = mean_of_map(features, self._kernel, len(self.anchors_))
        kernel = self._kernel(features[chosen].astype(np.float64)) - self.kernel_mean_
        residual = self.bits * signed(similarities(labels[chosen], self.similarity))
        self.weights_ = np.stack([self._next(kernel, residual) for _ in range(self.bits)], axis=1)

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted centred kernel."""
        return (self._kernel(features) - self.kernel_mean_) @ self.weights_

    def _kernel(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return rbf(features, self.anchors_, 2 * self.width_)

    def _next(self, kernel: NDArray[np.float64], residual: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(M,)`` weights of one more bit, which is taken off the ``(L, L)`` residual in place."""
        weights = spectral_direction(kernel, residual)
        codes = signs(kernel @ weights)
        if self.gradient_steps:
            refined = smooth_direction(kernel, residual, weights, self.gradient_steps)
            refined_codes = signs(kernel @ refined)
            if refined_codes @ residual @ refined_codes > codes @ residual @ codes:
                weights, codes = refined, refined_codes
        residual -= codes[:, None] * codes
        return weights


def signs(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 where a value is above 0, else -1."""
    return np.where(values > 0, 1.0, -1.0)


def spectral_direction(kernel: NDArray[np.float64], residual: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(M,)`` weights a of the largest a' K' R K a with a' K' K a = L, for an ``(L, M)`` kernel K."""
    num_labeled, num_anchors = kernel.shape
    right = kernel.T @ kernel
    eased = right + (1e-6 * right.trace() / num_anchors + 1e-12) * np.eye(num_anchors)
    left = kernel.T @ residual @ kernel
    last = (num_anchors - 1, num_anchors - 1)
    weights: NDArray[np.float64] = scipy.linalg.eigh((left + left.T) / 2, eased, subset_by_index=last)[1][:, 0]
    length = float(np.sqrt(weights @ right @ weights / num_labeled))
    return weights / max(length, 1e-6)


def smooth_objective(
    weights: NDArray[np.float64], kernel: NDArray[np.float64], residual: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Value and ``(M,)`` gradient of -f' R f with f = tanh(K a / 2)."""
    smooth = np.tanh(kernel @ weights / 2)
    product = residual @ smooth
    return float(-smooth @ product), -kernel.T @ (product * (1 - smooth**2))


def smooth_direction(
    kernel: NDArray[np.float64], residual: NDArray[np.float64], start: NDArray[np.float64], steps: int
) -> NDArray[np.float64]:
    """Weights after steps of accelerated gradient, until the objective moves by less than 0.01 per labelled row."""
    before, now, step = start, start, 1.0
    value = smooth_objective(start, kernel, residual)[0]
    momentum, next_momentum = 0.0, 1.0
    for _ in range(steps):
        point = now + (momentum - 1) / next_momentum * (now - before)
        there, gradient = smooth_objective(point, kernel, residual)
        squared = float(gradient @ gradient)
        for _ in range(50):
            candidate = point - gradient / step
            reached = smooth_objective(candidate, kernel, residual)[0]
            if reached <= there - squared / (2 * step):
                break
            step *= 2
        before, now = now, candidate
        momentum, next_momentum = next_momentum, (1 + np.sqrt(1 + 4 * next_momentum**2)) / 2
        if abs(reached - value) <= 0.01 * len(kernel):
            break
        value = reached
    return now
