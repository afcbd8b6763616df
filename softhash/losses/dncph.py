"""DNCPH: a neighbourhood component loss with proxies."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.losses.base import HashLoss
from softhash.losses.proxies import random_proxies
from softhash.types import TrainingSet


class DNCPHLoss(HashLoss):
    r"""The probability that an image falls to one of its classes, by the distance to learned proxies.

    With :math:`\hat u` and :math:`\hat p_c` the directions of a code and of the proxy of a class, the ``proxy`` term is
    the mean over images of

    .. math::
        -\log \sum_{c \in y} \mathrm{softmax}_c \big( -\| a \hat u - b \hat p_c \|^2 \big),

    the logarithm of a sum, so that an image with several labels may be near to any of their proxies. An image without
    labels adds 0.

    Source: Expert Systems with Applications, 2026; formula of the authors' code, the paper was not read.

    Args:
        code_scale: a.
        proxy_scale: b.
        proxy_lr_factor: Learning rate of the proxies as a multiple of the head's.
        seed: Seed of the proxies.

    Raises:
        ValueError: A scale or factor is negative.
    """

    proxies: nn.Parameter

    def __init__(
        self, code_scale: float = 1.0, proxy_scale: float = 2.0, proxy_lr_factor: float = 10.0, seed: int = 0
    ) -> None:
        super().__init__()
        check_at_least(0, code_scale=code_scale, proxy_scale=proxy_scale, proxy_lr_factor=proxy_lr_factor)
        self.code_scale, self.proxy_scale = code_scale, proxy_scale
        self.proxy_lr_factor, self.seed = proxy_lr_factor, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the proxies."""
        self.proxies = random_proxies(train.labels.shape[1], train.bits, self.seed)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """The proxies at a rate of their own."""
        return [{"params": [self.proxies], "lr": lr * self.proxy_lr_factor}]

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``proxy``."""
        cosines = F.normalize(relaxed) @ F.normalize(self.proxies).T
        logits = 2 * self.code_scale * self.proxy_scale * cosines  # without the squares, which are equal for all
        labelled = labels.any(1, keepdim=True)
        own = logits.masked_fill((labels == 0) & labelled, -torch.inf).logsumexp(1)
        return {"proxy": (logits.logsumexp(1) - own).mean()}
