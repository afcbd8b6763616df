"""EfficientNet-Lite0, the smallest one."""

from softhash.backbones.efficientnet_lite import EfficientNetLite


class EfficientNetLite0(EfficientNetLite):
    """Variant 0 in a class of its own, by whose name checkpoints and caches of features know it.

    Args:
        pretrained: Take the package's weights; else random ones.
        frozen: Never train the network, and keep it in evaluation mode.
        frozen_norm: Keep batch normalisation in evaluation mode while the rest is trained.
    """

    def __init__(self, pretrained: bool, frozen: bool, frozen_norm: bool = False) -> None:
        super().__init__(0, pretrained, frozen, frozen_norm)
