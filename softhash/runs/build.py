"""Objects from a config that may come from somebody else."""

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

_SAFE = ("softhash.", "torch.nn.", "torchvision.transforms.", "torchvision.models.")
_FUNCTIONS = "softhash.functional.similarity"  # whose functions compare labels and do nothing else


def build(config: Any, *, trust: bool = False) -> Any:
    """Make what a config describes, as Hydra's ``instantiate`` does, of classes that only hold numbers.

    Args:
        config: Plain values. A mapping with ``_target_`` becomes an object of that class, whose arguments are the other
            keys, those without names in ``_args_``; with ``_partial_: true`` it becomes a function that makes one.
        trust: Call anything that ``_target_`` names.

    Raises:
        ValueError: ``_target_`` names something that does not exist; or, without trust, anything but a similarity of
            softhash or a class of softhash, torch.nn, or torchvision's transforms and models.

    Example:
        >>> build({"_target_": "torch.nn.Softsign"})
        Softsign()
    """
    if isinstance(config, list):
        return [build(value, trust=trust) for value in config]
    if not isinstance(config, dict):
        return config
    made = {key: build(value, trust=trust) for key, value in config.items() if key not in {"_target_", "_partial_"}}
    if "_target_" not in config:
        return made
    target, unnamed = _located(str(config["_target_"]), trust), made.pop("_args_", [])
    return partial(target, *unnamed, **made) if config.get("_partial_") else target(*unnamed, **made)


def _located(name: str, trust: bool) -> Callable[..., Any]:
    """The class of a dotted name; what a module has imported is found where it is defined alone."""
    module, _, last = name.rpartition(".")
    if not trust and not name.startswith(_SAFE):
        raise _refused(name)
    try:
        found = getattr(import_module(module), last)
    except (ImportError, AttributeError, ValueError) as error:
        msg = f"there is no {name}, which the run was made with: {error}"
        raise ValueError(msg) from error
    home = getattr(found, "__module__", "")
    if not trust and not (home == _FUNCTIONS or (isinstance(found, type) and f"{home}.".startswith(_SAFE))):
        raise _refused(name)
    return found  # type: ignore[no-any-return]


def _refused(name: str) -> ValueError:
    return ValueError(
        f"the run names _target_: {name}, which is no class of softhash, torch.nn or torchvision and may do anything.\n"
        "  Where the folder is your own or from somebody you trust, use Run(folder).encoder(trust=True)."
    )
