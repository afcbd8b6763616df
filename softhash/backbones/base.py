"""What every backbone does around its network."""

from collections.abc import Sequence
from textwrap import shorten

import torch
from torch import Tensor, nn


class Backbone(nn.Module):
    """uint8 images to features: scaling and normalisation, then the network.

    Args:
        network: ``(B, 3, height, width)`` float32 (or as many channels as ``mean`` has) to ``(B, D)``, or to
            maps that are flattened.
        out_features: D.
        mean: Of each channel, for pixel values in [0, 1]. Images of one channel are repeated to as many.
        std: Of each channel, for pixel values in [0, 1].
        frozen: Never train the network, and keep it in evaluation mode.
        frozen_norm: Keep batch normalisation in evaluation mode while the rest is trained, so that networks that
            were trained on large batches of another data set keep their statistics.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        network: nn.Module,
        out_features: int,
        mean: Sequence[float],
        std: Sequence[float],
        frozen: bool,
        frozen_norm: bool = False,
    ) -> None:
        super().__init__()
        self.network, self.out_features = network, out_features
        self.frozen, self.frozen_norm = frozen, frozen_norm
        self.register_buffer("mean", 255 * torch.tensor(mean)[:, None, None])
        self.register_buffer("std", 255 * torch.tensor(std)[:, None, None])
        if frozen:
            self.network.requires_grad_(requires_grad=False)
        self.train()  # Lightning trains modules in the mode that they are in

    def forward(self, images: Tensor) -> Tensor:
        """``(B, 1 or 3, height, width)`` uint8 to ``(B, D)`` float32, under autocast too.

        Raises:
            ValueError: The network cannot take images of this size.
        """
        pixels = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        try:
            features: Tensor = self.network(pixels)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, AssertionError) as error:  # timm asserts sizes
            height, width = images.shape[2:]
            msg = (
                f"the backbone does not take images of {height} x {width} pixels: {shorten(str(error), 300)}\n"
                "  Set image_size to the size that it wants, or take another one, such as backbone=small_cnn for small"
                " pictures."
            )
            raise ValueError(msg) from error
        return features.flatten(1).float()

    def train(self, mode: bool = True) -> "Backbone":
        """Switch to training, but for a frozen network or its frozen normalisation."""
        super().train(mode)
        if self.frozen:
            self.network.eval()
        elif self.frozen_norm:
            for module in self.network.modules():
                if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm):
                    module.eval()
        return self
