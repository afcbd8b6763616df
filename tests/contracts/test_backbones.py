"""What every backbone keeps, found by its config."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

import softhash.config  # noqa: F401 - registers what configs call
from softhash.backbones.base import Backbone

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "backbone").glob("*.yaml"))
OF_THE_ROOT = {"backbone", "image_size", "precision", "backbone_lr_factor"}  # values that a backbone may set


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CONF / "backbone" / f"{name}.yaml").read_text())
    return config


def with_random_weights(name: str, frozen: bool) -> Backbone:
    """The backbone of a config, without a download; skips where the config leaves the network to the user."""
    config = stored(name)["backbone"]
    if "???" in config.values():
        pytest.skip("the user names the network")
    random = {"weights": None, "pretrained": False, "frozen": frozen, "channels": 3}
    try:
        backbone = instantiate(config | {key: value for key, value in random.items() if key in config})
    except InstantiationException as error:
        if "pip install" in str(error):
            pytest.skip(f"needs an extra: {error}")
        raise
    assert isinstance(backbone, Backbone)
    return backbone


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_a_backbone_are_the_arguments_of_its_class(name: str) -> None:
    config = stored(name)["backbone"]
    kind = get_class(config["_target_"])

    assert issubclass(kind, Backbone)
    assert set(config) - {"_target_"} == set(inspect.signature(kind).parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is_and_sets_nothing_else(name: str) -> None:
    first, second = (CONF / "backbone" / f"{name}.yaml").read_text().splitlines()[:2]

    assert first == "# @package _global_"
    assert second.startswith("# ")
    assert set(stored(name)) <= OF_THE_ROOT


@pytest.mark.parametrize("name", NAMES)
def test_layers_that_were_trained_before_learn_more_slowly_than_new_ones(name: str) -> None:
    config = stored(name)
    trained = bool(config["backbone"].get("weights") or config["backbone"].get("pretrained"))

    assert (config.get("backbone_lr_factor", 1.0) < 1) == trained


@pytest.mark.parametrize("name", NAMES)
def test_the_root_config_takes_it(name: str) -> None:
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("train", overrides=[f"backbone={name}"])

    assert OmegaConf.to_container(config.backbone) == stored(name)["backbone"]
    assert config.precision in {"bf16-mixed", "32-true"}


@pytest.mark.parametrize("name", NAMES)
def test_uint8_images_grey_or_not_become_float32_features(name: str) -> None:
    backbone = with_random_weights(name, frozen=True).eval()
    grey = torch.randint(256, (2, 1, 64, 64), dtype=torch.uint8)
    images = [grey, grey.expand(2, len(backbone.mean), 64, 64)]

    one, several = (backbone(batch) for batch in images)

    assert one.shape == (2, backbone.out_features)
    assert one.dtype == torch.float32
    torch.testing.assert_close(one, several)


@pytest.mark.parametrize("name", NAMES)
def test_frozen_it_stays_as_it_is(name: str) -> None:
    backbone = with_random_weights(name, frozen=True).train()

    assert not any(module.training for module in backbone.network.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_weights_written_and_read_give_the_same_features(name: str) -> None:
    first, second = (with_random_weights(name, frozen=True).eval() for _ in range(2))
    images = torch.randint(256, (2, 3 if len(first.mean) == 3 else 1, 64, 64), dtype=torch.uint8)

    second.load_state_dict(first.state_dict())

    assert torch.equal(second(images), first(images))
