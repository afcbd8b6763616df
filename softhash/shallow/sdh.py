"""Supervised discrete hashing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import sample, unit_rows
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
        """Draw anchors and codes, and improve codes, classifier and map by turns."""
        features, labels = with_labels(features, labels, "SDH")
        self.anchors_ = unit_rows(features[sample(features, self.num_anchors, rng)].astype(np.float64))
        codes = np.where(rng.standard_normal((len(features), self.bits)) > 0, 1.0, -1.0)
        kernel_map = KernelMap(features, self._kernel, self.ridge)
        self.weights_ = kernel_map.fit(codes)
        classifier = ridge(codes, labels, self.classifier_weight)
        for _ in range(self.rounds):
            pull = self.map_weight * kernel_map.values(self.weights_) + labels @ classifier.T
            codes = discrete_step(codes, pull, classifier)
            classifier = ridge(codes, labels, self.classifier_weight)
            before, self.weights_ = self.weights_, kernel_map.fit(codes)
            if has_settled(before, self.weights_):
                break

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Kernel map."""
        return self._kernel(features) @ self.weights_

    def _kernel(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return rbf_and_one(unit_rows(features), self.anchors_, 2 * self.kernel_width**2)


def discrete_step(
    codes: NDArray[np.float64], pull: NDArray[np.float64], classifier: NDArray[np.float64], passes: int = 10
) -> NDArray[np.float64]:
    """Codes B of a lower |B W|^2 - 2 <B, Q>, each bit in turn as good as it can be, until none changes.

    Args:
        codes: ``(N, K)`` of plus and minus one, where to begin.
        pull: ``(N, K)``, Q.
        classifier: ``(K, C)``, W.
        passes: Most passes over the bits.
    """
    codes = codes.copy()
    gram = classifier @ classifier.T
    for _ in range(passes):
        before = codes.copy()
        for bit in range(codes.shape[1]):
            others = codes @ gram[:, bit] - codes[:, bit] * gram[bit, bit]
            codes[:, bit] = np.where(pull[:, bit] - others > 0, 1.0, -1.0)
        if np.array_equal(before, codes):
            break
    return codes


def has_settled(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    """Whether weights moved by less than 0.001 percent."""
    return bool(np.linalg.norm(after - before) < 1e-5 * np.linalg.norm(before))
