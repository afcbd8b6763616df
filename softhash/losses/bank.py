"""Relaxed codes of the whole training set, as they were when each image was last seen."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from softhash.functional.distributed import gather_rows

TILE = 1024  # rows of a bank whose pairs with a batch of a hundred fit the cache of a core


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

    def mean(
        self,
        cost: Callable[[Tensor, Tensor, Tensor], Tensor],
        relaxed: Tensor,
        pairs: Callable[[Tensor, Tensor], Tensor],
    ) -> Tensor:
        """Mean cost of the pairs of a batch with the bank, a tile of the bank at a time.

        The ``(B, N)`` matrices of a hundred thousand images are never there, and each tile stays in a core's cache.

        Args:
            cost: From ``(B, K)`` codes of the batch, ``(T, K)`` of the bank and their ``(B, T)`` similarities to
                ``(B, T)`` costs.
            relaxed: ``(B, K)``, the only argument that gets a gradient.
            pairs: From ``(T, C)`` labels and ``(T,)`` rows of the bank to the similarities.

        Returns:
            0-d, of the dtype of ``relaxed``.
        """

        def cost_of(relaxed: Tensor, tile: slice) -> Tensor:
            similarity = pairs(self.labels[tile].to(relaxed.dtype), self.rows[tile])
            return cost(relaxed, self.relaxed[tile].to(relaxed.dtype), similarity)

        num_pairs = len(relaxed) * len(self.rows)
        total: Tensor = _SumOverTiles.apply(relaxed, cost_of, len(self.rows))
        return total / num_pairs


class _SumOverTiles(torch.autograd.Function):
    """Sum of costs; a tile's gradient is taken while the tile is at hand, so that nothing of it has to be kept."""

    @staticmethod
    def forward(ctx: Any, relaxed: Tensor, cost_of: Callable[[Tensor, slice], Tensor], num_rows: int) -> Tensor:
        """Sum over tiles, and remember the ``(B, K)`` gradient."""
        needed = ctx.needs_input_grad[0]
        total, gradient = relaxed.new_zeros(()), torch.zeros_like(relaxed)
        for start in range(0, num_rows, TILE):
            with torch.set_grad_enabled(needed):
                codes = relaxed.detach().requires_grad_(needed)
                cost = cost_of(codes, slice(start, start + TILE)).sum()
            total += cost.detach()
            if cost.requires_grad:
                gradient += torch.autograd.grad(cost, codes)[0]
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, None]:
        """Scale the remembered gradient."""
        (gradient,) = ctx.saved_tensors
        return grad_output * gradient, None, None
