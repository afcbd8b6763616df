"""Supervised discrete hashing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import sample, unit_rows
from softhash.shallow.discrete import Classification, learn_map, random_codes
from softhash.shallow.kernels import rbf_and_one
from softhash.shallow.labels import with_labels
from softhash.shallow.regression import KernelMap, ridge


class SDH(HashEstimator):
    r"""Codes from which a linear classifier tells the labels, and which a kernel map of the features can give.

    With codes :math:`B \in \{-1, 1\}^{N \times K}`, multi-hot labels Y and the values :math:`\phi` of a radial kernel
    to M anchors and a constant,

    .. math:: \lVert Y - B W \rVert^2 + \lambda \lVert W \rVert^2 + \nu \lVert B - \phi P \rVert^2

    is minimised by turns: W and P are ridge regressions, and B is improved one bit after the other in all rows, each
    exactly. With the small :math:`\nu` of the paper the labels decide about the codes, and P is fitted to them. A row
    is encoded by its features: the learnt codes of training rows are not used.

    Rows are scaled to unit length first; rows without labels are left out.

    Source: Shen, Shen, Liu and Shen, CVPR 2015. Confidence: high, their code.
    Differs: 0 counts as -1 in codes, where their code lets 0 stay; the loss with hinges is left out.
    Cost: T N M (D + K) + M^3 to fit, M (D + K) per row. Memory: N (K + C) + M (M + D).

    Args:
        bits: Code length K.
        num_anchors: M, or all rows if there are fewer.
        kernel_width: The kernel is exp(-squared distance / (2 width^2)) of rows of unit length.
        rounds: T, how often B, W and P are computed at most.
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
        """Draw anchors, and learn codes, classifier and map by turns."""
        features, labels = with_labels(features, labels)
        self.anchors_ = unit_rows(features[sample(features, self.num_anchors, rng)].astype(np.float64))
        kernel_map = KernelMap(features, self._kernel, self.ridge)
        codes = random_codes((len(features), self.bits), rng)
        self.weights_ = learn_map(kernel_map, codes, labels, self._classify, self.map_weight, self.rounds)

    def _classify(self, codes: NDArray[np.float64], targets: NDArray[np.float64]) -> Classification:
        """The classifier of codes; its targets stay the labels."""
        return Classification(ridge(codes, targets, self.classifier_weight), np.zeros(targets.shape[1]), targets)

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Kernel map."""
        return self._kernel(features) @ self.weights_

    def _kernel(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return rbf_and_one(unit_rows(features), self.anchors_, 2 * self.kernel_width**2)
