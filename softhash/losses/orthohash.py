"""OrthoHash: one loss for all."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet


class OrthoHashLoss(HashLoss):
    r"""Softmax over the cosines of a code with the binary codes of the classes.

    Each class has a fixed random code :math:`h_c` in plus and minus one. The logit of a class is
    :math:`s (\cos(z, h_c) - m)` for a class of the image and :math:`s \cos(z, h_c)` for another, and the ``class``
    term the mean cross-entropy with a target that is spread evenly over the classes of the image; an image without
    labels adds 0. A cosine near 1 is a small quantisation error as well, so there is no further term.

    The paper's head is ``normalized``, which balances the bits.

    Source: Hoe, Ng, Zhang, Chan, Song and Xiang, NeurIPS 2021, arXiv:2109.14449; values of the authors' code, which
    has s = 8 where the paper has the square root of K. Of its losses for several labels, this is the one that
    their supplement finds best by far.

    Args:
        scale: s.
        margin: m.
        seed: Seed of the codes of the classes.

    Raises:
        ValueError: ``scale`` or ``margin`` is negative.

    Example:
        >>> from types import SimpleNamespace
        >>> loss = OrthoHashLoss()
        >>> loss.setup(SimpleNamespace(labels=torch.eye(2), bits=4))
        >>> loss(torch.zeros(2, 4), torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.arange(2))["class"]
        tensor(0.6931)
    """

    codebook: Tensor

    def __init__(self, scale: float = 8.0, margin: float = 0.2, seed: int = 0) -> None:
        super().__init__()
        check_at_least(0, scale=scale, margin=margin)
        self.scale, self.margin, self.seed = scale, margin, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw a code for each class."""
        rng = torch.Generator().manual_seed(self.seed)
        bits = torch.randint(2, (train.labels.shape[1], train.bits), generator=rng)
        self.register_buffer("codebook", 2.0 * bits - 1)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``class``."""
        cosines = F.normalize(relaxed) @ F.normalize(self.codebook.to(relaxed.dtype)).T
        likelihoods = (self.scale * (cosines - self.margin * labels)).log_softmax(1)
        target = labels / labels.sum(1, keepdim=True).clamp(min=1)
        return {"class": -(target * likelihoods).sum(1).mean()}
