"""Deep supervised discrete hashing."""

from functools import partial
from typing import Literal

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.codes import signs
from softhash.functional.similarity import Similarity, share
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.losses.dpsh import likelihood
from softhash.types import TrainingSet


class DSDHLoss(PairwiseLoss):
    r"""Pairwise likelihood, and binary codes from which a linear classifier finds the labels.

    The codes B of the training images minimise :math:`\mu \lVert Y - B W \rVert^2 + \eta \lVert B - U \rVert^2` with
    labels Y, relaxed codes U as they were when last seen, and a classifier W that is a ridge regression with the
    penalty :math:`\nu / \mu` on the signs of U. The network minimises two terms: ``pair``, the mean of
    :math:`\log(1 + e^\theta) - s \theta` with :math:`\theta_{ij} = u_i^\top U_j / 2`; and ``quantization``,
    :math:`\eta \sum (b - u)^2 / (N B)`.

    Source: Li, Sun, He and Tan, NIPS 2017; values of the authors' code.

    Variants: ``epoch`` computes W and the codes of all training images before each epoch, ``batch`` those of a batch
    from the batch alone, as the authors' code does.

    Args:
        variant: When codes are computed, and from what.
        classification_weight: mu.
        regularization_weight: nu.
        quantization_weight: eta.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: eta is negative, mu or nu not above 0, or the variant unknown.
    """

    learns_from = "classes"
    bank: MemoryBank
    codes: Tensor

    def __init__(
        self,
        variant: Literal["epoch", "batch"] = "epoch",
        classification_weight: float = 1.0,
        regularization_weight: float = 0.1,
        quantization_weight: float = 55.0,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ["epoch", "batch"])
        check_at_least(0, quantization_weight=quantization_weight)
        if classification_weight <= 0 or regularization_weight <= 0:
            msg = (
                "classification_weight and regularization_weight must be above 0, got"
                f" {classification_weight} and {regularization_weight}"
            )
            raise ValueError(msg)
        self.variant, self.quantization_weight = variant, quantization_weight
        self.classification_weight, self.regularization_weight = classification_weight, regularization_weight

    def setup(self, train: TrainingSet) -> None:
        """Make the memory bank, and room for the codes."""
        super().setup(train)
        self.bank = MemoryBank(train.labels, train.bits)
        if self.variant == "epoch":
            self.register_buffer("codes", torch.zeros_like(self.bank.relaxed))

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Compute the codes of the training images; the relaxed ones of the first epoch are encoded for it."""
        if epoch == 0:
            self.bank.relaxed[:] = train.encode()[1]
        if self.variant == "epoch":
            self.codes[:] = self.discrete(self.bank.relaxed, self.bank.labels)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        self.bank.write(rows, relaxed)
        pair = self.bank.mean(likelihood, relaxed, partial(self.pairs, labels, rows))
        codes = self.codes[rows] if self.variant == "epoch" else self.discrete(relaxed.detach(), labels)
        quantization = (codes - relaxed).square().sum(1).mean() / len(self.bank.rows)
        return {"pair": pair, "quantization": self.quantization_weight * quantization}

    def discrete(self, relaxed: Tensor, labels: Tensor) -> Tensor:
        """``(N, K)`` codes in plus and minus one of images with ``(N, K)`` relaxed codes and ``(N, C)`` labels."""
        mu = self.classification_weight
        classifier = ridge(signs(relaxed), labels, self.regularization_weight / mu)
        return descend(self.quantization_weight / mu * relaxed + labels @ classifier.T, classifier)


def ridge(codes: Tensor, labels: Tensor, penalty: float) -> Tensor:
    r"""``(K, C)`` weights W that minimise :math:`\lVert Y - B W \rVert^2 + \text{penalty} \lVert W \rVert^2`.

    Args:
        codes: B, ``(N, K)``.
        labels: Y, ``(N, C)``.
        penalty: Above 0.
    """
    identity = torch.eye(codes.shape[1], dtype=codes.dtype, device=codes.device)
    weights: Tensor = torch.linalg.solve(codes.T @ codes + penalty * identity, codes.T @ labels)
    return weights


def descend(target: Tensor, classifier: Tensor, sweeps: int = 10) -> Tensor:
    r"""Minimise :math:`\lVert B W \rVert^2 - 2 \operatorname{tr} B Q^\top` over codes, one bit of all images at a time.

    It starts at zeros and stops when a sweep over the bits changes nothing.

    Args:
        target: Q, ``(N, K)``.
        classifier: W, ``(K, C)``.
        sweeps: How many, at most.

    Returns:
        B, ``(N, K)`` in plus and minus one.
    """
    gram = classifier @ classifier.T
    codes = torch.zeros_like(target)
    for _ in range(sweeps):
        before = codes.clone()
        for bit in range(codes.shape[1]):
            others = codes @ gram[:, bit] - codes[:, bit] * gram[bit, bit]
            codes[:, bit] = signs(target[:, bit] - others)
        if torch.equal(codes, before):
            break
    return codes
