"""What every backbone keeps, found by its config."""

import copy
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


@pytest.fixture(scope="module", params=NAMES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """That of a config, frozen with random weights; skips where the config leaves the network to the user."""
    config = stored(request.param)["backbone"]
    if "???" in config.values():
        pytest.skip("the user names the network")
    random = {"weights": None, "pretrained": False, "frozen": True, "channels": 3}
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


def test_uint8_images_grey_or_not_become_float32_features(backbone: Backbone) -> None:
    grey = torch.randint(256, (2, 1, 64, 64), dtype=torch.uint8)
    images = [grey, grey.expand(2, len(backbone.mean), 64, 64)]

    one, several = (backbone.eval()(batch) for batch in images)

    assert one.shape == (2, backbone.out_features)
    assert one.dtype == torch.float32
    torch.testing.assert_close(one, several)


def test_frozen_it_stays_as_it_is(backbone: Backbone) -> None:
    backbone.train()

    assert not any(module.training for module in backbone.network.modules())
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_weights_written_and_read_give_the_same_features(backbone: Backbone) -> None:
    images = torch.randint(256, (2, len(backbone.mean), 64, 64), dtype=torch.uint8)
    other = copy.deepcopy(backbone.eval())
    for tensor in [*other.parameters(), *other.buffers()]:
        tensor.fill_(1)
    before = other(images)

    other.load_state_dict(backbone.state_dict())

    features = backbone(images)
    assert not torch.equal(before, features)
    assert torch.equal(other(images), features)
