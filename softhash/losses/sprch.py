"""SPRCH: self-paced relational contrastive hashing."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss
from softhash.losses.proxies import random_proxies
from softhash.types import TrainingSet


class SPRCHLoss(PairwiseLoss):
    r"""Contrast of similar images and own classes with dissimilar images and other classes, harder by and by.

    With :math:`e_{ij} = \exp(\cos(u_i, u_j) / \tau)` and, for the learned proxy of a class,
    :math:`e'_{ic} = \exp(\cos(u_i, p_c) / \tau)`: the sums of e over similar (P) and dissimilar images (N), those of
    e' over own (P') and other classes (N'). The ``contrast`` term is the mean over images of

    .. math::
        -\log \frac{P + \lambda^+ P'}{P + \lambda^+ P' + N + \lambda^- N'},

    with :math:`\lambda^+` the number of similar images over that of own classes, and :math:`\lambda^-` likewise. Each
    image is similar to itself. Before they are summed, e of similar images and own classes is multiplied by
    :math:`\exp(-1 - \cos)^{\delta / 4}`, the others by :math:`\exp(-1 + \cos)^\delta`, which are constants for the
    gradient; :math:`\delta` grows from 0 to 1 over the first third of the training.

    Source: formula of a port of the authors' code; the paper was not read. Images that share a label are similar.
    Images without labels add 0.

    Args:
        temperature: tau.
        seed: Seed of the proxies.
        similarity: Compares label vectors; ``share`` is the paper's. A pair with similarity s is in P with the
            factor s, and in N with 1 - s.

    Raises:
        ValueError: The temperature is not above 0.
    """

    learns_from = "classes"  # of proxies
    proxies: nn.Parameter
    delta: Tensor

    def __init__(self, temperature: float = 0.3, seed: int = 0, similarity: Similarity = share) -> None:
        super().__init__(similarity)
        check_at_least(0, temperature=temperature)
        if temperature == 0:
            msg = "temperature must be above 0, got 0"
            raise ValueError(msg)
        self.temperature, self.seed = temperature, seed
        self.register_buffer("delta", torch.zeros(()))

    def setup(self, train: TrainingSet) -> None:
        """Draw the proxies."""
        super().setup(train)
        self.proxies = random_proxies(train.labels.shape[1], train.bits, self.seed)

    def on_step(self, step: int, total: int) -> None:
        """Set delta before an optimisation step."""
        self.delta.fill_(min(1.0, 3 * step / max(1, total)))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``contrast``."""
        s, codes = self.pairs(labels, rows), F.normalize(relaxed)
        near, far = self._sums(codes @ codes.T, s)
        own, other = self._sums(codes @ F.normalize(self.proxies).T, labels)
        of_own = s.sum(1) / labels.sum(1).clamp(min=1)
        of_other = (1 - s).sum(1) / (1 - labels).sum(1).clamp(min=1)  # a factor of 0 where there is no other class
        positive = near + of_own * own
        related = positive > 0
        cost = torch.log1p((far + of_other * other) / positive.where(related, 1.0))
        return {"contrast": cost.where(related, 0.0).mean()}

    def _sums(self, cosines: Tensor, positive: Tensor) -> tuple[Tensor, Tensor]:
        """Sums of ``(A, B)`` exponentials over positives and the others, ``(A,)`` each."""
        delta, constant = self.delta.to(cosines.dtype), cosines.detach()
        exponentials = (cosines / self.temperature).exp()
        easier, harder = (-(1 + constant) * delta / 4).exp(), (-(1 - constant) * delta).exp()
        return (positive * easier * exponentials).sum(1), ((1 - positive) * harder * exponentials).sum(1)
