"""Graph convolutional network hashing."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet


class GCNHLoss(HashLoss):
    r"""A linear classifier finds the labels from relaxed codes of a graph; weak terms for binary and balanced bits.

    ``classification`` is the mean over images with labels and over classes of the binary cross-entropy;
    ``quantization`` is the mean of :math:`(u - \mathrm{sign}\, u)^2`, ``independence`` the Frobenius norm of
    :math:`U^\top U`, and ``balance`` the sum of U divided by the batch size, signed as in the authors' code. The
    weights of the last three are so small that they do not matter.

    Images without labels are unlabelled images of semi-supervised learning: they take part in the graph
    (:class:`softhash.heads.anchor_graph.AnchorGraph`), not in the classification.

    Source: Zhou et al., IEEE Transactions on Cybernetics 50(4), 2020; the authors' code, whose loss for several labels
    is taken for all data.

    Args:
        quantization_weight: Weight of ``quantization``.
        decorrelation_weight: Weight of ``independence`` and of ``balance``.

    Raises:
        ValueError: A weight is negative.
    """

    classifier: nn.Linear

    def __init__(self, quantization_weight: float = 1e-8, decorrelation_weight: float = 1e-7) -> None:
        super().__init__()
        check_at_least(0, quantization_weight=quantization_weight, decorrelation_weight=decorrelation_weight)
        self.quantization_weight, self.decorrelation_weight = quantization_weight, decorrelation_weight

    def setup(self, train: TrainingSet) -> None:
        """Make the classifier."""
        self.classifier = nn.Linear(train.bits, train.labels.shape[1])

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``classification``, ``quantization``, ``independence`` and ``balance``."""
        labelled = labels.any(1).to(relaxed.dtype)
        errors = F.binary_cross_entropy_with_logits(self.classifier(relaxed), labels, reduction="none").mean(1)
        return {
            "classification": (errors * labelled).sum() / labelled.sum().clamp(min=1),
            "quantization": self.quantization_weight * (relaxed - signs(relaxed)).square().mean(),
            "independence": self.decorrelation_weight * torch.linalg.matrix_norm(relaxed.T @ relaxed),
            "balance": self.decorrelation_weight * relaxed.sum() / len(relaxed),
        }
