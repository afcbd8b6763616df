"""HashNet: deep learning to hash by continuation."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least, check_option
from softhash.functional.similarity import Similarity, jaccard, share
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet


class HashNetLoss(PairwiseLoss):
    r"""Weighted cross-entropy of pairwise similarity; there is no quantisation term.

    The codes are :math:`\tanh(\beta z)` with a growing beta, which is the head's
    (:class:`softhash.heads.activations.ScaledTanh`). With :math:`\theta = a \langle u_i, u_j \rangle / q`, a pair
    costs :math:`w_{ij} (\log(1 + e^\theta) - s \theta)`.

    Source: Cao, Long, Wang and Yu, ICCV 2017; values of the authors' PyTorch code.

    Variants: ``official`` pairs the first half of the batch with the second, gives similar pairs the weight
    ``similar_weight`` and divides by the sum of weights. ``balanced`` is the paper's: all pairs of the batch,
    similar and dissimilar ones weighted by the inverse of their share of pairs, and divided by the number of
    pairs. ``jaccard`` multiplies the weight of similar pairs by the Jaccard similarity of their labels, as the
    paper does for multi-label images.

    Args:
        variant: Which pairs, and their weights.
        scale: a.
        similar_weight: Weight of similar pairs in ``official``; the authors' code has 100 for ImageNet-100, 5
            for NUS-WIDE, 1 for COCO.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: A weight is negative or the variant unknown; in ``setup``, there are no labels for ``jaccard``; in
            ``forward``, the batch has one image.
    """

    def __init__(
        self,
        variant: Literal["official", "balanced", "jaccard"] = "official",
        scale: float = 10.0,
        similar_weight: float = 1.0,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, scale=scale, similar_weight=similar_weight)
        check_option("variant", variant, ("official", "balanced", "jaccard"))
        self.variant, self.scale, self.similar_weight = variant, scale, similar_weight

    def setup(self, train: TrainingSet) -> None:
        """Refuse weights by labels where a matrix is given in place of labels."""
        super().setup(train)
        if self.variant == "jaccard" and train.similarity is not None:
            msg = "variant=jaccard weighs pairs by their labels, and these data have a matrix of similarities instead"
            raise ValueError(msg)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair``."""
        if len(relaxed) < 2:
            msg = f"HashNet pairs images of a batch, so batch_size must be at least 2, got {len(relaxed)}"
            raise ValueError(msg)
        half = len(relaxed) // 2
        everything = torch.arange(len(relaxed), device=relaxed.device)
        first, second = (
            (everything[:half], everything[half:]) if self.variant == "official" else (everything, everything)
        )
        theta = self.scale * (relaxed[first] @ relaxed[second].T) / relaxed.shape[1]
        s = self.pairs(labels[first], rows[first], labels[second], rows[second])
        likelihood = F.softplus(theta) - s * theta
        if self.variant == "official":
            weight = self.similar_weight * s + (1 - s)
            return {"pair": (weight * likelihood).sum() / weight.sum().clamp(min=1e-12)}
        pairs, similar = s.numel(), s.sum()
        balanced = (similar > 0) & (similar < pairs)  # else there is one class of pairs, with weight 1
        weight = (pairs / similar.clamp(min=1) * s + pairs / (pairs - similar).clamp(min=1) * (1 - s)).where(
            balanced, 1.0
        )
        if self.variant == "jaccard":
            weight = weight * jaccard(labels, labels).where(s > 0, 1.0)
        return {"pair": (weight * likelihood).mean()}
