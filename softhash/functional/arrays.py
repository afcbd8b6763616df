"""Arrays of numpy and tensors of torch, taken for one another."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = Tensor | NDArray[np.generic]


def as_tensor(array: Array, name: str) -> Tensor:
    """The array as a tensor, without a copy where torch needs none.

    Raises:
        ValueError: Torch has no such numbers; names the argument.
    """
    if isinstance(array, Tensor):
        return array
    array = np.asarray(array)
    try:  # torch takes neither foreign byte orders nor negative strides
        return torch.from_numpy(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))
    except TypeError:
        msg = f"{name} must be numbers that torch has, got an array of {array.dtype}"
        raise ValueError(msg) from None
