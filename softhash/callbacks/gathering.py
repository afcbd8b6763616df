"""Codes of a whole split, put together from batches and processes."""

import torch
from torch import Tensor

from softhash.functional.distributed import gather_rows
from softhash.types import Codes


class Gathering:
    """Tensors of single images, batch by batch, then of all images in row order.

    Rows that a sampler repeats count once, and every process gets them all: what is computed of them is what one
    process computes.
    """

    def __init__(self) -> None:
        self._batches: dict[tuple[str, str], list[tuple[Tensor, Tensor]]] = {}
        self.bits: dict[str, int] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._batches.clear()
        self.bits.clear()

    def add(self, outputs: dict[str, Codes], rows: Tensor, fields: tuple[str, ...]) -> None:
        """Keep some fields of the codes of a batch.

        Args:
            outputs: Codes by method.
            rows: ``(B,)`` int64 positions in the split.
            fields: Of :class:`softhash.types.Codes`, such as ``query``.
        """
        for method, codes in outputs.items():
            self.bits[method] = codes.bits
            for name in fields:
                self._batches.setdefault((method, name), []).append((rows, getattr(codes, name)))

    def whole(self, method: str, name: str) -> Tensor:
        """A field of all rows, on the CPU; every process must call this."""
        rows, values = (torch.cat(parts) for parts in zip(*self._batches[method, name], strict=True))
        return gather_rows(rows, values)[1].cpu()
