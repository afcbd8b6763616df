"""Latent semantic minimal hashing, reconstructed."""

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from softhash.functional.checks import check_at_least
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import centered_products, centered_values, mean_and_covariance
from softhash.shallow.itq import itq_rotation


class LSMH(HashEstimator):
    r"""Signs of a rotated latent feature, which is learnt by matrix decomposition; no labels are used.

    With centred rows X of a mean squared length of 1, latent features V in K dimensions, codes B of plus and minus one
    and a rotation R,

    .. math:: \lambda \lVert X - V U \rVert^2 + \mu \lVert V - X P \rVert^2 + \theta \lVert B - V R \rVert^2
              + \gamma (\lVert U \rVert^2 + \lVert V \rVert^2 + \mu \lVert P \rVert^2)

    falls as U, B, R, V and P are computed exactly by turns. A row is encoded as :math:`x P R`.

    Source: Lu, Zheng and Li, TIP 2017, reconstructed: neither the paper nor its code was at hand. Confidence: medium;
    the terms are those of a method in a toolbox by an author of it, and that it is the same one is a conclusion.
    Differs: the codes' term and the step for V are not transposed as there, where the objective rises at times.
    :math:`\mu` is 1, not 100, with which P hardly leaves its random start; :math:`\gamma` is 1, not 0.001, with which
    much depends on the scale of single features (both chosen on validation queries of handwritten digits). The ridge of
    P counts :math:`\mu` times.
    Cost: T (N D K + D^2 K) + N D^2 + D^3 to fit, D K per row. Memory: D^2 + N K.

    Args:
        bits: Code length K.
        decomposition_weight: :math:`\lambda`.
        projection_weight: :math:`\mu`.
        code_weight: :math:`\theta`.
        ridge: :math:`\gamma`.
        rounds: T at most.
        tolerance: Least progress of a round as a share of the objective.
        random_state: Seed of V, P and R.

    Attributes:
        mean_: ``(D,)`` float64.
        projection_: ``(D, K)`` float64, P R.
    """

    def __init__(
        self,
        bits: int,
        decomposition_weight: float = 1.0,
        projection_weight: float = 1.0,
        code_weight: float = 0.01,
        ridge: float = 1.0,
        rounds: int = 100,
        tolerance: float = 0.00001,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.decomposition_weight, self.projection_weight = bits, decomposition_weight, projection_weight
        self.code_weight, self.ridge, self.rounds, self.tolerance = code_weight, ridge, rounds, tolerance
        self.random_state = random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw V, P and R, and compute all by turns."""
        check_at_least(0, code_weight=self.code_weight, tolerance=self.tolerance)
        self.mean_, covariance = mean_and_covariance(features)
        num_rows, num_features = features.shape
        scatter = covariance * max(1, num_rows - 1)
        scale = np.sqrt(num_rows / (scatter.trace() or num_rows))
        scatter *= scale**2
        factor = scipy.linalg.cho_factor(scatter + (self.ridge + 1e-12) * np.eye(num_features))
        latent, projection = rng.random((num_rows, self.bits)), rng.random((num_features, self.bits))
        rotation = itq_rotation(np.zeros((1, self.bits)), 0, rng)
        products = scale * centered_products(features, self.mean_, latent)
        before = np.inf
        for _ in range(self.rounds):
            mixing = self._mixing(latent, products)
            codes = np.where(latent @ rotation > 0, 1.0, -1.0)
            rotation = procrustes(codes, latent)
            latent = centered_values(features, self.mean_, scale * self._pull(mixing, projection))
            latent += codes @ (self.code_weight * rotation.T)
            latent = self._latent(mixing, latent)
            products = scale * centered_products(features, self.mean_, latent)
            projection = scipy.linalg.cho_solve(factor, products)
            value = self._objective(scatter, products, latent, mixing, projection, codes - latent @ rotation)
            if before - value <= self.tolerance * value:
                break
            before = value
        self.projection_ = scale * projection @ rotation

    def _mixing(self, latent: NDArray[np.float64], products: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(K, D)`` U that decomposes best, from V and X' V."""
        system = self.decomposition_weight * latent.T @ latent + (self.ridge + 1e-12) * np.eye(self.bits)
        mixing: NDArray[np.float64] = scipy.linalg.solve(system, self.decomposition_weight * products.T, assume_a="pos")
        return mixing

    def _pull(self, mixing: NDArray[np.float64], projection: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(D, K)`` matrix that takes rows to where both terms of the features pull V."""
        return self.decomposition_weight * mixing.T + self.projection_weight * projection

    def _latent(self, mixing: NDArray[np.float64], pull: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(N, K)`` best V; of where all terms pull it, which is written over."""
        ridge = self.projection_weight + self.code_weight + self.ridge
        system = self.decomposition_weight * mixing @ mixing.T + ridge * np.eye(self.bits)
        latent: NDArray[np.float64] = scipy.linalg.solve(system, pull.T, assume_a="pos", overwrite_b=True).T
        return latent

    def _objective(
        self,
        scatter: NDArray[np.float64],
        products: NDArray[np.float64],
        latent: NDArray[np.float64],
        mixing: NDArray[np.float64],
        projection: NDArray[np.float64],
        residual: NDArray[np.float64],
    ) -> float:
        """Value of all terms, from products of small matrices."""
        gram, squared = latent.T @ latent, (latent**2).sum()
        decomposition = scatter.trace() - 2 * (products * mixing.T).sum() + (gram * (mixing @ mixing.T)).sum()
        prediction = squared - 2 * (products * projection).sum() + (projection * (scatter @ projection)).sum()
        norms = (mixing**2).sum() + squared + self.projection_weight * (projection**2).sum()
        return float(
            self.decomposition_weight * decomposition
            + self.projection_weight * prediction
            + self.code_weight * (residual**2).sum()
            + self.ridge * norms
        )

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rotated latent features."""
        relaxed: NDArray[np.float64] = (features - self.mean_) @ self.projection_
        return relaxed


def procrustes(codes: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(K, K)`` orthogonal matrix that takes ``(N, K)`` values nearest to codes."""
    left, _, right = np.linalg.svd(codes.T @ values)
    rotation: NDArray[np.float64] = right.T @ left.T
    return rotation
