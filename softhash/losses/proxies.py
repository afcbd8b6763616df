"""Learned vectors that stand for the classes."""

import torch
from torch import nn


def random_proxies(num_classes: int, bits: int, seed: int) -> nn.Parameter:
    """``(C, K)`` float32 parameter, normal with variance 2 / C: He's initialisation by the number of outputs."""
    rng = torch.Generator().manual_seed(seed)
    return nn.Parameter(torch.randn(num_classes, bits, generator=rng) * (2 / num_classes) ** 0.5)
