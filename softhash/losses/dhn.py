"""Deep hashing network."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss


class DHNLoss(PairwiseLoss):
    r"""Cross-entropy of pairwise similarity, and a smooth distance of the codes from plus and minus one.

    With :math:`\theta = a \langle u_i, u_j \rangle` for all pairs of the batch, the pair term is the mean of
    :math:`\log(1 + e^\theta) - s \theta`, the quantisation term :math:`\lambda` times the mean of
    :math:`\log \cosh(|u| - 1)`.

    Source: Zhu, Long, Wang and Cao, AAAI 2016; a = 1 and lambda = 0.2 of the authors' Caffe code, whose
    hand-written gradient is twice that of the value it reports for the pairs. The paper has a = 1/2.

    Args:
        scale: a, the factor of the inner product.
        quantization_weight: lambda.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: A weight is negative.
    """

    def __init__(self, scale: float = 1.0, quantization_weight: float = 0.2, similarity: Similarity = share) -> None:
        super().__init__(similarity)
        check_at_least(0, scale=scale, quantization_weight=quantization_weight)
        self.scale, self.quantization_weight = scale, quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        s = self.pairs(labels, rows)
        theta = self.scale * (relaxed @ relaxed.T)
        pair = (F.softplus(theta) - s * theta).mean()
        distance = (relaxed.abs() - 1).abs()
        quantization = (distance + torch.log1p(torch.exp(-2 * distance)) - math.log(2)).mean()  # log cosh
        return {"pair": pair, "quantization": self.quantization_weight * quantization}
