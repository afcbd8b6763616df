"""Heads: from features to relaxed codes."""

from collections.abc import Sequence
from itertools import pairwise

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
