"""GreedyHash: the sign forward, nothing backward."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.codes import signs
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet


class GreedyHashLoss(HashLoss):
    r"""Classification of the codes themselves; gradients pass the sign unchanged.

    The ``class`` term is the cross-entropy of a linear classifier without bias on :math:`b = \mathrm{sign}\, z`,
    whose derivative is taken as 1, and the quantisation term :math:`\alpha` times the mean of
    :math:`\big| |z| - 1 \big|^3`.

    Source: Su, Zhang, Han and Tian, NIPS 2018; loss of the authors' code.

    Variants: the paper has images of one class. For several, ``soft`` spreads the target of a softmax evenly over the
    classes of an image, as re-implementations do; ``binary`` is a binary cross-entropy for each class. With one
    class per image, ``soft`` is the paper's. DeepHash-pytorch trains on the first class of an image alone.

    Args:
        variant: Which cross-entropy.
        quantization_weight: alpha; 0.1 for CIFAR-10 and 1 for ImageNet in the authors' code.
        seed: Seed of the classifier.

    Raises:
        ValueError: The weight is negative or the variant unknown.
    """

    classifier: nn.Parameter

    def __init__(
        self, variant: Literal["soft", "binary"] = "soft", quantization_weight: float = 0.1, seed: int = 0
    ) -> None:
        super().__init__()
        check_option("variant", variant, ("soft", "binary"))
        check_at_least(0, quantization_weight=quantization_weight)
        self.variant, self.quantization_weight, self.seed = variant, quantization_weight, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the classifier, uniform as torch's linear layers are."""
        rng = torch.Generator().manual_seed(self.seed)
        uniform = torch.rand(train.labels.shape[1], train.bits, generator=rng) * 2 - 1
        self.classifier = nn.Parameter(uniform / train.bits**0.5)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``class`` and ``quantization``."""
        logits = straight_through_sign(relaxed) @ self.classifier.T
        if self.variant == "soft":
            target = labels / labels.sum(1, keepdim=True).clamp(min=1)
            classes = -(target * logits.log_softmax(1)).sum(1).mean()
        else:
            classes = F.binary_cross_entropy_with_logits(logits, labels)
        return {"class": classes, "quantization": self.quantization_weight * cubic_distance(relaxed)}


class UnsupervisedGreedyHashLoss(HashLoss):
    r"""Cosines of codes towards those of the features of a frozen backbone.

    The ``similarity`` term is the mean of :math:`(\cos(b_i, b_j) - \cos(x_i, x_j))^2`, where each image of the first
    half of a batch is paired with one of the second (the last image of an odd batch is left out), and the
    quantisation term that of :class:`GreedyHashLoss`. Labels are not read. Where all features point the same way, so
    that cosines are near 1, codes become equal, unless features are centred or bits are by batch normalisation.

    Source: Su, Zhang, Han and Tian, NIPS 2018; loss of the authors' code.

    Args:
        quantization_weight: alpha.

    Raises:
        ValueError: The weight is negative.
    """

    learns_from = "nothing"

    def __init__(self, quantization_weight: float = 0.1) -> None:
        super().__init__()
        check_at_least(0, quantization_weight=quantization_weight)
        self.quantization_weight = quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor, features: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Compute ``similarity`` and ``quantization``."""
        error = cosine_of_halves(straight_through_sign(relaxed)) - cosine_of_halves(features.detach())
        return {
            "similarity": error.square().sum() / max(1, len(error)),
            "quantization": self.quantization_weight * cubic_distance(relaxed),
        }


def straight_through_sign(relaxed: Tensor) -> Tensor:
    """1 where above 0, else -1; the gradient passes unchanged."""
    return signs(relaxed) + (relaxed - relaxed.detach())


def cosine_of_halves(vectors: Tensor) -> Tensor:
    """Cosines of the first vectors with those half a batch later: ``(B, D)`` to ``(B // 2,)``."""
    half = len(vectors) // 2
    return F.cosine_similarity(vectors[:half], vectors[half : 2 * half])


def cubic_distance(relaxed: Tensor) -> Tensor:
    """Mean cube of the distance of the absolute values from 1."""
    return (relaxed.abs() - 1).abs().pow(3).mean()
