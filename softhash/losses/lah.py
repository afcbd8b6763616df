"""The loss of label-attended hashing."""

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, jaccard
from softhash.losses.base import PairwiseLoss


class LAHLoss(PairwiseLoss):
    r"""Weighted cross-entropy of graded similarity, by a Cauchy likelihood.

    A pair at distance d has the likelihood :math:`p = \gamma / (\gamma + d)`, with
    :math:`d = q (1 - \cos(u_i, u_j)) / 2`, and costs :math:`-w (s \log p + (1 - s) \log (1 - p))`. Its weight is
    :math:`|s - 1| + s \sum |2 s - 1| / \sum s`, with sums over all pairs, and an image is not paired with itself.
    Quantisation is :math:`\lambda` times the mean of :math:`(|u| - 1)^2`. It is the loss of DCH with similarities
    between 0 and 1: shared labels over labels of either.

    Source: "Label-Attended Hashing for Multi-Label Image Retrieval", IJCAI 2020; formula of the authors' code. Differs:
    the loss alone, without the graph network over words that attends to labels.

    Args:
        gamma: Scale of distances.
        quantization_weight: lambda.
        similarity: Compares label vectors; ``jaccard`` is the paper's.

    Raises:
        ValueError: ``gamma`` is not positive, or the weight negative.
    """

    def __init__(self, gamma: float = 1.0, quantization_weight: float = 0.55, similarity: Similarity = jaccard) -> None:
        super().__init__(similarity)
        check_at_least(0, quantization_weight=quantization_weight)
        if gamma <= 0:
            msg = f"gamma must be above 0, got {gamma}"
            raise ValueError(msg)
        self.gamma, self.quantization_weight = gamma, quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        count, q = relaxed.shape
        itself = torch.eye(count, dtype=torch.bool, device=relaxed.device)
        s = self.pairs(labels, rows).where(~itself, 1.0)
        squares = relaxed.square().sum(1)
        norms = (squares[:, None].clamp(min=1e-12) * (squares + 1e-6)).sqrt()
        distance = (q / 2 * (1 - relaxed @ relaxed.T / norms + 1e-6)).clamp(min=1e-6)
        weight = (s - 1).abs() + (2 * s - 1).abs().sum() / s.sum() * s
        cost = s * torch.log1p(distance / self.gamma) + (1 - s) * torch.log1p(self.gamma / distance)
        pair = (weight * cost).where(~itself, 0.0).sum() / max(1, count * (count - 1))
        quantization = (relaxed.abs() - 1).square().mean()
        return {"pair": pair, "quantization": self.quantization_weight * quantization}
