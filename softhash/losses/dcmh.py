"""Deep cross-modal hashing."""

from functools import partial

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, share
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.losses.dpsh import likelihood
from softhash.types import TrainingSet


class DCMHLoss(PairwiseLoss):
    r"""Likelihood of the similarity of images to texts, and codes that an image and its text share.

    With relaxed codes F of the training images and G of their texts, as they were when last seen, and
    :math:`\theta_{ij} = F_i^\top G_j / 2`, both networks minimise

    .. math::
        J = \sum_{ij} \bigl(\log(1 + e^{\theta_{ij}}) - s_{ij} \theta_{ij}\bigr)
        + \gamma (\lVert B - F \rVert^2 + \lVert B - G \rVert^2)
        + \eta (\lVert F^\top 1 \rVert^2 + \lVert G^\top 1 \rVert^2)

    where s is 1 for images that share a label. The common codes :math:`B = \mathrm{sign}(F + G)` are computed before
    each epoch; they are 0 in the first one. For the image network G is constant, and for the text network F, so the
    terms ``pair``, ``quantization`` and ``balance`` are sums of a part for each network; ``pair`` thus counts the pairs
    of J twice. All are divided by the number of pairs of the batch with the training set, as in the authors' code.

    Without texts, G is F: the image network alone, as tables of image hashing have it, which is DPSH with balanced bits
    and codes that are computed once per epoch.

    Source: Jiang and Li, CVPR 2017, arXiv:1602.02255; formula and values of the authors' code for MATLAB and
    TensorFlow, which was read and not run.
    Differs: each batch is a step of both networks; in their code a pass over the texts comes before one over the images
    (in TensorFlow after it), both by random batches. Their MATLAB code subtracts the mean of each tag.

    Args:
        quantization_weight: gamma.
        balance_weight: eta.
        similarity: Compares label vectors; ``share`` is the paper's.

    Attributes:
        images: F.
        texts: G.
        codes: B, ``(N, K)`` float32 in minus and plus one, or 0.

    Raises:
        ValueError: A weight is negative.
    """

    images: MemoryBank
    texts: MemoryBank
    codes: Tensor

    def __init__(
        self, quantization_weight: float = 1.0, balance_weight: float = 1.0, similarity: Similarity = share
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, quantization_weight=quantization_weight, balance_weight=balance_weight)
        self.quantization_weight, self.balance_weight = quantization_weight, balance_weight

    def setup(self, train: TrainingSet) -> None:
        """Make the memory banks, and room for the codes."""
        super().setup(train)
        self.images, self.texts = MemoryBank(train.labels, train.bits), MemoryBank(train.labels, train.bits)
        self.register_buffer("codes", torch.zeros_like(self.images.relaxed))

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Compute the codes."""
        self.codes[:] = (self.images.relaxed + self.texts.relaxed).sign()

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor, texts: Tensor | None = None) -> dict[str, Tensor]:
        """Compute ``pair``, ``quantization`` and ``balance``.

        Args:
            relaxed: ``(B, K)`` relaxed codes of images.
            labels: ``(B, C)`` multi-hot.
            rows: ``(B,)`` positions in the training set.
            texts: ``(B, K)`` relaxed codes of the texts of these images; None without texts.
        """
        sides = [(relaxed, self.images)] if texts is None else [(relaxed, self.images), (texts, self.texts)]
        for own, bank in sides:
            bank.write(rows, own)
        pair = quantization = balance = relaxed.new_zeros(())
        for (own, bank), (_, other) in zip(sides, reversed(sides), strict=True):
            pair = pair + other.mean(likelihood, own, partial(self.pairs, labels, rows))
            quantization = quantization + (self.codes[rows] - own).square().sum()
            total = bank.relaxed.sum(0) - own.detach().sum(0) + own.sum(0)  # with a gradient for the batch
            balance = balance + total.square().sum()
        num_pairs = len(rows) * len(self.codes)
        return {
            "pair": pair,
            "quantization": self.quantization_weight * quantization / num_pairs,
            "balance": self.balance_weight * balance / num_pairs,
        }
