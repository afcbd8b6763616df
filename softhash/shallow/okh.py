"""Online kernel hashing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.functional.checks import check_at_least
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import sample, spans
from softhash.shallow.kernels import mean_squared_distance, rbf_and_one


class OKH(HashEstimator):
    r"""A hash function that learns from a stream of pairs, one at a time, and moves as little as it must.

    With the values z of a radial kernel to M anchors and a constant, bits are the signs of :math:`W^\top z`. A pair
    that shares a label may differ in :math:`\alpha` bits, another must in :math:`\beta K`. If it does not, the nearest
    codes that would do are found, and W moves towards them: the passive-aggressive step, whose length is at most C.

    Similarity: 1 where a label is shared.

    Source: Huang, Yang and Zheng, "Online Hashing", IJCAI 2013; TNNLS 2018, arXiv:1704.01897. Confidence: medium; the
    update is from memory (it was published as a program that cannot be read), and agrees with its own theory.
    Differs: the width of the kernel is the mean squared distance of rows and anchors. The model of several hash
    functions is left out.
    Cost: M (D + K) + K log K per pair to fit, M (D + K) per row. Memory: M (D + K) + N C.

    Args:
        bits: Code length K.
        num_anchors: M, or all rows of the first call if there are fewer.
        num_pairs: Pairs that ``fit`` draws; ``partial_fit`` takes the rows two by two.
        radius: :math:`\alpha`, in bits.
        distance_fraction: :math:`\beta`.
        max_step: C.
        random_state: Seed of anchors, first weights and pairs.

    Attributes:
        anchors_: ``(M, D)`` float64.
        width_: Mean squared distance of rows and anchors; the kernel is exp(-squared distance / (2 width)).
        weights_: ``(M + 1, K)`` float64.
        num_pairs_seen_: Pairs so far.
    """

    learns_from = "classes"

    def __init__(
        self,
        bits: int,
        num_anchors: int = 300,
        num_pairs: int = 20_000,
        radius: float = 0,
        distance_fraction: float = 0.5,
        max_step: float = 0.1,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.num_anchors, self.num_pairs = bits, num_anchors, num_pairs
        self.radius, self.distance_fraction, self.max_step = radius, distance_fraction, max_step
        self.random_state = random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Start anew, and learn from random pairs."""
        self._begin(features, rng)
        self._stream(features, labels, rng.integers(len(features), size=(self.num_pairs, 2)))

    def partial_fit(self, features: NDArray[np.floating], y: NDArray[np.integer]) -> "OKH":
        """Learn from the pairs of rows 0 and 1, 2 and 3, and so on; a last row without another is not used.

        The first call draws the anchors from its rows.
        """
        first = not hasattr(self, "weights_")
        features = self.checked(features, first=first)
        known = self.checked_labels(y, len(features))
        if first:
            check_at_least(1, bits=self.bits)
            self._begin(features, np.random.default_rng(self.random_state))
            self.settle()
        self._stream(features, known, np.arange(len(features) // 2 * 2).reshape(-1, 2))
        return self

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Weighted kernel."""
        relaxed: NDArray[np.float64] = self._kernel(features) @ self.weights_
        return relaxed

    def _kernel(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return rbf_and_one(features, self.anchors_, 2 * self.width_)

    def _begin(self, features: NDArray[Any], rng: np.random.Generator) -> None:
        check_at_least(0, radius=self.radius, distance_fraction=self.distance_fraction)
        check_at_least(1, num_anchors=self.num_anchors)
        self.anchors_ = features[sample(features, self.num_anchors, rng)].astype(np.float64)
        self.width_: float = mean_squared_distance(features, self.anchors_)
        weights = rng.standard_normal((len(self.anchors_) + 1, self.bits))
        self.weights_ = weights / np.linalg.norm(weights, axis=0)
        self.num_pairs_seen_ = 0

    def _stream(self, features: NDArray[Any], labels: NDArray[np.float64], pairs: NDArray[np.int64]) -> None:
        far = self.distance_fraction * self.bits
        for span in spans(len(pairs), max(self.anchors_.shape)):
            first, second = pairs[span].T
            similar = (labels[first] * labels[second]).any(1) | (first == second)
            kernels = (self._kernel(features[rows].astype(np.float64)) for rows in (first, second))
            for one, other, is_similar in zip(*kernels, similar, strict=True):
                update(self.weights_, one, other, bool(is_similar), self.radius, far, self.max_step)
        self.num_pairs_seen_ = int(self.num_pairs_seen_) + len(pairs)


def update(
    weights: NDArray[np.float64],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    similar: bool,
    radius: float,
    distance: float,
    max_step: float,
) -> None:
    """Learn from one pair, in place.

    Args:
        weights: ``(M, K)``, W.
        first: ``(M,)`` kernel values of an image.
        second: ``(M,)`` of the other.
        similar: Whether they share a label.
        radius: Bits in which similar images may differ.
        distance: Bits in which other images must.
        max_step: Longest step.
    """
    values = np.stack([first @ weights, second @ weights])
    codes = np.where(values > 0, 1.0, -1.0)
    wanted, loss = zero_loss_codes(values, codes, similar, radius, distance)
    if loss <= 0:
        return
    moved = wanted - codes
    step = first[:, None] * moved[0] + second[:, None] * moved[1]
    length = float((step**2).sum())
    if length > 0:
        weights += min(max_step, (float(-(moved * values).sum()) + np.sqrt(loss)) / length) * step


def zero_loss_codes(
    values: NDArray[np.float64], codes: NDArray[np.float64], similar: bool, radius: float, distance: float
) -> tuple[NDArray[np.float64], float]:
    """Codes of a pair at an allowed distance that agree most with the values, and how far it was from one.

    Args:
        values: ``(2, K)`` values behind the codes.
        codes: ``(2, K)`` of plus and minus one.
        similar: Whether the pair may differ in at most ``radius`` bits, or must in at least ``distance``.
        radius: In bits.
        distance: In bits.
    """
    differing = codes[0] != codes[1]
    apart = int(differing.sum())
    loss = apart - radius if similar else distance - apart
    if loss <= 0:
        return codes, 0.0
    wanted, magnitudes = codes.copy(), np.abs(values)
    movable = np.flatnonzero(differing if similar else ~differing)
    flipped = movable[np.argsort(magnitudes.min(0)[movable], kind="stable")[: int(np.ceil(loss))]]
    wanted[magnitudes.argmin(0)[flipped], flipped] *= -1
    return wanted, float(loss)
