"""Supervised discrete hashing with relaxed targets."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import sample, spans, unit_rows
from softhash.shallow.discrete import Classification, learn_map, random_codes
from softhash.shallow.kernels import rbf_and_one
from softhash.shallow.labels import with_labels
from softhash.shallow.regression import KernelMap, ridge


class SDHR(HashEstimator):
    r"""SDH whose classifier need not give 0 and 1: labels of an image must score at least 1 more than the others.

    The labels Y of SDH are replaced by learnt targets R, and the classifier has an offset t:

    .. math:: \lVert R - B W - 1 t^\top \rVert^2 + \lambda \lVert W \rVert^2 + \nu \lVert B - \phi P \rVert^2
              \quad\text{with}\quad R_{ip} - R_{iq} \ge 1

    for every label p that image i has and q that it has not. By turns: W and t; R, the nearest targets that keep the
    margin (:func:`with_margin`, exact); B and P as in SDH.

    Rows are scaled to unit length first; rows without labels are left out.

    Source: Gui, Liu, Sun, Tao and Tan, TNNLS 2018, arXiv:1904.03549. Confidence: high for the margin, which the
    abstract has; medium for the offset and the order of the steps, from memory; no code was found.
    Differs: the margin between all labels and all others is an extension to images with several labels, and the
    paper's rule for one.
    Cost: that of SDH and T N C log C to fit, M (D + K) per row. Memory: N (K + 2 C) + M (M + D).

    Args:
        bits: Code length K.
        num_anchors: M, or all rows if there are fewer.
        kernel_width: The kernel is exp(-squared distance / (2 width^2)) of rows of unit length.
        rounds: T, how often all is computed at most.
        classifier_weight: :math:`\lambda`.
        map_weight: :math:`\nu`; with a large one codes stay at their random start.
        ridge: Ridge of P.
        random_state: Seed of the anchors and the first codes.

    Attributes:
        anchors_: ``(M, D)`` float64, of unit length.
        weights_: ``(M + 1, K)`` float64, P.
    """

    learns_from = "classes"

    def __init__(
        self,
        bits: int,
        num_anchors: int = 1000,
        kernel_width: float = 0.4,
        rounds: int = 5,
        classifier_weight: float = 1.0,
        map_weight: float = 0.00001,
        ridge: float = 0.01,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.num_anchors, self.kernel_width, self.rounds = bits, num_anchors, kernel_width, rounds
        self.classifier_weight, self.map_weight, self.ridge = classifier_weight, map_weight, ridge
        self.random_state = random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw anchors, and learn targets, codes, classifier and map by turns."""
        features, labels = with_labels(features, labels)
        self.anchors_ = unit_rows(features[sample(features, self.num_anchors, rng)].astype(np.float64))
        kernel_map = KernelMap(features, self._kernel, self.ridge)
        codes = random_codes((len(features), self.bits), rng)
        classify = partial(self._classify, labels > 0)
        self.weights_ = learn_map(kernel_map, codes, labels, classify, self.map_weight, self.rounds)

    def _classify(
        self, positive: NDArray[np.bool_], codes: NDArray[np.float64], targets: NDArray[np.float64]
    ) -> Classification:
        """The classifier of codes that suits the targets of the round before, and the nearest with the margin."""
        classifier = ridge(codes - codes.mean(0), targets - targets.mean(0), self.classifier_weight)
        offset = (targets - codes @ classifier).mean(0)
        scores = codes @ classifier + offset
        return Classification(
            classifier,
            offset,
            np.concatenate([with_margin(scores[span], positive[span]) for span in spans(*scores.shape)]),
        )

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Kernel map."""
        return self._kernel(features) @ self.weights_

    def _kernel(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return rbf_and_one(unit_rows(features), self.anchors_, 2 * self.kernel_width**2)


def with_margin(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The nearest scores whose positives are all at least 1 above the negatives.

    Positives below t + 1 are raised to it and negatives above t lowered to it, where t makes both sums of movements
    equal. With z the positives less 1 and the negatives, that is the sum of (t - z) over positives below t and the
    sum of (z - t) over negatives above: piecewise linear in t.

    Args:
        scores: ``(n, C)``.
        positive: ``(n, C)``; rows with none or all stay.

    Example:
        >>> with_margin(np.array([[0.2, 0.5, -0.1]]), np.array([[True, False, False]])).round(6)
        array([[ 0.866667, -0.133333, -0.133333]])
    """
    values = scores - positive
    order = np.argsort(values, axis=1)
    ranked, is_positive = np.take_along_axis(values, order, 1), np.take_along_axis(positive, order, 1)
    # at t = ranked[:, k]: excess = sum of (t - z) of positives up to k, less the sum of (z - t) of negatives from k on
    count = is_positive.cumsum(1)
    below = count * ranked - (ranked * is_positive).cumsum(1)
    negatives = (~is_positive)[:, ::-1].cumsum(1)[:, ::-1]
    above = (ranked * ~is_positive)[:, ::-1].cumsum(1)[:, ::-1] - negatives * ranked
    excess: NDArray[np.float64] = below - above
    # the last break with excess <= 0 begins the piece of the root: positives up to it and negatives after it move
    last = np.maximum(np.count_nonzero(excess <= 0, axis=1) - 1, 0)[:, None]
    at, start = np.take_along_axis(excess, last, 1), np.take_along_axis(ranked, last, 1)
    moving = np.take_along_axis(count + negatives - ~is_positive, last, 1)
    root = start - at / np.maximum(moving, 1)
    moved = np.where(positive, np.maximum(scores, root + 1), np.minimum(scores, root))
    held = np.count_nonzero(positive, axis=1, keepdims=True)
    return np.where((held > 0) & (held < scores.shape[1]), moved, scores)
