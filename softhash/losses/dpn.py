"""DPN: deep polarized network."""

from typing import Literal

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.codes import signs
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet


class DPNLoss(HashLoss):
    r"""Each bit at least a margin away from zero, on the side of the binary code of the image's class.

    With :math:`t_c` the code of a class in plus and minus one, a class of an image costs
    :math:`\sum_k \max(0, m - u_k t_{ck})`. The ``polarization`` term sums over the classes of an image, and is a mean
    over images.

    Source: Fan, Ng, Ju, Zhang, Liu, Chan and Yang, IJCAI 2020; authors' code. Its classifier, which is an option, and
    its evaluation by ternary codes are left out.

    Variants: ``official`` is the authors' code. ``dhp`` is the re-implementation of DeepHash-pytorch, which has one
    code per image, the majority of those of its classes (where they are split, a random bit that is drawn once), and a
    mean over bits.

    Args:
        variant: Whose formula.
        margin: m.
        refresh: Epochs between two refreshes of the codes of the classes, each of which then is the majority of the
            codes of its training images, and keeps bits that are split; 0 keeps the random codes.
        seed: Seed of the codes of the classes and of the random bits for ties.

    Raises:
        ValueError: ``margin`` or ``refresh`` is negative, or the variant unknown.

    Example:
        >>> from types import SimpleNamespace
        >>> loss = DPNLoss()
        >>> loss.setup(SimpleNamespace(labels=torch.ones(1, 2), bits=3))
        >>> loss(torch.zeros(1, 3), torch.ones(1, 2), torch.arange(1))["polarization"]  # 1 per bit and class
        tensor(6.)
    """

    codebook: Tensor
    tie: Tensor

    def __init__(
        self, variant: Literal["official", "dhp"] = "official", margin: float = 1.0, refresh: int = 0, seed: int = 0
    ) -> None:
        super().__init__()
        check_option("variant", variant, ("official", "dhp"))
        check_at_least(0, margin=margin, refresh=refresh)
        self.variant, self.margin, self.refresh, self.seed = variant, margin, refresh, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw a code for each class, and the bits for ties."""
        rng = torch.Generator().manual_seed(self.seed)
        bits = torch.randint(2, (train.labels.shape[1] + 1, train.bits), generator=rng) * 2.0 - 1
        self.register_buffer("codebook", bits[:-1])
        self.register_buffer("tie", bits[-1])

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Refresh the codes of the classes, where it is time to."""
        if self.refresh and epoch and epoch % self.refresh == 0:
            relaxed = train.encode()[1]
            labels = train.labels.to(relaxed)
            votes = labels.T @ signs(relaxed)
            self.codebook.copy_(torch.where(votes == 0, self.codebook, votes.sign()))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``polarization``."""
        codebook = self.codebook.to(relaxed.dtype)
        if self.variant == "dhp":
            votes = labels @ codebook
            target = torch.where(votes == 0, self.tie.to(relaxed.dtype), votes.sign())
            return {"polarization": (self.margin - relaxed * target).relu().mean()}
        cost = (self.margin - relaxed[:, None] * codebook).relu().sum(2)  # (B, C)
        return {"polarization": (labels * cost).sum(1).mean()}
