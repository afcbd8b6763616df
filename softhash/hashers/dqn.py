"""A hasher whose codes are bytes that name codewords, compared by inner products."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn

from softhash.hashers.deep import DeepHasher
from softhash.hashers.encoder import Encoder
from softhash.losses.dqn import DQNLoss, Quantizer
from softhash.types import Codes


class QuantizingEncoder(Encoder):
    """Backbone, head, and codebooks of 256 codewords: one byte of the code for each codebook.

    A query stays real: its score of an item is the inner product with the sum of the item's codewords, looked up in a
    table for each byte.

    Args:
        bits: Code length K, a multiple of 8.
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        head: Builds the module from features to vectors, given ``in_features`` and, as ``bits``, its width.
        dimensions: Width of the vectors that are quantised.

    Raises:
        ValueError: ``bits`` is no multiple of 8, or there are fewer dimensions than bytes.
    """

    def __init__(self, bits: int, backbone: nn.Module, head: Callable[..., nn.Module], dimensions: int) -> None:
        super().__init__(bits, backbone, partial(head, bits=dimensions))
        if bits % 8:
            msg = f"a code of codewords has 8 bits per codebook, so bits must be a multiple of 8, got {bits}"
            raise ValueError(msg)
        if dimensions < bits // 8:
            msg = f"encoder.dimensions must be at least one per codebook, {bits // 8}, got {dimensions}"
            raise ValueError(msg)
        self.quantizer = Quantizer(bits // 8, dimensions)

    def items(self, relaxed: Tensor) -> Tensor:
        """Numbers of codewords, ``(B, W)`` uint8, of ``(B, dimensions)`` vectors."""
        return self.quantizer.assign(relaxed)

    def quantize(self, relaxed: Tensor) -> Codes:
        """Tables of queries and bytes of items, of ``(B, dimensions)`` vectors."""
        return Codes(self.quantizer.tables(relaxed), self.items(relaxed), self.bits, relaxed)


class DQNHasher(DeepHasher):
    """Its loss fits the codebooks of its encoder.

    Args:
        encoder: Has the codebooks.
        loss: Gets them.
        **options: Those of :class:`softhash.hashers.deep.DeepHasher`.
    """

    encoder: QuantizingEncoder

    def __init__(self, *, encoder: QuantizingEncoder, loss: DQNLoss, **options: Any) -> None:
        loss.quantizer = encoder.quantizer
        super().__init__(encoder=encoder, loss=loss, **options)
