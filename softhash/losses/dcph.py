"""DCPH: a Tversky index of images and proxies."""

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.losses.base import HashLoss
from softhash.losses.proxies import random_proxies
from softhash.types import TrainingSet


class DCPHLoss(HashLoss):
    r"""One minus the share of hits among hits, misses and false alarms, counted by cosines with learned proxies.

    With :math:`\kappa = \cos(u, p_c)` and sums over all images of the batch and their classes (T, M) or other classes
    (A): the hits :math:`T = 2 \sum \max(0, \kappa) + 2`, the misses :math:`M = \sum (1 - \kappa) e^{1.5 (1 - \kappa)}`,
    and the false alarms :math:`A = \sum \max(0, \kappa - 0.25) e^{\kappa - 1}`, where exponentials are constants for
    the gradient. The ``tversky`` term is :math:`1 - T / (T + M + A)`.

    Source: Neurocomputing, 2025; formula of the authors' code, the paper was not read.

    Args:
        miss_rate: 1.5, the exponent of misses.
        false_alarm_rate: 1, the exponent of false alarms.
        margin: 0.25, the cosine from which on a class that an image does not have is a false alarm.
        proxy_lr_factor: Learning rate of the proxies as a multiple of the head's.
        seed: Seed of the proxies.

    Raises:
        ValueError: A rate or factor is negative.
    """

    proxies: nn.Parameter

    def __init__(
        self,
        miss_rate: float = 1.5,
        false_alarm_rate: float = 1.0,
        margin: float = 0.25,
        proxy_lr_factor: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(0, miss_rate=miss_rate, false_alarm_rate=false_alarm_rate, proxy_lr_factor=proxy_lr_factor)
        self.miss_rate, self.false_alarm_rate, self.margin = miss_rate, false_alarm_rate, margin
        self.proxy_lr_factor, self.seed = proxy_lr_factor, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the proxies."""
        self.proxies = random_proxies(train.labels.shape[1], train.bits, self.seed)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """The proxies at a rate of their own."""
        return [{"params": [self.proxies], "lr": lr * self.proxy_lr_factor}]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``tversky``."""
        cosines = F.normalize(relaxed) @ F.normalize(self.proxies).T
        constant = cosines.detach()
        hits = 2 * (labels * cosines.relu()).sum() + 2
        misses = (labels * (1 - cosines) * (self.miss_rate * (1 - constant)).exp()).sum()
        excess = (cosines - self.margin).relu() * (self.false_alarm_rate * (constant - 1)).exp()
        false_alarms = ((1 - labels) * excess).sum()
        return {"tversky": 1 - hits / (hits + misses + false_alarms)}
