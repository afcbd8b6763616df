"""Any classification network of torchvision, without its last layer."""

from difflib import get_close_matches
from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten

import torch
from torch import nn
from torchvision import models

from softhash.backbones.base import Backbone


class TorchvisionBackbone(Backbone):
    """Features that the last linear layer would classify: fc7 of AlexNet, the pooled map of a ResNet.

    torchvision's dropout stays. Pixels are normalised as the named weights want them; for random weights and
    those of a file, as the default ones do.

    Args:
        name: As ``torchvision.models.get_model`` knows it.
        classifier: Dotted name of the last linear layer: ``classifier.6`` of AlexNet, ``fc`` of a ResNet.
        weights: Name of weights, such as ``DEFAULT`` or ``IMAGENET1K_V1``, which are downloaded once; or the
            path of a file of them; None for random ones.
        frozen: Never train the network, and keep it in evaluation mode.
        frozen_norm: Keep batch normalisation in evaluation mode while the rest is trained.

    Raises:
        ValueError: torchvision has no such network, layer or weights, or the file does not fit.
        OSError: The weights could not be downloaded; says how to do without.
    """

    def __init__(
        self, name: str, classifier: str, weights: str | None, frozen: bool, frozen_norm: bool = False
    ) -> None:
        if name not in (known := models.list_models(module=models)):
            close = ", ".join(get_close_matches(name, known, n=5)) or "none"
            msg = f"torchvision has no classification network backbone.name={name!r}; similar ones: {close}"
            raise ValueError(msg)
        named = models.get_model_weights(name).__members__
        if weights in named:
            network = downloaded(name, named[weights])
        else:
            network = models.get_model(name, weights=None)
            if weights is not None:
                load_file(network, name, weights)
        # GoogLeNet and Inception: published weights want other pixels, and extra outputs only help to learn classes.
        if hasattr(network, "aux_logits"):
            vars(network).update(transform_input=True, aux_logits=False)
            for output in ("aux1", "aux2", "AuxLogits"):
                setattr(network, output, None)
        linear = {layer: module for layer, module in network.named_modules() if isinstance(module, nn.Linear)}
        if classifier not in linear:
            last = ", ".join(list(linear)[-3:]) or "none"
            msg = f"{name} has no linear layer backbone.classifier={classifier!r}; its last ones: {last}"
            raise ValueError(msg)
        network.set_submodule(classifier, nn.Identity())
        preset = named.get(weights, named["DEFAULT"]).transforms()
        super().__init__(network, linear[classifier].in_features, preset.mean, preset.std, frozen, frozen_norm)


def downloaded(name: str, weights: models.WeightsEnum) -> nn.Module:
    """A network of torchvision with its published weights.

    Raises:
        OSError: They could not be downloaded; says how to do without.
    """
    try:
        network: nn.Module = models.get_model(name, weights=weights)
    except (OSError, RuntimeError) as error:  # RuntimeError: cut short, so the hash is another
        msg = (
            f"the weights of {name} could not be downloaded from {weights.url} ({error}).\n"
            f"  Put that file into {torch.hub.get_dir()}/checkpoints, give a path with backbone.weights=FILE,"
            " or start from random weights with backbone.weights=null."
        )
        raise OSError(msg) from error
    return network


def load_file(network: nn.Module, name: str, path: str) -> None:
    """Fill a network of torchvision with the state dict in a file.

    Raises:
        ValueError: There is no such file, or it does not fit.
    """
    if not Path(path).is_file():
        names = ", ".join(sorted(models.get_model_weights(name).__members__))
        msg = f"backbone.weights={path!r} is neither a file nor among the weights of {name}: {names}"
        raise ValueError(msg)
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except UnpicklingError as error:
        msg = f"backbone.weights={path!r} is not a state dict of tensors, as torch.save writes it"
        raise ValueError(msg) from error
    except (EOFError, RuntimeError, TypeError) as error:
        msg = f"backbone.weights={path!r} does not fit {name}: {shorten(str(error), 300)}"
        raise ValueError(msg) from error
