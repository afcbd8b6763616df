"""The encoder of DRSCH: bits have weights, and the Hamming distance is weighted."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from softhash.functional.codes import pack, unpack
from softhash.hashers.encoder import Encoder
from softhash.types import Codes


class WeightedEncoder(Encoder):
    r"""Codes whose bits have learnt weights w.

    Relaxed codes are :math:`w (\sigma(z) - 1/2)` with z from the head; the 1/2 changes no difference of two codes. The
    distance of two codes is :math:`\sum_k w_k^2 [b_k \ne b'_k]`, which is what squared distances of relaxed codes come
    to where sigmoids are 0 and 1.

    Args:
        bits: Code length K.
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        head: Builds the module from features to z, given ``in_features``.
    """

    def __init__(self, bits: int, backbone: nn.Module, head: Callable[..., nn.Module]) -> None:
        super().__init__(bits, backbone, head)
        self.weight = nn.Parameter(torch.ones(bits))

    def relax(self, features: Tensor) -> Tensor:
        """``(B, K)`` relaxed codes of ``(B, D)`` features."""
        return self.weight * (torch.sigmoid(self.head(features)) - 0.5)

    def quantize(self, relaxed: Tensor) -> Codes:
        """Packed codes for a database, and tables of minus the weighted distance to each byte for queries."""
        packed = pack(relaxed)
        return Codes(weighted_tables(packed, self.weight.detach().square()), packed, self.bits, relaxed)


def weighted_tables(codes: Tensor, weights: Tensor) -> Tensor:
    """Minus the sum of the weights of the bits in which a code differs from each byte.

    Args:
        codes: ``(B, W)`` packed uint8.
        weights: ``(K,)`` float32, at least 0.

    Returns:
        ``(B, W, 256)`` float32.

    Example:
        >>> weighted_tables(torch.tensor([[2]], dtype=torch.uint8), torch.tensor([1.0, 0.5]))[0, 0, :4]
        tensor([-0.5000, -1.5000, -0.0000, -1.0000])
    """
    width = codes.shape[1]
    values = torch.arange(256, device=codes.device, dtype=torch.uint8)[:, None]
    patterns = unpack(values, 8)
    weights = torch.cat([weights, weights.new_zeros(8 * width - len(weights))]).unflatten(0, (width, 8))
    differ = unpack(codes, 8 * width).unflatten(1, (width, 8))[:, :, None] ^ patterns
    return -torch.einsum("bwvk,wk->bwv", differ.to(weights.dtype), weights)
