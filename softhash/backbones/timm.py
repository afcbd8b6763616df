"""Any network of timm, without its classifier."""

from softhash.backbones.base import Backbone


class TimmBackbone(Backbone):
    """Pooled features of a timm model, with the normalisation that its weights were trained with.

    Args:
        name: As ``timm.create_model`` knows it, such as ``resnet50.a1_in1k``.
        pretrained: Download weights (once); else random ones.
        checkpoint: Path of a file of weights, instead of a download.
        frozen: Never train the network, and keep it in evaluation mode.

    Raises:
        ValueError: timm is not installed or has no such model.
        OSError: The weights could not be downloaded.
    """

    def __init__(self, name: str, pretrained: bool, checkpoint: str | None, frozen: bool) -> None:
        timm = require_timm()
        if not timm.is_model(name):
            close = timm.list_models(f"*{name.partition('.')[0]}*")[:5]
            msg = f"timm has no model backbone.name={name!r}; similar ones: {', '.join(close) or 'none'}"
            raise ValueError(msg)
        try:
            network = timm.create_model(name, pretrained=pretrained, num_classes=0)
        except (OSError, RuntimeError) as error:
            msg = (
                f"the weights of {name} could not be downloaded ({type(error).__name__}).\n"
                "  Give a file with backbone.checkpoint=FILE backbone.pretrained=false, or start from random weights"
                " with backbone.pretrained=false."
            )
            raise OSError(msg) from error
        if checkpoint is not None:
            timm.models.load_checkpoint(network, checkpoint, strict=False)
        settings = network.pretrained_cfg
        super().__init__(network, network.num_features, settings["mean"], settings["std"], frozen)


def require_timm():  # noqa: ANN201 - a module
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
