"""Relaxed codes of the whole training set, as they were when each image was last seen."""

import torch
from torch import Tensor, nn

from softhash.functional.distributed import gather_rows


class MemoryBank(nn.Module):
    """Codes and labels of the training set, constants for autograd.

    With several processes each write gathers the rows of all, so that all hold the same bank.

    Args:
        labels: ``(N, C)`` multi-hot of the training set.
        bits: Code length K.

    Attributes:
        relaxed: ``(N, K)`` float32, zeros until first seen.
        labels: ``(N, C)`` float32.
        rows: ``(N,)`` int64, all positions in the training set.
    """

    relaxed: Tensor
    labels: Tensor
    rows: Tensor

    def __init__(self, labels: Tensor, bits: int) -> None:
        super().__init__()
        self.register_buffer("labels", labels.float())
        self.register_buffer("rows", torch.arange(len(labels)), persistent=False)
        self.register_buffer("relaxed", torch.zeros(len(labels), bits))

    def write(self, rows: Tensor, relaxed: Tensor) -> None:
        """Remember ``(B, K)`` relaxed codes of ``(B,)`` rows."""
        rows, relaxed = gather_rows(rows, relaxed.detach())
        self.relaxed[rows] = relaxed
