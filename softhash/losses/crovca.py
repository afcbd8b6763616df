"""CroVCA: cross-view code alignment."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.losses.base import HashLoss


class CroVCALoss(HashLoss):
    r"""Bits of a view predict those of the other, and all directions of the code space are used.

    The ``alignment`` term is the mean binary cross-entropy of :math:`\sigma(z)` of a view with the bits of the other,
    averaged over both directions; bits are constants for the gradient. The ``coding_rate`` term is
    :math:`\lambda` times the mean over views of

    .. math::
        R = -\frac{1}{2} \, \frac{K + B}{K B} \log \det \Big( I + \frac{K}{B \epsilon} \hat Z^\top \hat Z \Big),

    with the directions of the codes of B images as rows of :math:`\hat Z`. Labels are not read. Consecutive rows of a
    batch are views of one image.

    Source: CVPR Workshops 2026, arXiv:2510.27584; formula of a re-implementation that cites the paper's equations,
    compared with neither the paper nor the authors' code.

    Args:
        coding_rate_weight: lambda.
        distortion: epsilon.

    Raises:
        ValueError: The weight is negative, or ``distortion`` not above 0.
    """

    learns_from = "nothing"
    views = 2

    def __init__(self, coding_rate_weight: float = 0.1, distortion: float = 0.05) -> None:
        super().__init__()
        check_at_least(0, coding_rate_weight=coding_rate_weight)
        if distortion <= 0:
            msg = f"distortion must be above 0, got {distortion}"
            raise ValueError(msg)
        self.coding_rate_weight, self.distortion = coding_rate_weight, distortion

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``alignment`` and ``coding_rate``."""
        first, second = relaxed[::2], relaxed[1::2]
        alignment = cross_entropy(first, second) + cross_entropy(second, first)
        rate = coding_rate(first, self.distortion) + coding_rate(second, self.distortion)
        return {"alignment": alignment / 2, "coding_rate": -self.coding_rate_weight / 2 * rate}


def cross_entropy(relaxed: Tensor, others: Tensor) -> Tensor:
    """Of the probabilities of bits with the bits of others, ``(B, K)`` each to 0-d."""
    return F.binary_cross_entropy_with_logits(relaxed, (others > 0).to(relaxed.dtype))


def coding_rate(relaxed: Tensor, distortion: float) -> Tensor:
    """How much space the directions of ``(B, K)`` codes fill, 0-d; -R of :class:`CroVCALoss`."""
    count, bits = relaxed.shape
    codes = F.normalize(relaxed)
    scatter = bits / (count * distortion) * codes.T @ codes
    identity = torch.eye(bits, dtype=relaxed.dtype, device=relaxed.device)
    return (bits + count) / (bits * count) / 2 * torch.logdet(identity + scatter)
