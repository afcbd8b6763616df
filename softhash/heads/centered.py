"""A head whose bits are 1 in half of the training images, as far as their means say so."""

import torch
from torch import Tensor, nn

from softhash.types import TrainingSet


class Centered(nn.Module):
    """A linear layer and tanh; codes are taken above their mean over the training set.

    While training, tanh is what comes out. Otherwise the mean over the training images is subtracted, as it was at the
    end of the last epoch, at first 0.

    Source: Shen et al., TPAMI 2018; the authors' code.

    Args:
        in_features: D, given by the backbone.
        bits: K.

    Attributes:
        mean: ``(K,)`` of tanh.
    """

    mean: Tensor

    def __init__(self, in_features: int, bits: int) -> None:
        super().__init__()
        self.layer = nn.Linear(in_features, bits)
        self.register_buffer("mean", torch.zeros(bits))

    def on_epoch_end(self, epoch: int, train: TrainingSet) -> None:
        """Compute the mean."""
        self.mean += train.encode()[1].mean(0)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, K)``."""
        relaxed = torch.tanh(self.layer(features))
        return relaxed if self.training else relaxed - self.mean
