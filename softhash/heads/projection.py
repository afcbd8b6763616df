"""Heads: from features to relaxed codes."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


class Projection(nn.Module):
    """Linear layers to K outputs, and an activation.

    Args:
        in_features: D, given by the backbone.
        bits: K.
        hidden: Sizes of layers between, each with a ReLU.
        dropout: Probability that a feature is dropped before each layer, while training.
        activation: Of the outputs; None leaves them real.

    Raises:
        ValueError: ``bits`` is below 1 or ``dropout`` not in [0, 1).
    """

    def __init__(
        self,
        in_features: int,
        bits: int,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if bits < 1:
            msg = f"bits must be at least 1, got {bits}"
            raise ValueError(msg)
        if not 0 <= dropout < 1:
            msg = f"dropout must be at least 0 and below 1, got {dropout}"
            raise ValueError(msg)
        layers: list[nn.Module] = []
        for size, following in pairwise([in_features, *hidden, bits]):
            layers += [nn.Dropout(dropout), nn.Linear(size, following), nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        self.activation = activation or nn.Identity()

    def forward(self, features: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, K)``."""
        relaxed: Tensor = self.activation(self.layers(features))
        return relaxed


class ScaledTanh(Projection):
    r"""HashNet's continuation: :math:`\tanh(\beta z)`, steeper and steeper; codes do not depend on beta.

    Beta starts at 1 and every ``every`` steps becomes :math:`\sqrt{1 + growth \cdot step}`.

    Source: Cao et al., ICCV 2017; schedule of the authors' code.

    Args:
        in_features: D, given by the backbone.
        bits: K.
        hidden: Sizes of layers between, each with a ReLU.
        dropout: Probability that a feature is dropped before each layer, while training.
        growth: Of the square of beta, a step.
        every: Steps between two changes.
    """

    beta: Tensor

    def __init__(
        self,
        in_features: int,
        bits: int,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        growth: float = 0.005,
        every: int = 200,
    ) -> None:
        super().__init__(in_features, bits, hidden, dropout)
        self.growth, self.every = growth, every
        self.register_buffer("beta", torch.ones(()))

    def on_step(self, step: int, total: int) -> None:
        """Set beta before an optimisation step."""
        del total
        self.beta.fill_((1 + self.growth * (step // self.every * self.every)) ** 0.5)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, K)`` in (-1, 1)."""
        return torch.tanh(self.beta * super().forward(features))
