"""HyP2: hybrid proxy and pair loss."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.functional.means import mean_over
from softhash.losses.base import HashLoss
from softhash.losses.proxies import random_proxies
from softhash.types import TrainingSet

# Largest known minimum distance of a binary linear code, by length, with 2, 4, ..., 1024 words
_DISTANCES = {
    12: (12, 8, 6, 6, 4, 4, 4, 3, 2, 2),
    16: (16, 10, 8, 8, 8, 6, 6, 5, 4, 4),
    24: (24, 16, 13, 12, 12, 10, 10, 8, 8, 8),
    32: (32, 21, 18, 16, 16, 16, 14, 13, 12, 12),
    36: (36, 24, 20, 18, 17, 16, 16, 16, 14, 14),
    48: (48, 32, 27, 24, 24, 24, 22, 22, 20, 20),
    64: (64, 42, 36, 33, 32, 32, 32, 29, 28, 28),
    96: (96, 64, 54, 50, 48, 48, 48, 46, 44, 44),
    128: (128, 85, 72, 68, 64, 64, 64, 64, 60, 60),
}


class HyP2Loss(HashLoss):
    r"""Cosines with learned proxies of the classes, and with images that share no label.

    With :math:`p_c` the proxy of a class, the ``positive`` term is the mean of :math:`1 - \cos(u_i, p_c)` over
    the classes of the images, the ``negative`` term the mean of :math:`\max(0, \cos(u_i, p_c) - \zeta)` over the
    classes that they do not have, and the ``pair`` term :math:`\beta` times the mean of
    :math:`\max(0, \cos(u_i, u_j) - \zeta)` over pairs of images that have several labels each and share none. A
    mean over nothing is 0.

    The threshold is the cosine of codes that are as far apart as is possible: :math:`\zeta = 1 - 2 d / K` with d
    the largest known minimum distance of a linear code of length K with at least as many words as there are
    classes.

    Source: Xu, Chai, Xu, Yuan, Fan and Wang, ACM MM 2022, arXiv:2208.06866; the loss and the table of distances are
    those of the authors' code. Images with several labels are similar to a proxy where they have its label, and
    dissimilar to each other where they share none.

    Args:
        pair_weight: beta.
        threshold: zeta; None takes it from the table.
        proxy_lr_factor: Learning rate of the proxies as a multiple of the head's.
        seed: Seed of the proxies.

    Raises:
        ValueError: A weight or factor is negative; in ``setup``, the table has no such code length or number of
            classes.
    """

    proxies: nn.Parameter
    zeta: Tensor

    def __init__(
        self, pair_weight: float = 0.5, threshold: float | None = None, proxy_lr_factor: float = 2.0, seed: int = 0
    ) -> None:
        super().__init__()
        check_at_least(0, pair_weight=pair_weight, proxy_lr_factor=proxy_lr_factor)
        self.pair_weight, self.threshold = pair_weight, threshold
        self.proxy_lr_factor, self.seed = proxy_lr_factor, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the proxies and look up the threshold."""
        num_classes = train.labels.shape[1]
        self.proxies = random_proxies(num_classes, train.bits, self.seed)
        zeta = best_threshold(num_classes, train.bits) if self.threshold is None else self.threshold
        self.register_buffer("zeta", torch.tensor(float(zeta)))

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """The proxies at a rate of their own."""
        return [{"params": [self.proxies], "lr": lr * self.proxy_lr_factor}]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``positive``, ``negative`` and ``pair``."""
        codes = F.normalize(relaxed)
        to_proxies, to_images = codes @ F.normalize(self.proxies).T, codes @ codes.T
        several = labels.sum(1) > 1
        apart = (labels @ labels.T == 0) & several[:, None] & several
        zeta = self.zeta.to(relaxed.dtype)
        return {
            "positive": mean_over(1 - to_proxies, labels > 0),
            "negative": mean_over((to_proxies - zeta).relu(), labels == 0),
            "pair": self.pair_weight * mean_over((to_images - zeta).relu(), apart),
        }


def best_threshold(num_classes: int, bits: int) -> float:
    """Cosine of codes of as many classes that are as far apart as is known to be possible; see :class:`HyP2Loss`.

    Raises:
        ValueError: The table has no such code length or number of classes.

    Example:
        >>> best_threshold(num_classes=38, bits=12)
        0.33333333333333337
    """
    dimension = max(1, (num_classes - 1).bit_length())
    if bits not in _DISTANCES or dimension > 10:
        msg = (
            f"HyP2 knows the distance of codes of {', '.join(map(str, _DISTANCES))} bits for up to 1024 classes, not of"
            f" {bits} bits for {num_classes} classes; set loss.threshold, a cosine from -1 to 1"
        )
        raise ValueError(msg)
    return 1 - 2 * _DISTANCES[bits][dimension - 1] / bits
