"""Deep pairwise-supervised hashing."""

from functools import partial

import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.functional.similarity import Similarity, share
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet


class DPSHLoss(PairwiseLoss):
    r"""Negative log-likelihood of the similarity of each batch image to every training image.

    With :math:`\theta_{ij} = u_i^\top U_j / 2`, where U holds the codes that the training images had when they
    were last seen, the pair term is the mean of :math:`\log(1 + e^\theta) - s \theta`; images that share a label
    are similar. The quantisation term is :math:`\eta \sum (u - \mathrm{sign}\, u)^2 / (N B)`: a sum over bits
    divided by the number of pairs.

    Source: Li, Wang and Kang, IJCAI 2016, arXiv:1511.03855; normalisation of the PyTorch code of the same lab.

    Args:
        quantization_weight: eta; 10 for CIFAR-10 and 100 for NUS-WIDE in the paper, 50 in the code.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: ``quantization_weight`` is negative.
    """

    bank: MemoryBank

    def __init__(self, quantization_weight: float = 10.0, similarity: Similarity = share) -> None:
        super().__init__(similarity)
        check_at_least(0, quantization_weight=quantization_weight)
        self.quantization_weight = quantization_weight

    def setup(self, train: TrainingSet) -> None:
        """Make the memory bank."""
        super().setup(train)
        self.bank = MemoryBank(train.labels, train.bits)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        self.bank.write(rows, relaxed)
        pair = self.bank.mean(likelihood, relaxed, partial(self.pairs, labels, rows))
        quantization = (relaxed - signs(relaxed)).square().sum(1).mean() / len(self.bank.rows)
        return {"pair": pair, "quantization": self.quantization_weight * quantization}


def likelihood(relaxed: Tensor, others: Tensor, similarity: Tensor) -> Tensor:
    r"""Cost :math:`\log(1 + e^\theta) - s \theta` of pairs, with :math:`\theta = \langle u, v \rangle / 2`.

    Args:
        relaxed: ``(A, K)``.
        others: ``(B, K)``.
        similarity: s, ``(A, B)``.

    Returns:
        ``(A, B)``, the negative logarithm of the likelihood.
    """
    theta = relaxed / 2 @ others.T
    return F.softplus(theta) - similarity * theta
