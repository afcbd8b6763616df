"""DCH: deep Cauchy hashing."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss


class DCHLoss(PairwiseLoss):
    r"""Weighted cross-entropy of pairwise similarity, where similar codes are within a small Hamming distance.

    A pair at distance d is similar with probability :math:`p = \gamma / (\gamma + d)` and costs
    :math:`-w (s \log p + (1 - s) \log (1 - p))`, with :math:`d = q (1 - \cos(u_i, u_j)) / 2`. Similar and
    dissimilar pairs are weighted by the inverse of their share of the pairs, with weight 1 where one of them is
    missing; an image is not paired with itself. Quantisation is :math:`\lambda` times the mean of
    :math:`\log(1 + d_i / \gamma)`, with :math:`d_i` the distance of :math:`|u_i|` to a vector of ones.

    Source: Cao, Long, Liu and Wang, CVPR 2018. The paper's formula is that of DeepHash-pytorch, compared from memory;
    that of ``official`` was read in the authors' code.

    Variants: ``paper``. ``dhp`` is the re-implementation of DeepHash-pytorch: an image is paired with itself, and
    cosines of pairs are at most 0.99. ``official`` is what the authors' TensorFlow code runs: d is a squared Euclidean
    distance plus 0.001, only similar pairs are weighted, and quantisation is :math:`\lambda` times the mean of
    :math:`(|u| - 1)^2`; its lambda is 0.

    Args:
        variant: Whose formula.
        gamma: Scale of distances.
        quantization_weight: lambda.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: ``gamma`` is not positive, the weight negative or the variant unknown.
    """

    def __init__(
        self,
        variant: Literal["paper", "dhp", "official"] = "paper",
        gamma: float = 20.0,
        quantization_weight: float = 0.1,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ("paper", "dhp", "official"))
        check_at_least(0, quantization_weight=quantization_weight)
        if gamma <= 0:
            msg = f"gamma must be above 0, got {gamma}"
            raise ValueError(msg)
        self.variant, self.gamma, self.quantization_weight = variant, gamma, quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        q = relaxed.shape[1]
        if self.variant == "official":
            distance = (relaxed[:, None] - relaxed).square().sum(2) + 0.001
            quantization = (relaxed.abs() - 1).square().mean()
        else:
            codes = F.normalize(relaxed)
            cosines = codes @ codes.T
            distance = q / 2 * (1 - (cosines.clamp(max=0.99) if self.variant == "dhp" else cosines))
            to_ones = q / 2 * (1 - codes.abs().sum(1) / q**0.5)
            quantization = torch.log1p(to_ones / self.gamma).mean()
        chosen = torch.ones_like(distance, dtype=torch.bool)
        if self.variant != "dhp":
            chosen.fill_diagonal_(fill_value=False)
        s, distance = self.pairs(labels, rows)[chosen], distance[chosen].clamp(min=1e-6)
        similar, pairs = s.sum(), s.numel()
        both = (similar > 0) & (similar < pairs)
        of_similar = (pairs / similar.clamp(min=1e-6)).where(both, 1.0)
        of_dissimilar = (pairs / (pairs - similar).clamp(min=1e-6)).where(both & (self.variant != "official"), 1.0)
        likelihood = of_similar * s * torch.log1p(distance / self.gamma)
        likelihood = likelihood + of_dissimilar * (1 - s) * torch.log1p(self.gamma / distance)
        return {
            "pair": likelihood.sum() / max(1, pairs),
            "quantization": self.quantization_weight * quantization,
        }
