"""Deep learning of binary hash codes."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least, check_option
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet


class DLBHCLoss(HashLoss):
    r"""Cross-entropy of a linear classifier that sees :math:`\sigma(z)`; nothing else makes codes binary.

    The head is linear: a bit is 1 where z is above 0, so where :math:`\sigma(z)` is above 1/2.

    Source: Lin, Yang, Hsiao and Chen, CVPR Workshops 2015; the authors' Caffe code, by reading. Their retrieval ranks
    the nearest codes again by the features of the network; here codes alone are compared.

    Variants: ``single_label`` is the paper's, softmax cross-entropy of the one class of an image. ``multi_label`` is
    an adaptation, the mean over images and classes of the binary cross-entropy.

    Differs: their latent layer begins with biases of 1 and weights near 0, so with all bits 1; ours is an ordinary
    linear layer. Their bias of the classifier learns twice as fast as its weights.

    Args:
        bits: K.
        num_classes: C.
        variant: Which cross-entropy.
        classifier_lr_factor: Learning rate of the classifier as a multiple of the head's; 10 in the authors' code.

    Raises:
        ValueError: A count is below 1, the factor is negative, or the variant unknown; in ``setup``, a training image
            has not exactly one class and the variant is ``single_label``.
    """

    def __init__(
        self,
        bits: int,
        num_classes: int,
        variant: Literal["multi_label", "single_label"] = "multi_label",
        classifier_lr_factor: float = 10.0,
    ) -> None:
        super().__init__()
        check_option("variant", variant, ("multi_label", "single_label"))
        check_at_least(1, bits=bits, num_classes=num_classes)
        check_at_least(0, classifier_lr_factor=classifier_lr_factor)
        self.variant, self.classifier_lr_factor = variant, classifier_lr_factor
        self.classifier = nn.Linear(bits, num_classes)

    def setup(self, train: TrainingSet) -> None:
        """Refuse images of several classes where one is asked for."""
        others = int((train.labels.sum(1) != 1).sum())
        if self.variant == "single_label" and others:
            msg = (
                f"variant=single_label needs images of one class, and {others} of {len(train.labels)} training images"
                " have none or several; set loss.variant=multi_label"
            )
            raise ValueError(msg)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """The classifier, at a rate of its own."""
        return [{"params": list(self.classifier.parameters()), "lr": lr * self.classifier_lr_factor}]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``classification`` from z, the output of a linear head."""
        logits: Tensor = self.classifier(torch.sigmoid(relaxed))
        if self.variant == "single_label":
            return {"classification": F.cross_entropy(logits, labels.argmax(1))}
        return {"classification": F.binary_cross_entropy_with_logits(logits, labels)}
