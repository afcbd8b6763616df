"""DCGH: class-guided hashing."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.functional.means import mean_over
from softhash.functional.similarity import Similarity, cosine
from softhash.losses.base import PairwiseLoss
from softhash.losses.proxies import random_proxies
from softhash.types import TrainingSet


class DCGHLoss(PairwiseLoss):
    r"""Cosines with learned proxies of the classes, and a cosine of at least the labels' own for each pair.

    With :math:`p_c` the proxy of a class and c the cosine of two label vectors:

    - ``positive`` is the mean of :math:`1 - \cos(u_i, p_c)` over the classes of the images, ``negative`` that of
      :math:`\max(0, \cos(u_i, p_c))` over the classes that they do not have;
    - ``dissimilar`` is the mean of :math:`\max(0, \cos(u_i, u_j))` over pairs of images with several labels each and
      none in common, ``similar`` that of :math:`\max(0, c_{ij} - \cos(u_i, u_j))` over pairs with :math:`c_{ij} > 0`,
      each image with itself included: a bound from one side;
    - ``variance`` is the mean over images of the variance over all classes of :math:`1 - \cos(u_i, p_c)`, which
      counts as 0 for classes that an image does not have.

    Source: Applied Sciences 15(6):3068, 2025, arXiv:2410.15387; formula of the authors' code, for images alone: theirs
    adds texts and pairs of an image and a text.

    Args:
        dissimilar_weight: Weight of ``dissimilar``.
        similar_weight: Weight of ``similar``.
        variance_weight: Weight of ``variance``.
        proxy_lr_factor: Learning rate of the proxies as a multiple of the head's.
        seed: Seed of the proxies.
        similarity: Compares label vectors in ``similar``; ``cosine`` is the paper's.

    Raises:
        ValueError: A weight or factor is negative.
    """

    learns_from = "classes"  # of proxies
    proxies: nn.Parameter

    def __init__(
        self,
        dissimilar_weight: float = 0.8,
        similar_weight: float = 0.05,
        variance_weight: float = 1.0,
        proxy_lr_factor: float = 1.0,
        seed: int = 0,
        similarity: Similarity = cosine,
    ) -> None:
        super().__init__(similarity)
        check_at_least(
            0, dissimilar_weight=dissimilar_weight, similar_weight=similar_weight, variance_weight=variance_weight,
            proxy_lr_factor=proxy_lr_factor,
        )  # fmt: skip
        self.dissimilar_weight, self.similar_weight = dissimilar_weight, similar_weight
        self.variance_weight, self.proxy_lr_factor, self.seed = variance_weight, proxy_lr_factor, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the proxies, in (-1, 1)."""
        super().setup(train)
        self.proxies = random_proxies(train.labels.shape[1], train.bits, self.seed)
        self.proxies.data.tanh_()

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """The proxies at a rate of their own."""
        return [{"params": [self.proxies], "lr": lr * self.proxy_lr_factor}]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``positive``, ``negative``, ``dissimilar``, ``similar`` and ``variance``."""
        codes = F.normalize(relaxed)
        to_proxies, to_images = codes @ F.normalize(self.proxies).T, codes @ codes.T
        own, several = labels > 0, labels.sum(1) > 1
        apart = (labels @ labels.T == 0) & several[:, None] & several
        spread = (labels * (1 - to_proxies)).var(1, correction=min(1, labels.shape[1] - 1)).mean()
        return {
            "positive": mean_over(1 - to_proxies, own),
            "negative": mean_over(to_proxies.relu(), ~own),
            "dissimilar": self.dissimilar_weight * mean_over(to_images.relu(), apart),
            "similar": self.similar_weight * shortfall(to_images, self.pairs(labels, rows)),
            "variance": self.variance_weight * spread,
        }


def shortfall(cosines: Tensor, similarity: Tensor) -> Tensor:
    """How far cosines are below similarities, 0-d: a mean over ``(A, B)`` pairs with a similarity above 0."""
    return mean_over((similarity - cosines).relu(), similarity > 0)
