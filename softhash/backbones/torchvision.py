"""Any classification network of torchvision, without its last layer."""

from pathlib import Path
from urllib.error import URLError

import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from softhash.backbones.base import Backbone

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as all of torchvision's weights want them


class TorchvisionBackbone(Backbone):
    """Features that the last linear layer would classify: fc7 of AlexNet, the pooled map of a ResNet.

    Dropout before that layer stays, as in the papers.

    Args:
        name: As ``torchvision.models.get_model`` knows it.
        classifier: Dotted name of the last linear layer, such as ``classifier.6`` of AlexNet, ``fc`` of a ResNet.
        weights: Name of weights, such as ``DEFAULT`` or ``IMAGENET1K_V1``, which are downloaded once; or the path
            of a file of them; None for random ones.
        frozen: Never train the network, and keep it in evaluation mode.

    Raises:
        ValueError: torchvision has no such network, layer or weights, or the file does not fit.
        OSError: The weights could not be downloaded; says how to do without.
    """

    def __init__(self, name: str, classifier: str, weights: str | None, frozen: bool) -> None:
        network = get_model(name, weights=None)
        if weights is not None:
            load_weights(network, name, weights)
        try:
            last = network.get_submodule(classifier)
        except AttributeError as error:
            layers = ", ".join(layer for layer, module in network.named_modules() if isinstance(module, nn.Linear))
            msg = f"{name} has no layer backbone.classifier={classifier!r}; its linear layers: {layers}"
            raise ValueError(msg) from error
        network.set_submodule(classifier, nn.Identity())
        super().__init__(network, last.in_features, _MEAN, _STD, frozen)


def load_weights(network: nn.Module, name: str, weights: str) -> None:
    """Fill a network of torchvision with named weights, or with those in a file."""
    if Path(weights).suffix:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    else:
        known = get_model_weights(name)
        if weights not in (options := ["DEFAULT", *known.__members__]):
            msg = f"backbone.weights={weights!r} is neither a file nor among the weights of {name}: {', '.join(options)}"
            raise ValueError(msg)
        chosen = known[weights] if weights != "DEFAULT" else known.DEFAULT  # type: ignore[attr-defined]
        try:
            state = chosen.get_state_dict(progress=True, check_hash=True)
        except (URLError, OSError) as error:
            msg = (
                f"the weights of {name} could not be downloaded from {chosen.url} ({error}).\n"
                f"  Put that file into {torch.hub.get_dir()}/checkpoints, give a path with backbone.weights=FILE, or"
                " start from random weights with backbone.weights=null."
            )
            raise OSError(msg) from error
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        msg = f"backbone.weights={weights!r} does not fit {name}: {error}"
        raise ValueError(msg) from error
