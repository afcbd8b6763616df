"""Bi-half net: half of the images on either side of each bit."""

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.losses.base import HashLoss
from softhash.losses.greedyhash import cosine_of_halves


class BiHalfLoss(HashLoss):
    r"""Cosines of balanced codes towards those of the features of a frozen backbone.

    In a batch, each bit is 1 for the half of the images with the larger values and -1 for the others; gradients pass
    this unchanged. The ``similarity`` term is the mean of :math:`(\cos(b_i, b_j) - \cos(x_i, x_j))^2`, where each image
    of the first half of the batch is paired with one of the second (the last image of an odd batch is left out). The
    ``balance`` term is :math:`\gamma / 2` times the mean of :math:`(u - b)^2`. Labels are not read. Codes of single
    images are signs.

    Source: Li and van Gemert, AAAI 2021; authors' code, which adds the gradient of ``balance`` in the backward pass
    and does not report its value.

    Args:
        balance_weight: gamma.

    Raises:
        ValueError: The weight is negative.
    """

    learns_from = "nothing"

    def __init__(self, balance_weight: float = 6.0) -> None:
        super().__init__()
        check_at_least(0, balance_weight=balance_weight)
        self.balance_weight = balance_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor, features: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Compute ``similarity`` and ``balance``."""
        codes = half_split(relaxed.detach())
        error = cosine_of_halves(codes + (relaxed - relaxed.detach())) - cosine_of_halves(features.detach())
        return {
            "similarity": error.square().sum() / max(1, len(error)),
            "balance": self.balance_weight / 2 * (relaxed - codes).square().mean(),
        }


def half_split(relaxed: Tensor) -> Tensor:
    """1 for the larger half of each column of ``(B, K)``, else -1; of an odd number one more is -1.

    Example:
        >>> half_split(torch.tensor([[0.1, 5.0], [0.3, 4.0], [0.2, 6.0]]))
        tensor([[-1., -1.],
                [ 1., -1.],
                [-1.,  1.]])
    """
    ranks = relaxed.argsort(dim=0, descending=True, stable=True).argsort(dim=0)
    return torch.where(ranks < len(relaxed) // 2, 1.0, -1.0).to(relaxed.dtype)
