"""From images to codes, and nothing else: what is left of a method when it has been trained."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from softhash.functional.codes import pack
from softhash.types import Codes


class Encoder(nn.Module):
    """Backbone, head, and the sign of what comes out.

    It needs neither the training set nor the loss. Codes are always computed in float32, whatever precision a trainer
    uses, so that queries and database are encoded alike. A method with a distance of its own overrides
    :meth:`quantize`; one with codes of its own :meth:`items`, in tensors alone, so that it can be exported.

    Args:
        bits: Code length K.
        backbone: uint8 images to ``(B, D)`` features; has ``out_features`` and ``frozen``.
        head: Builds the module from features to relaxed codes, given ``in_features``.

    Raises:
        ValueError: ``bits`` is below 1.
    """

    def __init__(self, bits: int, backbone: nn.Module, head: Callable[..., nn.Module]) -> None:
        super().__init__()
        if bits < 1:
            msg = f"bits must be at least 1, got {bits}"
            raise ValueError(msg)
        self.bits, self.backbone = bits, backbone
        self.head = head(in_features=backbone.out_features)
        self.to(memory_format=torch.channels_last)

    def features(self, inputs: Tensor) -> Tensor:
        """``(B, D)`` features of images; inputs with two dimensions are cached features already."""
        features: Tensor = inputs if inputs.ndim == 2 else self.backbone(inputs)
        return features

    def relax(self, features: Tensor) -> Tensor:
        """``(B, K)`` relaxed codes of ``(B, D)`` features; a bit is 1 where they are above 0."""
        relaxed: Tensor = self.head(features)
        return relaxed

    def items(self, relaxed: Tensor) -> Tensor:
        """Packed codes ``(B, W)`` uint8 of ``(B, K)`` relaxed ones, as items of a database."""
        return pack(relaxed)

    def quantize(self, relaxed: Tensor) -> Codes:
        """Codes of ``(B, K)`` relaxed ones, as queries and as items of a database."""
        packed = self.items(relaxed)
        return Codes(packed, packed, self.bits, relaxed)

    @torch.no_grad()
    def relaxed(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Features ``(B, D)`` and relaxed codes ``(B, K)`` of images or cached features, in float32."""
        with torch.autocast(inputs.device.type, enabled=False):
            features = self.features(inputs).float()
            return features, self.relax(features).float()

    def forward(self, inputs: Tensor) -> Codes:
        """Codes of ``(B, channels, height, width)`` uint8 images, or ``(B, D)`` cached features."""
        return self.quantize(self.relaxed(inputs)[1])
