"""Anchor graph hashing."""

import warnings
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from softhash.functional.checks import check_at_least, check_option
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import blocks, k_means
from softhash.shallow.kernels import squared_distances

_ONE = 1 - 1e-3  # eigenvalues from here on are of constant vectors


class AGH(HashEstimator):
    r"""Signs of the smoothest functions on a graph that joins images through anchors; no labels are used.

    A row is joined to its S nearest of M anchors with weights :math:`\exp(-d^2 / \sigma^2)` of sum 1, :math:`Z`. The
    graph :math:`Z \Lambda^{-1} Z^\top`, with the column sums :math:`\Lambda`, has the eigenvectors of the small matrix
    :math:`\Lambda^{-1/2} Z^\top Z \Lambda^{-1/2}`, and as a function of a new row they are
    :math:`z \sqrt{N} \Lambda^{-1/2} V \Sigma^{-1/2}`. With one layer each gives a bit. With two, half as many give a
    bit each, and a second one that divides each side of the first again, at a threshold of its own.

    The constant eigenvector, of eigenvalue 1, is left out. A graph in several parts has one such for each part, and
    what tells the parts apart is left out with them; a warning says so.

    Source: Liu, Wang, Kumar and Chang, ICML 2011. Confidence: high for the steps, of the first author's code; medium
    for the numbers of anchors and of the nearest, from memory (the code has 1500 and 50).
    Differs: anchors are centres of at most 100 rows per anchor; a share of anchors that is nearest to no row is left
    out.
    Cost: k-means and N M D + N S M + M^3 to fit, M D + S K per row. Memory: N (S + K) + M (M + 100 D).

    Args:
        bits: Code length K, even for two layers; fewer than M, or with two layers K / 2.
        num_anchors: M, or as many as there are different rows.
        num_nearest: S.
        layers: 1 or 2.
        iterations: Most iterations of k-means.
        random_state: Seed of k-means.

    Attributes:
        anchors_: ``(M, D)`` float64.
        width_: Mean distance of rows to their S-th nearest anchor, :math:`\sigma`.
        weights_: ``(M, E)`` float64 of the E eigenvectors: K, or with two layers K / 2.
        above_: ``(E,)`` float64, thresholds of the second layer where the first is 1; empty for one layer.
        below_: ``(E,)`` float64, where it is 0; empty for one layer.
    """

    def __init__(
        self,
        bits: int,
        num_anchors: int = 300,
        num_nearest: int = 3,
        layers: int = 2,
        iterations: int = 5,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.num_anchors, self.num_nearest, self.layers = bits, num_anchors, num_nearest, layers
        self.iterations, self.random_state = iterations, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Find anchors, eigenvectors and thresholds."""
        check_option("layers", str(self.layers), ("1", "2"))
        check_at_least(1, num_anchors=self.num_anchors, num_nearest=self.num_nearest)
        if self.bits % self.layers:
            msg = f"AGH with two layers gives bits in pairs, and bits={self.bits} is odd; take one more, or layers=1"
            raise ValueError(msg)
        self.anchors_ = k_means(features, self.num_anchors, rng, self.iterations)
        nearest = [
            nearest_anchors(block, self.anchors_, self.num_nearest) for block in blocks(features, len(self.anchors_))
        ]
        self.width_ = float(np.sqrt(np.concatenate([squared[:, -1] for _, squared in nearest])).mean())
        graph = scipy.sparse.vstack(
            [self._sparse(places, anchor_weights(squared, self.width_)) for places, squared in nearest], format="csr"
        )
        sums = np.asarray(graph.sum(0)).ravel()
        scale = np.where(sums > 0, 1 / np.sqrt(np.where(sums > 0, sums, 1)), 0)
        values, vectors = np.linalg.eigh(scale[:, None] * (graph.T @ graph).toarray() * scale)
        chosen = self._informative(values)
        self.weights_ = np.sqrt(len(features)) * scale[:, None] * vectors[:, chosen] / np.sqrt(values[chosen])
        self.above_, self.below_ = np.zeros(0), np.zeros(0)
        if self.layers == 2:
            first = graph @ self.weights_
            thresholds = [second_thresholds(graph, column, sums) for column in first.T]
            self.above_, self.below_ = np.array(thresholds).T.copy()

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Eigenvectors at new rows; then, of two layers, their distances to the second thresholds."""
        places, squared = nearest_anchors(features, self.anchors_, self.num_nearest)
        first = np.asarray(self._sparse(places, anchor_weights(squared, self.width_)) @ self.weights_)
        if not len(self.above_):
            return first
        return np.hstack([first, np.where(first > 0, first - self.above_, self.below_ - first)])

    def _sparse(self, places: NDArray[np.int64], weights: NDArray[np.float64]) -> Any:
        starts = np.arange(0, places.size + 1, places.shape[1])
        shape = (len(places), len(self.anchors_))
        return scipy.sparse.csr_matrix((weights.ravel(), places.ravel(), starts), shape)

    def _informative(self, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Places of the largest eigenvalues but those that are 1; one per bit of a layer."""
        order = np.argsort(values)[::-1]
        constant, rest = order[values[order] >= _ONE], order[(values[order] < _ONE) & (values[order] > 1e-12)]
        if len(constant) > 1:
            msg = (
                f"AGH: the graph of {len(values)} anchors has {len(constant)} parts, and what tells them apart is lost;"
                f" take more than num_nearest={self.num_nearest}, or fewer than num_anchors={self.num_anchors}"
            )
            warnings.warn(msg, stacklevel=4)
        count = self.bits // self.layers
        if len(rest) < count:
            msg = (
                f"AGH with layers={self.layers} needs {count} eigenvectors for bits={self.bits}, and the graph of"
                f" {len(values)} anchors has {len(rest)}.\n  Take fewer bits or more anchors."
            )
            raise ValueError(msg)
        return rest[:count]


def nearest_anchors(
    features: NDArray[np.float64], anchors: NDArray[np.float64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Places and squared distances of the nearest anchors, ``(n, S)`` each, nearest first; S at most all."""
    distances = squared_distances(features, anchors)
    count = min(count, len(anchors))
    places = np.argpartition(distances, count - 1, axis=1)[:, :count]
    near = np.take_along_axis(distances, places, 1)
    order = np.argsort(near, axis=1, kind="stable")
    return np.take_along_axis(places, order, 1), np.take_along_axis(near, order, 1)


def anchor_weights(squared: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """``(n, S)`` weights exp(-squared / width^2), of sum 1 in each row; far from all anchors they do not vanish."""
    exponents = (squared.min(1, keepdims=True) - squared) / (width**2 or np.inf)
    weights: NDArray[np.float64] = np.exp(exponents)
    weights /= weights.sum(1, keepdims=True)
    return weights


def second_thresholds(graph: Any, values: NDArray[np.float64], sums: NDArray[np.float64]) -> tuple[float, float]:
    """Where to divide the rows above 0, and those below, so that the smoothness over the graph is kept.

    Args:
        graph: ``(N, M)`` sparse Z.
        values: ``(N,)`` values of an eigenvector.
        sums: ``(M,)`` column sums of Z.
    """
    count = len(values)
    above = values > 0
    inverse = np.where(sums > 0, 1 / np.where(sums > 0, sums, 1), 0)
    mass = np.asarray(graph[above].sum(0)).ravel()
    folded = mass @ (graph.T @ np.abs(values) * inverse)
    num_above = int(above.sum())
    num_below = count - num_above
    cut = num_above - mass @ (mass * inverse)
    total = values[above].sum()
    lean = (total - folded) / cut if cut > 1e-12 * count else 0.0
    return (2 * total + num_below * lean) / count, (num_above * lean - 2 * total) / count
