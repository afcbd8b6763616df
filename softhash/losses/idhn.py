"""Improved deep hashing network: soft pairwise similarity."""

from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.similarity import Similarity, cosine
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet

_HARD = 0.01  # a pair is hard where its similarity is nearer than this to 0 or 1


class IDHNLoss(PairwiseLoss):
    r"""Cross-entropy for pairs with the same labels or none in common, squared error for those between.

    With s the cosine of two label vectors, :math:`\Omega = \beta \langle u_i, u_j \rangle / q`, and the pairs of
    a batch including each image with itself:

    .. math::
        \ell_{hard} = \log(1 + e^\Omega) - s \Omega, \qquad
        \ell_{soft} = \gamma q \Big( \frac{\langle u_i, u_j \rangle + q}{2 q} - s \Big)^2,

    so that of a soft pair the fraction of equal bits should be s. Quantisation is :math:`\alpha` times the mean
    of :math:`\big| |u| - 1 \big|`. For an untrained network nearly all is cross-entropy of the diagonal.

    Source: Zhang, Zou, Lin, Chen and Wang, IEEE TMM 2019, arXiv:1803.02987; values of the authors' code.

    Variants: ``official`` is the authors' code. ``paper`` leaves the 1/q out of the soft term, which gives soft
    pairs q times the weight. ``dhp`` is the re-implementation of DeepHash-pytorch: pairs of the batch with a
    memory bank of the training set, :math:`\Omega = \langle u_i, U_j \rangle / 2`, soft term
    :math:`\gamma (\Omega + q - 2 q s)^2`.

    Args:
        variant: Whose formula.
        beta: Scale of the inner product; not used by ``dhp``.
        gamma: Weight of soft pairs.
        quantization_weight: The paper's alpha.
        similarity: Compares label vectors; ``cosine`` is the paper's.

    Raises:
        ValueError: A weight is negative, or the variant unknown.
    """

    def __init__(
        self,
        variant: Literal["official", "paper", "dhp"] = "official",
        beta: float = 5.0,
        gamma: float = 0.1,
        quantization_weight: float = 0.1,
        similarity: Similarity = cosine,
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, beta=beta, gamma=gamma, quantization_weight=quantization_weight)
        check_option("variant", variant, ("official", "paper", "dhp"))
        self.variant, self.beta, self.gamma = variant, beta, gamma
        self.quantization_weight = quantization_weight

    def setup(self, train: TrainingSet) -> None:
        """Make the memory bank that ``dhp`` compares with."""
        super().setup(train)
        if self.variant == "dhp":
            self.bank = MemoryBank(train.labels, train.bits)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        if self.variant == "dhp":
            self.bank.write(rows, relaxed)
            pair = self.bank.mean(self.cost, relaxed, partial(self.pairs, labels, rows))
        else:
            pair = self.cost(relaxed, relaxed, self.pairs(labels, rows)).mean()
        quantization = (relaxed.abs() - 1).abs().mean()
        return {"pair": pair, "quantization": self.quantization_weight * quantization}

    def cost(self, relaxed: Tensor, others: Tensor, s: Tensor) -> Tensor:
        """``(A, B)`` costs of pairs of ``(A, K)`` and ``(B, K)`` codes with similarity s."""
        q = relaxed.shape[1]
        if self.variant == "dhp":
            s = s * others.any(1)  # what has not been seen yet is similar to nothing
            omega = relaxed / 2 @ others.T
            error = (omega + q - 2 * q * s) ** 2
        else:
            inner, power = relaxed @ others.T, {"official": 1, "paper": 2}[self.variant]
            omega, error = self.beta * inner / q, ((inner + q) / (2 * q) - s) ** 2 * q**power
        hard = (s < _HARD) | (s > 1 - _HARD)
        return torch.where(hard, F.softplus(omega) - s * omega, self.gamma * error)
