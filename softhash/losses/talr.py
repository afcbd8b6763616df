"""Hashing as tie-aware learning to rank."""

from typing import Literal

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.similarity import Similarity, count
from softhash.losses.base import PairwiseLoss


class TALRLoss(PairwiseLoss):
    r"""1 minus the average precision, or the NDCG, of the images of a batch as queries, when equal distances are ties.

    Codes are :math:`\phi = 2 \sigma(\gamma z) - 1`. Distances :math:`D = (K - \langle \phi_i, \phi_j \rangle) / 2` are
    counted in a histogram with centres :math:`t_l = l K / n`, into which each comes with the weight
    :math:`\max(0, 1 - |D - t_l| n / K)`. With :math:`c_l` the number of images in bin l, :math:`C_l` that in the bins
    up to l, and a plus for those that are similar to the query, not counting the query itself,

    .. math::
        \mathrm{AP} = \frac{1}{N^+} \sum_l c^+_l \frac{C^+_{l-1} + C^+_l + 1}{C_{l-1} + C_l + 1}, \qquad
        \mathrm{NDCG} = \frac{1}{Z} \sum_l \frac{G_l}{\log_2(C_{l-1} + (c_l + 1) / 2 + 1)},

    where G is the sum of the gains :math:`2^r - 1`, and Z the largest possible DCG.

    The head gives z; the loss applies the sigmoid.

    Source: He, Cakir, Bargal and Sclaroff, CVPR 2018, arXiv:1705.08562; the simplified forms that the authors' MATLAB
    code uses, by reading. As there, Z counts the query as its own best match, so that NDCG stays below 1 in small
    batches.

    Differs: a mean over queries, where theirs is a sum.

    Args:
        variant: ``ap``, where images with a similarity above 0 are relevant, or ``ndcg``, where it is r.
        num_bins: n; None for K/2, the authors' choice for NUS-WIDE.
        gamma: Steepness of the sigmoid.
        similarity: Compares label vectors; ``count`` is the paper's for NDCG, and as good as ``share`` for AP.

    Raises:
        ValueError: There is no bin, gamma is negative, or the variant unknown.
    """

    takes_counts = True

    def __init__(
        self,
        variant: Literal["ap", "ndcg"] = "ap",
        num_bins: int | None = None,
        gamma: float = 1.0,
        similarity: Similarity = count,
    ) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ("ap", "ndcg"))
        check_at_least(0, gamma=gamma)
        if num_bins is not None:
            check_at_least(1, num_bins=num_bins)
        self.variant, self.num_bins, self.gamma = variant, num_bins, gamma

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``ap`` or ``ndcg`` from z, the output of the head."""
        bits = relaxed.shape[1]
        codes = torch.tanh(self.gamma * relaxed / 2)
        num_bins = self.num_bins or max(1, bits // 2)
        weights = soft_histogram((bits - codes @ codes.T) / 2, bits, num_bins)
        measure = average_precision if self.variant == "ap" else discounted_gain
        return {self.variant: 1 - measure(weights, self.pairs(labels, rows)).mean()}


def soft_histogram(distances: Tensor, bits: int, num_bins: int) -> Tensor:
    """``(B, B)`` distances in [0, bits] to ``(B, B, num_bins + 1)`` weights by bin, 0 for an image and itself."""
    centers = torch.arange(num_bins + 1, dtype=distances.dtype, device=distances.device) * (bits / num_bins)
    weights = torch.relu(1 - (distances[:, :, None] - centers).abs() * (num_bins / bits))
    return weights * (1 - torch.eye(len(distances), dtype=distances.dtype, device=distances.device))[:, :, None]


def average_precision(weights: Tensor, similarity: Tensor) -> Tensor:
    """``(B,)`` average precision of each image, 0 where no other is relevant.

    Args:
        weights: ``(B, B, bins)`` of the images in each bin of each query.
        similarity: ``(B, B)``; relevant is what is above 0.
    """
    relevant = (similarity > 0).to(weights.dtype).fill_diagonal_(0)
    counts, positives = weights.sum(1), (relevant[:, :, None] * weights).sum(1)
    seen, found = counts.cumsum(1), positives.cumsum(1)
    precision = (2 * found - positives + 1) / (2 * seen - counts + 1)
    return (positives * precision).sum(1) / relevant.sum(1).clamp(min=1)


def discounted_gain(weights: Tensor, similarity: Tensor) -> Tensor:
    """``(B,)`` NDCG of each image, 1 where nothing could be gained.

    Args:
        weights: ``(B, B, bins)`` of the images in each bin of each query.
        similarity: ``(B, B)`` r.
    """
    gains = torch.exp2(similarity) - 1
    counts = weights.sum(1)
    discount = torch.log2(counts.cumsum(1) - counts + (counts + 1) / 2 + 1)
    gained = ((gains[:, :, None] * weights).sum(1) / discount).sum(1)
    ranks = torch.arange(2, len(gains) + 2, dtype=gains.dtype, device=gains.device)
    best = (gains.sort(1, descending=True).values / torch.log2(ranks)).sum(1)
    return torch.where(best > 0, gained / torch.where(best > 0, best, 1.0), 1.0)
