"""QSMIH: quadratic spherical mutual information hashing."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss


class QSMIHLoss(PairwiseLoss):
    r"""Quadratic mutual information of codes and labels, on the sphere.

    With :math:`Y_{ij} = (\cos(u_i, u_j) + 1) / 2`, s the similarity and :math:`1 / M` its mean over all pairs of the
    batch including each image with itself, the ``pair`` term is the sum over pairs of
    :math:`(s Y - 1)^2 + Y^2 / M`; a dissimilar pair adds a constant 1. Quantisation is :math:`\alpha` times the sum of
    :math:`\big| |u| - 1 \big|`.

    Source: Passalis and Tefas, 2019 (venue from memory); formula of the authors' code, which has images of one class.
    Here images that share a label are similar, as in DeepHash-pytorch, whose quantisation of codes of norm 1 is not
    followed.

    Variants: ``official`` has sums, ``mean`` means over pairs and over entries.

    Args:
        variant: How terms are summed.
        quantization_weight: alpha.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: The weight is negative or the variant unknown.
    """

    def __init__(
        self,
        variant: Literal["official", "mean"] = "official",
        quantization_weight: float = 0.01,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ("official", "mean"))
        check_at_least(0, quantization_weight=quantization_weight)
        self.variant, self.quantization_weight = variant, quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        s, codes = self.pairs(labels, rows), F.normalize(relaxed)
        alike = (codes @ codes.T + 1) / 2
        pair = (s * alike - 1).square() + alike.square() * s.mean()
        distance = (relaxed.abs() - 1).abs()
        terms = (pair.sum(), distance.sum()) if self.variant == "official" else (pair.mean(), distance.mean())
        return {"pair": terms[0], "quantization": self.quantization_weight * terms[1]}
