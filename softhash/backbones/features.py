"""No network, for data that are features already."""

from torch import Tensor, nn


class Features(nn.Module):
    """Features pass as they are; there is nothing to train, and nothing to keep in a cache.

    Args:
        out_features: D.
    """

    frozen = False

    def __init__(self, out_features: int) -> None:
        super().__init__()
        self.out_features = out_features

    def forward(self, features: Tensor) -> Tensor:
        """``(B, D)`` float32, the same."""
        return features
