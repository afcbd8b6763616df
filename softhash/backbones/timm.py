"""Any network of timm, without its classifier."""

from pathlib import Path
from pickle import UnpicklingError
from textwrap import shorten
from typing import Any

from torch import nn

from softhash.backbones.base import Backbone


class TimmBackbone(Backbone):
    """Pooled features of a timm model, with the normalisation that its weights were trained with.

    Args:
        name: As ``timm.create_model`` knows it, such as ``resnet50.a1_in1k``.
        pretrained: Download weights (once); else random ones.
        checkpoint: Path of a file of weights, instead of a download; None for none.
        frozen: Never train the network, and keep it in evaluation mode.
        frozen_norm: Keep batch normalisation in evaluation mode while the rest is trained.

    Raises:
        ValueError: timm is not installed or has no such model, or the file does not fit.
        FileNotFoundError: There is no such file of weights.
        OSError: The weights could not be downloaded; says how to do without.
    """

    def __init__(
        self, name: str, pretrained: bool, checkpoint: str | None, frozen: bool, frozen_norm: bool = False
    ) -> None:
        timm = require_timm()
        check_name(timm, name)
        try:
            network = timm.create_model(name, pretrained=pretrained and checkpoint is None, num_classes=0)
        except (OSError, RuntimeError) as error:
            msg = (
                f"the weights of {name} could not be downloaded: {shorten(str(error), 300)}\n"
                "  Give a file with backbone.checkpoint=FILE, or start from random weights with"
                " backbone.pretrained=false."
            )
            raise OSError(msg) from error
        if checkpoint is not None:
            load_file(timm, network, name, checkpoint)
        settings = network.pretrained_cfg
        # Not num_features: MobileNetV3 and others have a wider layer between pooling and classifier.
        super().__init__(network, network.head_hidden_size, settings["mean"], settings["std"], frozen, frozen_norm)


def require_timm() -> Any:
    """The module ``timm``.

    Raises:
        ValueError: It is not installed; names the extra.
    """
    try:
        import timm  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        msg = "this backbone needs timm: pip install 'softhash[timm]'"
        raise ValueError(msg) from error
    return timm


def check_name(timm: Any, name: str) -> None:
    """Refuse a model, or a tag of its weights, that timm does not have.

    Raises:
        ValueError: Names similar ones.
    """
    architecture, _, tag = name.partition(".")
    if not timm.is_model(name):
        close = ", ".join(timm.list_models(f"*{architecture}*")[:5]) or "none"
        msg = f"timm has no model backbone.name={name!r}; similar ones: {close}"
        raise ValueError(msg)
    if tag and name not in (tagged := timm.list_pretrained(f"{architecture}.*")):
        tags = ", ".join(tagged) or "none"
        msg = f"timm has no weights backbone.name={name!r}; those of {architecture}: {tags}"
        raise ValueError(msg)


def load_file(timm: Any, network: nn.Module, name: str, path: str) -> None:
    """Fill a network of timm with the weights in a file, but for the classifier, which it need not have.

    Raises:
        ValueError: It does not fit.
        FileNotFoundError: There is no such file.
    """
    if not Path(path).is_file():
        msg = f"backbone.checkpoint={path!r} is not a file"
        raise FileNotFoundError(msg)
    try:
        state = timm.models.load_state_dict(path, weights_only=True)  # not so by default before 1.0.20
    except (UnpicklingError, EOFError, RuntimeError, AttributeError) as error:
        msg = f"backbone.checkpoint={path!r} is not a state dict of tensors, as torch.save writes it"
        raise ValueError(msg) from error
    try:
        missing = network.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as error:  # the shape of a tensor
        msg = f"backbone.checkpoint={path!r} does not fit {name}: {shorten(str(error), 300)}"
        raise ValueError(msg) from error
    if missing:
        msg = f"backbone.checkpoint={path!r} does not fit {name}: it has no {shorten(', '.join(missing), 200)}"
        raise ValueError(msg)
