"""The head of DNNH: each bit comes from a slice of its own."""

import torch
from torch import Tensor, nn

from softhash.functional.checks import check_at_least


class DivideAndEncode(nn.Module):
    r"""A hidden layer that is cut into K slices, each of which gives one bit.

    The hidden layer is linear with a ReLU; slice k has a linear layer of its own to one value, then a sigmoid s. While
    training, s below :math:`1/2 - \epsilon` becomes 0 and above :math:`1/2 + \epsilon` becomes 1, both without a
    gradient. The relaxed code is 2 s - 1, in [-1, 1].

    Source: Lai, Pan, Liu and Yan, CVPR 2015, from memory; slices and sigmoid as in caffe-dnnh, a re-implementation
    that has no threshold. The value of epsilon in the paper is not known to us.

    Args:
        in_features: D, given by the backbone.
        bits: K.
        slice_features: Size of a slice; 50 in the paper.
        epsilon: Half the width of the band that is left as it is, 0.5 for all.

    Raises:
        ValueError: A size is below 1, or epsilon is not above 0 and at most 0.5.
    """

    def __init__(self, in_features: int, bits: int, slice_features: int = 50, epsilon: float = 0.5) -> None:
        super().__init__()
        check_at_least(1, bits=bits, slice_features=slice_features)
        if not 0 < epsilon <= 0.5:
            msg = f"epsilon must be above 0 and at most 0.5, got {epsilon}"
            raise ValueError(msg)
        self.epsilon = epsilon
        self.hidden = nn.Linear(in_features, bits * slice_features)
        self.encode = nn.Conv1d(bits, bits, slice_features, groups=bits)  # a linear layer per slice

    def forward(self, features: Tensor) -> Tensor:
        """``(B, D)`` to ``(B, K)`` in [-1, 1]."""
        slices = torch.relu(self.hidden(features)).unflatten(1, (self.encode.in_channels, -1))
        relaxed = 2 * torch.sigmoid(self.encode(slices).squeeze(2)) - 1
        if not self.training or self.epsilon == 0.5:
            return relaxed
        inside = relaxed.abs() <= 2 * self.epsilon
        return torch.where(inside, relaxed, relaxed.detach().sign())
