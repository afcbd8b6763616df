"""DSCH: deep semantic channel hashing."""

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, cosine
from softhash.losses.base import PairwiseLoss

_EXACT = 1e-6  # a similarity is 0 or 1 where it is nearer than this


class DSCHLoss(PairwiseLoss):
    r"""The Hamming distance of a pair within a channel that its similarity sets.

    With c the cosine of two label vectors and :math:`d_{ij} = (q - \langle u_i, u_j \rangle) / 2`, a distance should
    be at most :math:`\lambda_u = (1 - c) q / 2` and at least :math:`\lambda_l = \max(\lambda_u - \tau, 0)`; pairs
    without a common label have no upper bound and the lower bound :math:`q / 2`, pairs with the same labels no lower
    bound. The ``near`` term is :math:`\| W \circ \max(0, \lambda_l - d) \|_F / B^2`, the ``far`` term
    :math:`\| W \circ \max(0, d - \lambda_u) \|_F / B^2`: norms, not squared, over all pairs of the batch including each
    image with itself. W is 1, except for pairs with c = 0 or 1.

    Source: Zhang et al., Signal Processing: Image Communication 2026, after the cross-modal SCH of Hu, Cheung, Li and
    Lan, IEEE TPAMI 46(12), 2024; formulas of the code of both. Similarities are 0 or 1 up to a tolerance; their codes
    compare exactly, and leave the derivative of a norm at 0 undefined.

    Args:
        slack: tau, the width of a channel in bits.
        similar_weight: Weight of pairs with c = 1.
        dissimilar_weight: Weight of pairs with c = 0.
        similarity: Compares label vectors; ``cosine`` is the paper's.

    Raises:
        ValueError: A number is negative.

    Example:
        >>> codes, labels = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.eye(2)
        >>> loss = DSCHLoss()
        >>> loss(codes, labels, torch.arange(2))["near"]  # 2 of 4 pairs are 1 bit too near: sqrt(2) / 4
        tensor(0.3536)
    """

    def __init__(
        self,
        slack: float = 3.0,
        similar_weight: float = 1.0,
        dissimilar_weight: float = 1.0,
        similarity: Similarity = cosine,
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, slack=slack, similar_weight=similar_weight, dissimilar_weight=dissimilar_weight)
        self.slack, self.similar_weight, self.dissimilar_weight = slack, similar_weight, dissimilar_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``near`` and ``far``."""
        near, far = outside_channel(
            relaxed, relaxed, self.pairs(labels, rows), self.slack, self.similar_weight, self.dissimilar_weight
        )
        return {"near": near, "far": far}


def outside_channel(
    relaxed: Tensor,
    others: Tensor,
    similarity: Tensor,
    slack: float = 3.0,
    similar_weight: float = 1.0,
    dissimilar_weight: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """How far distances are below and above their channels, 0-d each; see :class:`DSCHLoss`.

    Args:
        relaxed: ``(A, K)``.
        others: ``(B, K)``.
        similarity: ``(A, B)`` in [0, 1].
        slack: Width of a channel in bits.
        similar_weight: Weight of pairs with similarity 1.
        dissimilar_weight: Weight of pairs with similarity 0.
    """
    q = relaxed.shape[1]
    distance = (q - relaxed @ others.T) / 2
    none, full = similarity < _EXACT, similarity > 1 - _EXACT
    upper = (1 - similarity) * q / 2
    lower = torch.where(none, q / 2, (upper - slack).relu())
    of_lower = torch.where(none, dissimilar_weight, 1.0).where(~full, 0.0).to(relaxed.dtype)
    of_upper = torch.where(full, similar_weight, 1.0).where(~none, 0.0).to(relaxed.dtype)
    near, far = of_lower * (lower - distance).relu(), of_upper * (distance - upper).relu()
    # A norm has no derivative at 0, so it is that of one vanishing entry more.
    return tuple((part.square().sum() + 1e-12).sqrt() / similarity.numel() for part in (near, far))  # type: ignore[return-value]
