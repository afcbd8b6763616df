"""CIBHash: contrastive hashing with an information bottleneck."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.losses.base import HashLoss


class CIBHashLoss(HashLoss):
    r"""Codes of two views of an image told apart from those of other images, and alike as distributions.

    With :math:`p = \sigma(z)` the probabilities of bits and :math:`b = \mathrm{sign}(p - 1/2)`, whose derivative by p
    is taken as 1, the ``contrast`` term is the normalised temperature-scaled cross-entropy of the cosines of b
    divided by :math:`\tau`: the other view of the image among all views in the batch but itself, a mean over
    views. The ``bottleneck`` term is w times the mean over images of
    :math:`(\mathrm{KL}(p^1 \| \bar p^2) + \mathrm{KL}(p^2 \| \bar p^1)) / 2`, summed over bits, where a bar is a
    constant for the gradient. Labels are not read.

    The head is linear. Consecutive rows of a batch are views of one image.

    Source: Qiu, Su, Ou, Yu and Chen, IJCAI 2021; authors' code, whose bits are not drawn at random: they
    are 1 where p is above 1/2.

    Args:
        temperature: tau.
        bottleneck_weight: w.

    Raises:
        ValueError: The weight is negative, or the temperature not above 0.
    """

    learns_from = "nothing"
    views = 2

    def __init__(self, temperature: float = 0.3, bottleneck_weight: float = 0.001) -> None:
        super().__init__()
        check_at_least(0, bottleneck_weight=bottleneck_weight)
        if temperature <= 0:
            msg = f"temperature must be above 0, got {temperature}"
            raise ValueError(msg)
        self.temperature, self.bottleneck_weight = temperature, bottleneck_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``contrast`` and ``bottleneck``."""
        chance = relaxed.sigmoid()
        codes = signs(relaxed) + (chance - chance.detach())
        first, second = relaxed[::2], relaxed[1::2]
        divergence = (bernoulli_divergence(first, second.detach()) + bernoulli_divergence(second, first.detach())) / 2
        return {
            "contrast": contrast(codes[::2], codes[1::2], self.temperature),
            "bottleneck": self.bottleneck_weight * divergence.mean(),
        }


def contrast(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of finding the other view, 0-d, a mean over ``(B, K)`` first and ``(B, K)`` second views.

    Candidates are all views of the batch but the one that looks for its other.
    """
    codes = F.normalize(torch.cat([first, second]))
    itself = torch.eye(len(codes), dtype=torch.bool, device=codes.device)
    logits = (codes @ codes.T / temperature).masked_fill(itself, -torch.inf)
    other = torch.arange(len(codes), device=codes.device).roll(len(first))
    return F.cross_entropy(logits, other)


def bernoulli_divergence(logits: Tensor, others: Tensor) -> Tensor:
    """Divergence of independent bits from others, ``(B, K)`` log odds each to ``(B,)``."""
    chance = logits.sigmoid()
    of_one = F.logsigmoid(logits) - F.logsigmoid(others)
    of_zero = F.logsigmoid(-logits) - F.logsigmoid(-others)
    return (chance * of_one + (1 - chance) * of_zero).sum(1)
