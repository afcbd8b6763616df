"""Instance similarity deep hashing: the first version of IDHN."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, cosine
from softhash.losses.base import PairwiseLoss

_HARD = 0.01  # a pair is hard where its similarity is nearer than this to 0 or 1


class ISDHLoss(PairwiseLoss):
    r"""Cross-entropy for pairs with the same labels or none in common, logistic regression for those between.

    With s the cosine of two label vectors and :math:`\Omega = \beta \langle u_i, u_j \rangle / q`, a hard pair
    costs :math:`\gamma (\log(1 + e^\Omega) - s \Omega)` and a soft one :math:`(s - \sigma(\Omega))^2`. The weight
    lies on the hard pairs; :class:`~softhash.losses.idhn.IDHNLoss` puts it on the soft ones.

    Source: Zhang, Zou, Wang, Lin and Li, arXiv:1803.02987v1; values of the authors' code.

    Args:
        beta: Scale of the inner product.
        gamma: Weight of hard pairs.
        quantization_weight: Weight of the mean of ``||u| - 1|``.
        similarity: Compares label vectors; ``cosine`` is the paper's.

    Raises:
        ValueError: A weight is negative.
    """

    def __init__(
        self,
        beta: float = 5.0,
        gamma: float = 10.0,
        quantization_weight: float = 0.1,
        similarity: Similarity = cosine,
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, beta=beta, gamma=gamma, quantization_weight=quantization_weight)
        self.beta, self.gamma, self.quantization_weight = beta, gamma, quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        s = self.pairs(labels, rows)
        omega = self.beta * (relaxed @ relaxed.T) / relaxed.shape[1]
        hard = (s < _HARD) | (s > 1 - _HARD)
        pair = torch.where(hard, self.gamma * (F.softplus(omega) - s * omega), (s - omega.sigmoid()) ** 2)
        quantization = (relaxed.abs() - 1).abs().mean()
        return {"pair": pair.mean(), "quantization": self.quantization_weight * quantization}
