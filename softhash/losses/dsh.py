"""Deep supervised hashing."""

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.similarity import Similarity, share
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet


class DSHLoss(PairwiseLoss):
    r"""Contrastive loss of squared distances, and distance of the codes from plus and minus one.

    With :math:`D^2 = \lVert u_i - u_j \rVert^2`, a pair costs :math:`(s D^2 + (1 - s) \max(m - D^2, 0)) / 2`; the mean
    is taken over pairs. The quantisation term is alpha times the mean over images of
    :math:`\lVert |u| - 1 \rVert_1`, a sum over bits.

    Source: Liu, Wang, Shan and Chen, CVPR 2016; ``official`` from the authors' Caffe code by reading, ``dhp`` from
    DeepHash-pytorch. As far as we remember the paper, it counts the quantisation of both images of a pair, so that its
    alpha is half of that here.

    Variants: ``official`` pairs different images of a batch. ``dhp`` pairs the batch with a memory bank of the training
    set, and its quantisation is a mean over bits.

    Differs: the authors' code multiplies the gradient of pairs by 1/2.

    Args:
        variant: Whose formula.
        margin_per_bit: m / K; 2 in the paper, half of what two codes can be apart.
        quantization_weight: alpha; 0.01 in the paper, 0.1 in DeepHash-pytorch.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: The margin or the weight is negative, or the variant unknown.
    """

    bank: MemoryBank

    def __init__(
        self,
        variant: Literal["official", "dhp"] = "official",
        margin_per_bit: float = 2.0,
        quantization_weight: float = 0.01,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ("official", "dhp"))
        check_at_least(0, margin_per_bit=margin_per_bit, quantization_weight=quantization_weight)
        self.variant, self.margin_per_bit, self.quantization_weight = variant, margin_per_bit, quantization_weight

    def setup(self, train: TrainingSet) -> None:
        """Make the memory bank that ``dhp`` compares with."""
        super().setup(train)
        if self.variant == "dhp":
            self.bank = MemoryBank(train.labels, train.bits)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        margin, error = self.margin_per_bit * relaxed.shape[1], (relaxed.abs() - 1).abs()
        if self.variant == "dhp":
            self.bank.write(rows, relaxed)
            pair = self.bank.mean(partial(contrast, margin=margin), relaxed, partial(self.pairs, labels, rows))
            quantization = error.mean()
        else:
            cost = contrast(relaxed, relaxed, self.pairs(labels, rows), margin)
            different = ~torch.eye(len(relaxed), dtype=torch.bool, device=relaxed.device)
            pair = cost[different].sum() / max(int(different.sum()), 1)
            quantization = error.sum(1).mean()
        return {"pair": pair, "quantization": self.quantization_weight * quantization}


def contrast(relaxed: Tensor, others: Tensor, similarity: Tensor, margin: float) -> Tensor:
    """``(A, B)`` cost of pairs of ``(A, K)`` and ``(B, K)`` codes; see :class:`DSHLoss`."""
    squares = relaxed.square().sum(1)[:, None] + others.square().sum(1)[None]
    distance = (squares - 2 * relaxed @ others.T).clamp(min=0)
    return (similarity * distance + (1 - similarity) * (margin - distance).clamp(min=0)) / 2
