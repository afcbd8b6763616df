"""A small convolutional network for small pictures, to be trained from scratch on a processor."""

from torch import nn

from softhash.backbones.base import Backbone


class SmallCNN(Backbone):
    """Two convolutions at each of three scales, and the maximum over the last map: what is there, not where.

    Args:
        channels: Of the images, 1 or 3.
        width: Channels of the first scale; each further one has twice as many.
        frozen: Keep the random weights.
    """

    def __init__(self, channels: int = 1, width: int = 32, frozen: bool = False) -> None:
        layers: list[nn.Module] = []
        before = channels
        for scale in range(3):
            after = width * 2**scale
            for _ in range(2):
                layers += [
                    nn.Conv2d(before, after, 3, padding=1, bias=False),
                    nn.BatchNorm2d(after),
                    nn.ReLU(),
                ]
                before = after
            layers.append(nn.MaxPool2d(2) if scale < 2 else nn.AdaptiveMaxPool2d(1))
        super().__init__(nn.Sequential(*layers), before, [0.5] * channels, [0.5] * channels, frozen)
