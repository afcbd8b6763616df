"""Semi-supervised hashing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.similarity import Similarity, share
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import mean_and_covariance, sample
from softhash.shallow.pairs import signed, similarities
from softhash.shallow.pcah import top_eigenvectors

VARIANTS = ("orthogonal", "nonorthogonal", "sequential")


class SSH(HashEstimator):
    r"""Signs of directions along which labelled images agree as they should, and all images vary much.

    With L labelled rows :math:`X_l` of similarities S in {-1, 0, 1} and the scatter of all N rows,
    :math:`M = X_l^\top S X_l + \eta X^\top X`:

    - ``orthogonal``: the K eigenvectors of the largest eigenvalues. Further directions than classes are noise.
    - ``nonorthogonal``: with Q = I + M / rho = L L' for a rho a little above what keeps Q positive, those times L.
    - ``sequential``: one direction after the other, the top eigenvector; then S is taken down where the direction
      contradicts it, :math:`S \leftarrow S - \alpha T` with T the products of its values at pairs whose sign is not
      that of S, and the scatter is left without the direction.

    A row without labels is one whose labels are not known: its similarities are 0, but that to itself.

    Source: Wang, Kumar and Chang, CVPR 2010, ICML 2010 (sequential) and TPAMI 2012. Confidence: medium, from memory.
    Differs: for ``sequential``, the values of the labelled rows are scaled to a mean square of 1 before their products
    are taken off S; without, rows of small length repeat the first direction.
    Cost: N D^2 + L^2 D + D^3 to fit, the last two times K if sequential, D K per row. Memory: D^2 + L^2 + L D + N C.

    Args:
        bits: Code length K, at most D.
        variant: ``orthogonal``, ``nonorthogonal`` or ``sequential``.
        num_labeled: L, or all rows if there are fewer.
        scatter_weight: :math:`\eta`.
        margin: For ``nonorthogonal``: how far rho is above the smallest, in largest absolute eigenvalues of M.
        decay: For ``sequential``: :math:`\alpha`.
        similarity: Compares label vectors; others than ``share`` are an extension.
        random_state: Seed of the labelled rows.

    Attributes:
        mean_: ``(D,)`` float64.
        projection_: ``(D, K)`` float64.
    """

    learns_from = "classes"

    def __init__(
        self,
        bits: int,
        variant: str = "sequential",
        num_labeled: int = 1000,
        scatter_weight: float = 1.0,
        margin: float = 0.01,
        decay: float = 1.0,
        similarity: Similarity = share,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.variant, self.num_labeled = bits, variant, num_labeled
        self.scatter_weight, self.margin, self.decay = scatter_weight, margin, decay
        self.similarity, self.random_state = similarity, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw the labelled rows, and find the directions."""
        check_option("variant", self.variant, VARIANTS)
        check_at_least(0, scatter_weight=self.scatter_weight, margin=self.margin, decay=self.decay)
        self.check_components(features.shape[1], "feature")
        self.mean_, covariance = mean_and_covariance(features)
        scatter = self.scatter_weight * covariance * max(1, len(features) - 1)
        chosen = sample(features, self.num_labeled, rng)
        labeled = features[chosen].astype(np.float64) - self.mean_
        known = labels[chosen].any(1)
        pairs = signed(similarities(labels[chosen], self.similarity))
        pairs[~known] = pairs[:, ~known] = 0
        np.fill_diagonal(pairs, np.maximum(pairs.diagonal(), 1))
        if self.variant == "sequential":
            self.projection_ = sequential_directions(labeled, pairs, scatter, self.bits, self.decay)
            return
        adjusted = adjusted_scatter(labeled, pairs, scatter)
        self.projection_ = top_eigenvectors(adjusted, self.bits)
        if self.variant == "nonorthogonal":
            self.projection_ = nonorthogonal_factor(adjusted, self.margin) @ self.projection_

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Projections on the directions."""
        return (features - self.mean_) @ self.projection_


def adjusted_scatter(
    labeled: NDArray[np.float64], pairs: NDArray[np.float64], scatter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``(D, D)`` M of ``(L, D)`` labelled rows, their ``(L, L)`` similarities and the weighted scatter of all rows.

    Example:
        >>> rows = np.array([[1.0, 0], [2, 1], [-1, 0], [-2, 1]])
        >>> rows = rows - rows.mean(0)
        >>> classes = np.array([1.0, 1, -1, -1])
        >>> adjusted_scatter(rows, np.outer(classes, classes), rows.T @ rows)
        array([[46.,  0.],
               [ 0.,  1.]])
    """
    return labeled.T @ pairs @ labeled + scatter


def nonorthogonal_factor(adjusted: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    """``(D, D)`` Cholesky factor of I + M / rho, where rho exceeds what keeps it positive by a share of |M|."""
    values = np.linalg.eigvalsh((adjusted + adjusted.T) / 2)
    rho = max(0.0, -values[0]) + max(margin * np.abs(values).max(), 1e-12)
    factor: NDArray[np.float64] = np.linalg.cholesky(np.eye(len(adjusted)) + (adjusted + adjusted.T) / (2 * rho))
    return factor


def sequential_directions(
    labeled: NDArray[np.float64], pairs: NDArray[np.float64], scatter: NDArray[np.float64], count: int, decay: float
) -> NDArray[np.float64]:
    """``(D, K)`` directions, each to mend what those before did wrong with the labelled pairs."""
    pairs, directions = pairs.copy(), []
    for _ in range(count):
        direction = top_eigenvectors(adjusted_scatter(labeled, pairs, scatter), 1)[:, 0]
        values = labeled @ direction
        values /= np.sqrt((values**2).mean()) or 1
        products = values[:, None] * values
        pairs -= decay * np.where(products * pairs < 0, products, 0)
        scatter = without_direction(scatter, direction)
        directions.append(direction)
    return np.stack(directions, axis=1)


def without_direction(scatter: NDArray[np.float64], direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(D, D)`` scatter of rows whose part along a ``(D,)`` unit vector w was taken off: (I - w w') C (I - w w').

    Example:
        >>> without_direction(np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([1.0, 0.0]))
        array([[0., 0.],
               [0., 2.]])
    """
    along = scatter @ direction
    half = along - (direction @ along) / 2 * direction
    return scatter - direction[:, None] * half - half[:, None] * direction
