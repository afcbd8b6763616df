"""Means that may be over nothing."""

from torch import Tensor


def mean_over(values: Tensor, chosen: Tensor) -> Tensor:
    """Mean of the chosen values, with a bool mask of the same shape; 0 where none is chosen.

    Example:
        >>> import torch
        >>> mean_over(torch.tensor([1.0, 2.0, 6.0]), torch.tensor([True, False, True]))
        tensor(3.5000)
    """
    return values.where(chosen, 0.0).sum() / chosen.sum().clamp(min=1)
