"""Activations that change while training."""

import torch
from torch import Tensor, nn


class ScaledTanh(nn.Module):
    r"""HashNet's continuation: :math:`\tanh(\beta z)`, steeper and steeper; codes do not depend on beta.

    Beta starts at 1 and every ``every`` steps becomes :math:`\sqrt{1 + growth \cdot step}`.

    Source: Cao et al., ICCV 2017; schedule of the authors' code.

    Args:
        growth: How much beta squared grows per step.
        every: Steps between two changes.
    """

    beta: Tensor

    def __init__(self, growth: float = 0.005, every: int = 200) -> None:
        super().__init__()
        self.growth, self.every = growth, every
        self.register_buffer("beta", torch.ones(()))

    def on_step(self, step: int, total: int) -> None:
        """Set beta before an optimisation step."""
        self.beta.fill_((1 + self.growth * (step // self.every * self.every)) ** 0.5)

    def forward(self, z: Tensor) -> Tensor:
        """``(B, K)`` real to ``(B, K)`` in (-1, 1)."""
        return torch.tanh(self.beta * z)
