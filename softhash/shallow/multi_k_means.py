"""Compact codes by several assignments to few centres."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.functional.checks import check_option
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import k_means
from softhash.shallow.kernels import squared_distances

RULES = ("geometric", "arithmetic", "nearest")


class MultiKMeans(HashEstimator):
    """One bit per centre of k-means, which is 1 where a row is near it; no labels are used.

    Near is a centre whose distance is at most the geometric or the arithmetic mean of the distances to all centres;
    or it is one of the nearest half of the centres.

    Source: Ercoli, Bertini and Del Bimbo, TMM 2017, arXiv:1605.02892. Confidence: high for the idea, which the
    abstract has; medium for the rules, from memory. Their rules that join two assignments are left out.
    Differs: centres are those of at most 100 rows per centre.
    Cost: k-means of 100 K rows to fit, D K per row. Memory: 100 K D.

    Args:
        bits: Code length K, at most the number of different rows.
        rule: ``geometric``, ``arithmetic`` or ``nearest``.
        random_state: Seed of k-means.

    Attributes:
        centers_: ``(K, D)`` float64.
    """

    def __init__(self, bits: int, rule: str = "geometric", random_state: int | None = None) -> None:
        self.bits, self.rule, self.random_state = bits, rule, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Find the centres."""
        check_option("rule", self.rule, RULES)
        self.check_components(len(features), "row")
        centers = k_means(features, self.bits, rng)
        self.check_components(len(centers), "different row")
        self.centers_ = centers

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """How much nearer each centre is than the threshold of the row."""
        distances = np.sqrt(squared_distances(features, self.centers_))
        return near_by(self.rule, distances) - distances


def near_by(rule: str, distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(n, 1)`` distance below which a centre is near, of ``(n, K)`` distances to all.

    Example:
        >>> distances = np.linalg.norm(np.array([[0.0, 0], [2, 0], [0, 3], [4, 4]]) - [1, 1], axis=1)[None]
        >>> near_by("arithmetic", distances).round(5), near_by("geometric", distances).round(5)
        (array([[2.32678]]), array([[2.08707]]))
    """
    threshold: NDArray[np.float64]
    if rule == "arithmetic":
        threshold = distances.mean(1, keepdims=True)
    elif rule == "geometric":
        threshold = np.exp(np.log(np.maximum(distances, 1e-12)).mean(1, keepdims=True))
    else:  # between the last of the nearest half and the next
        half = max(1, distances.shape[1] // 2)
        threshold = np.sort(distances, axis=1)[:, half - 1 : half + 1].mean(1, keepdims=True)
    return threshold
