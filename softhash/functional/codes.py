"""Packed binary codes: 8 bits per byte, little-endian, padded with zeros."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least


def pack(relaxed: Tensor) -> Tensor:
    """Pack the signs of real values.

    Args:
        relaxed: ``(N, K)`` real or boolean; a bit is 1 where the value is above 0, so 0 and NaN give 0.

    Returns:
        ``(N, ceil(K / 8))`` uint8 on the same device; bit k is bit ``k % 8`` of byte ``k // 8``.

    Example:
        >>> pack(torch.tensor([[0.5, -1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 1.0]]))
        tensor([[9, 1]], dtype=torch.uint8)
    """
    if relaxed.ndim != 2:
        msg = f"relaxed codes must be (N, K), got shape {tuple(relaxed.shape)}"
        raise ValueError(msg)
    if torch.compiler.is_compiling():  # a graph has no numpy
        return _packed(relaxed > 0)
    bits = np.packbits((relaxed > 0).cpu().numpy(), axis=1, bitorder="little")
    return torch.from_numpy(bits).to(relaxed.device)


def _packed(bits: Tensor) -> Tensor:
    """The same by tensors alone: ``(N, K)`` bool to ``(N, ceil(K / 8))`` uint8."""
    values = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], device=bits.device, dtype=torch.int32)
    padded = F.pad(bits.int(), (0, -bits.shape[1] % 8)).unflatten(1, (-1, 8))
    packed: Tensor = (padded * values).sum(2).to(torch.uint8)
    return packed


def signs(values: Tensor) -> Tensor:
    """The bits that :func:`pack` gives, in minus and plus one: 1 where values are above 0, else -1; same dtype.

    Example:
        >>> signs(torch.tensor([0.5, 0.0, -2.0]))
        tensor([ 1., -1., -1.])
    """
    return torch.where(values > 0, 1.0, -1.0).to(values.dtype)


def unpack(codes: Tensor, bits: int) -> Tensor:
    """Undo :func:`pack`: ``(N, W)`` uint8 to ``(N, bits)`` bool.

    Example:
        >>> unpack(torch.tensor([[9, 1]], dtype=torch.uint8), bits=9).int()
        tensor([[1, 0, 0, 1, 0, 0, 0, 0, 1]], dtype=torch.int32)
    """
    flat = np.unpackbits(codes.cpu().numpy(), axis=1, bitorder="little", count=bits)
    return torch.from_numpy(flat.astype(bool)).to(codes.device)


def check_codes(codes: Tensor, bits: int, name: str) -> None:
    """Refuse what :func:`pack` would not have given for codes of ``bits`` bits.

    Raises:
        ValueError: Fewer than one bit; not two-dimensional uint8, empty, of another length, or with padding bits set;
            says which.
    """
    check_at_least(1, bits=bits)
    width = -(-bits // 8)
    if codes.dtype != torch.uint8 or codes.ndim != 2:
        msg = f"{name} must be packed codes, (N, W) uint8, got shape {tuple(codes.shape)} of {codes.dtype}"
        raise ValueError(msg)
    if not len(codes):
        msg = f"{name} is empty"
        raise ValueError(msg)
    if codes.shape[1] != width:
        msg = f"{name} has {codes.shape[1]} bytes per code, but {bits} bits take {width}"
        raise ValueError(msg)
    if bits % 8 and int(codes[:, -1].max()) >> bits % 8:
        msg = f"{name} has bits set beyond the first {bits}: was it packed with another code length?"
        raise ValueError(msg)
