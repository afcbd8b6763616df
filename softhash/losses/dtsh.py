"""Deep supervised hashing with triplet labels."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.codes import signs
from softhash.functional.means import mean_over
from softhash.functional.similarity import Similarity, share
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.losses.triplets import triplets
from softhash.types import TrainingSet


class DTSHLoss(PairwiseLoss):
    r"""Negative log-likelihood of triplets, and quantisation error.

    With :math:`\theta_{ij} = u_i^\top u_j / 2`, an image q that is more similar to p than to n costs
    :math:`-\log \sigma(\theta_{qp} - \theta_{qn} - \alpha)`. The quantisation error is that of
    :math:`(u - \mathrm{sign}\, u)^2`.

    Source: Wang, Shi and Kitani, ACCV 2016; ``official`` from the authors' MATLAB code and ``dhp`` from
    DeepHash-pytorch, both by reading. Positives share a label and negatives do not, which for multi-label images is
    the paper's rule as far as we remember it.

    Variants: ``batch``, the default, takes all triplets of a batch: means over the triplets of each image, then over
    images; the mean of the quantisation error has the weight eta. ``dhp`` is the same without the 1/2 in theta. In
    both an image is a positive of itself, as in DeepHash-pytorch. ``official`` compares each image of a batch with
    images that are drawn for each step from the rest of the training set, with codes as they were when last seen, which
    are constants; the sums over triplets, and eta times the sum of the quantisation error, are divided by N times B.

    Differs: ``official`` draws all images alike, where their code draws 50 positives and, from each other class, 50
    negatives; the bank begins with the codes of the untrained network. Theirs leaves out the 1/2 in the gradient of
    theta. ``dhp`` clamps the exponent, which stops the gradient of triplets that are far in the right order and leaves
    values as they are.

    Args:
        variant: Which triplets, and whose normalisation.
        margin: alpha; None for K/2, the paper's. DeepHash-pytorch has 5.
        quantization_weight: eta; 1 in DeepHash-pytorch, 100 in the authors' code.
        num_samples: Images per step that ``official`` draws.
        seed: Seed of the images drawn.
        similarity: Compares label vectors; ``share`` is the paper's. Only its order counts.

    Raises:
        ValueError: A weight or the margin is negative, no images are drawn, or the variant is unknown.
    """

    takes_counts = True
    bank: MemoryBank
    step: Tensor

    def __init__(
        self,
        variant: Literal["batch", "official", "dhp"] = "batch",
        margin: float | None = None,
        quantization_weight: float = 1.0,
        num_samples: int = 500,
        seed: int = 0,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_option("variant", variant, ("batch", "official", "dhp"))
        check_at_least(0, margin=margin or 0.0, quantization_weight=quantization_weight)
        check_at_least(1, num_samples=num_samples)
        self.variant, self.margin, self.quantization_weight = variant, margin, quantization_weight
        self.num_samples, self.seed = num_samples, seed

    def setup(self, train: TrainingSet) -> None:
        """Make the memory bank that ``official`` draws from."""
        super().setup(train)
        if self.variant == "official":
            self.bank = MemoryBank(train.labels, train.bits)
            self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def on_step(self, step: int, total: int) -> None:
        """Note the step, by which images are drawn."""
        if self.variant == "official":
            self.step.fill_(step)

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Fill the bank before the first epoch."""
        if epoch == 0 and self.variant == "official":
            self.bank.relaxed[:] = train.encode()[1]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``triplet`` and ``quantization``."""
        margin = relaxed.shape[1] / 2 if self.margin is None else self.margin
        error = (relaxed - signs(relaxed)).square()
        if self.variant == "official":
            s, others = self._drawn(labels, rows)
            self.bank.write(rows, relaxed)
            pairs = len(relaxed) * len(self.bank.rows)
            valid, cost = triplets(s, with_itself=True), likelihood(relaxed @ others.T / 2, margin)
            triplet, quantization = torch.where(valid, cost, 0.0).sum() / pairs, error.sum() / pairs
        else:
            theta = relaxed @ relaxed.T * (1.0 if self.variant == "dhp" else 0.5)
            valid, cost = triplets(self.pairs(labels, rows), with_itself=True), likelihood(theta, margin)
            of_image = torch.where(valid, cost, 0.0).sum((1, 2)) / valid.sum((1, 2)).clamp(min=1)
            triplet, quantization = mean_over(of_image, valid.any(2).any(1)), error.mean()
        return {"triplet": triplet, "quantization": self.quantization_weight * quantization}

    def _drawn(self, labels: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Similarities ``(B, n)`` to images drawn from the bank, NaN for those of the batch, and their codes."""
        rng = torch.Generator().manual_seed((self.seed << 32) + int(self.step))
        drawn = torch.randperm(len(self.bank.rows), generator=rng)[: self.num_samples].to(rows.device)
        s = self.pairs(labels, rows, self.bank.labels[drawn].to(labels.dtype), drawn)
        return torch.where(torch.isin(drawn, rows), torch.nan, s), self.bank.relaxed[drawn].to(labels.dtype)


def likelihood(theta: Tensor, margin: float) -> Tensor:
    r"""Cost of each triplet: ``(A, B)`` :math:`\theta` to ``(A, B, B)`` by image, positive and negative."""
    return F.softplus(theta[:, None, :] - theta[:, :, None] + margin)
