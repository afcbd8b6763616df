"""Putting together what several processes have computed for different rows."""

from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist


def gather_rows(rows: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
    """Gather row-indexed tensors from all processes, sorted by row, each row once.

    A distributed sampler repeats rows so that all processes get the same number; the repeats are dropped. The
    processes may hold different numbers of rows. With one process the tensors are only sorted and
    deduplicated.

    Args:
        rows: ``(N,)`` int64 positions in the split.
        tensors: Each ``(N, ...)``, in the order of ``rows``.

    Returns:
        The sorted rows of all processes and the tensors in that order, on every process and on the device of
        the arguments.
    """
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        counts = [torch.zeros_like(rows[:1].sum()) for _ in range(dist.get_world_size())]
        dist.all_gather(counts, torch.full_like(rows[:1].sum(), len(rows)))
        sizes = [int(count) for count in counts]
        rows, *others = (_gather(tensor, sizes) for tensor in (rows, *tensors))
        tensors = tuple(others)
    order = torch.argsort(rows, stable=True)
    rows = rows[order]
    first = torch.ones_like(rows, dtype=torch.bool)
    first[1:] = rows[1:] != rows[:-1]
    return rows[first], *(tensor[order][first] for tensor in tensors)


def own_rows(rows: Tensor) -> Tensor:
    """Which rows of this process to count, so that all processes together count each row once.

    The first process that has a row counts it, at its first place; only the numbers of the rows travel. Every
    process must call this.

    Args:
        rows: ``(N,)`` int64 positions in the split; the processes may hold different numbers.

    Returns:
        ``(N,)`` bool mask.

    Example:
        >>> own_rows(torch.tensor([4, 7, 4]))
        tensor([ True,  True, False])
    """
    rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
    places = torch.arange(len(rows), device=rows.device)
    owner = torch.full_like(rows, rank)
    every, owners, where = gather_rows(rows, owner, places)
    position = torch.searchsorted(every, rows)
    return (owners[position] == rank) & (where[position] == places)


def gather_batch(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Concatenate the batches of all processes, in the order of the processes; gradients reach the own part.

    Every process then computes the same loss. Distributed training averages gradients over processes, so the gradient
    of the own part is multiplied by their number: the average is the gradient of one process with the whole batch.
    No collective runs backward. With one process the tensors are given back.

    Args:
        tensors: Each ``(B, ...)``, with the same B in every process.

    Returns:
        Each ``(processes * B, ...)``.
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return tensors
    processes, rank = dist.get_world_size(), dist.get_rank()
    gathered = []
    for tensor in tensors:
        parts = [torch.empty_like(tensor) for _ in range(processes)]
        dist.all_gather(parts, tensor.detach().contiguous())
        if tensor.requires_grad:
            parts[rank] = _Amplified.apply(tensor, processes)
        gathered.append(torch.cat(parts))
    return tuple(gathered)


class _Amplified(torch.autograd.Function):
    """The same values, whose gradient is multiplied by a factor."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, factor: int) -> Tensor:
        ctx.factor = factor
        return tensor.view_as(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient * ctx.factor, None


def _gather(tensor: Tensor, sizes: list[int]) -> Tensor:
    """Concatenate ``(size, ...)`` tensors of all processes; they travel padded to the longest."""
    padded = tensor.new_zeros((max(sizes), *tensor.shape[1:]))
    padded[: len(tensor)] = tensor
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])
