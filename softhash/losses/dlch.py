"""The similarity term of deep lifelong cross-modal hashing."""

from functools import partial
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_option
from softhash.functional.similarity import Similarity, cosine
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet


class DLCHLoss(PairwiseLoss):
    r"""Squared distance of the cosines of codes to those of the labels.

    With c the cosine of two label vectors and U the codes that the training images had when they were last seen, the
    ``pair`` term is the mean of :math:`(\max(0, \cos(u_i, U_j)) - c_{ij})^2`. It has no gradient where the cosine of
    codes is negative, so that similar images on opposite sides stay there.

    Source: "Deep Lifelong Cross-modal Hashing", arXiv:2304.13357; formula of the authors' code. Differs: images alone;
    theirs compares images and texts with the codes of a network of labels. Their second, incremental stage is left
    out.

    Variants: ``bank`` compares with the whole training set, ``batch`` with the images of the batch.

    Args:
        variant: What images are compared with.
        similarity: Compares label vectors; ``cosine`` is the paper's.

    Raises:
        ValueError: The variant is unknown.
    """

    bank: MemoryBank

    def __init__(self, variant: Literal["bank", "batch"] = "bank", similarity: Similarity = cosine) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ("bank", "batch"))
        self.variant = variant

    def setup(self, train: TrainingSet) -> None:
        """Make the memory bank."""
        super().setup(train)
        if self.variant == "bank":
            self.bank = MemoryBank(train.labels, train.bits)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair``."""
        if self.variant == "bank":
            self.bank.write(rows, relaxed)
            return {"pair": self.bank.mean(error, relaxed, partial(self.pairs, labels, rows))}
        return {"pair": error(relaxed, relaxed, self.pairs(labels, rows)).mean()}


def error(relaxed: Tensor, others: Tensor, similarity: Tensor) -> Tensor:
    """``(A, B)`` squared errors of pairs of ``(A, K)`` and ``(B, K)`` codes; see :class:`DLCHLoss`."""
    cosines = F.normalize(relaxed) @ F.normalize(others).T
    return (cosines.relu() - similarity).square()
