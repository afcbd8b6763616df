"""MLSPH: multi-label semantics preserving hashing."""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.codes import signs
from softhash.functional.similarity import Similarity, jaccard
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet


class MLSPHLoss(PairwiseLoss):
    r"""Squared distance of cosines to twice the overlap of the labels.

    With J the overlap of two label sets (shared over labels of either) and U the codes that the training images had
    when they were last seen, the ``pair`` term is :math:`\alpha` times the mean of
    :math:`(2 J_{ij} - \cos(u_i, U_j))^2`.
    Twice the overlap is up to 2, which no cosine reaches: pairs that share half of their labels or more are pulled
    together without end. The ``quantization`` term is :math:`\gamma` times the mean of :math:`(b - u)^2`, where b are
    the signs of U at the start of the epoch; in the first, of the codes of the untrained network.

    Source: Zou, Wang, Bakker and Wu, Signal Processing: Image Communication 2021; formula of the authors' code, for
    images alone. Theirs adds texts: codes of images are compared with both (weights 1 and 1.4, each times 10), and b
    is common to both.

    Variants: ``bank`` compares with the whole training set, as theirs. ``batch`` compares the images of the batch, and
    b is the sign of u.

    Args:
        variant: What images are compared with.
        target: Factor of the similarity; 2 in the authors' code.
        pair_weight: alpha, of images with images and texts together.
        quantization_weight: gamma.
        similarity: Compares label vectors; ``jaccard`` is the paper's.

    Raises:
        ValueError: A weight or factor is negative, or the variant unknown.
    """

    bank: MemoryBank
    codes: Tensor

    def __init__(
        self,
        variant: Literal["bank", "batch"] = "bank",
        target: float = 2.0,
        pair_weight: float = 24.0,
        quantization_weight: float = 1.0,
        similarity: Similarity = jaccard,
    ) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ("bank", "batch"))
        check_at_least(0, target=target, pair_weight=pair_weight, quantization_weight=quantization_weight)
        self.variant, self.target = variant, target
        self.pair_weight, self.quantization_weight = pair_weight, quantization_weight

    def setup(self, train: TrainingSet) -> None:
        """Make the memory bank and its signs."""
        super().setup(train)
        if self.variant == "bank":
            self.bank = MemoryBank(train.labels, train.bits)
            self.register_buffer("codes", torch.zeros(len(train.labels), train.bits))

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Take the signs of the bank, which the first epoch starts with the codes of the untrained network."""
        if self.variant == "bank":
            if epoch == 0:
                self.bank.relaxed.copy_(train.encode()[1])
            self.codes.copy_(signs(self.bank.relaxed))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        if self.variant == "bank":
            self.bank.write(rows, relaxed)
            codes = self.codes[rows].to(relaxed.dtype)
            pair = self.bank.mean(self.error, relaxed, partial(self.pairs, labels, rows))
        else:
            codes = signs(relaxed)
            pair = self.error(relaxed, relaxed, self.pairs(labels, rows)).mean()
        quantization = (codes - relaxed).square().mean()
        return {"pair": self.pair_weight * pair, "quantization": self.quantization_weight * quantization}

    def error(self, relaxed: Tensor, others: Tensor, similarity: Tensor) -> Tensor:
        """``(A, B)`` squared errors of pairs of ``(A, K)`` and ``(B, K)`` codes."""
        cosines = F.normalize(relaxed) @ F.normalize(others).T
        return (self.target * similarity - cosines).square()
