"""What every head keeps, found by its config."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from torch import nn

import softhash.config  # noqa: F401 - registers what configs call

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "head").glob("*.yaml"))


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CONF / "head" / f"{name}.yaml").read_text())
    return config


def built(name: str) -> nn.Module:
    """The head as ``softhash train head=NAME bits=12`` makes it, for 20 features."""
    torch.manual_seed(0)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"head={name}", "bits=12"])
    head = instantiate(config.head)(in_features=20)
    assert isinstance(head, nn.Module)
    return head


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is(name: str) -> None:
    assert (CONF / "head" / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_a_head_are_the_arguments_of_its_class(name: str) -> None:
    config = stored(name)

    arguments = set(inspect.signature(get_class(config["_target_"])).parameters)

    assert config["_partial_"] is True
    assert set(config) - {"_target_", "_partial_"} == arguments - {"in_features"}


@pytest.mark.parametrize("name", NAMES)
def test_features_become_as_many_real_values_as_there_are_bits(name: str) -> None:
    head = built(name)
    features = torch.randn(8, 20)

    learning, encoding, alone = head.train()(features), head.eval()(features), head(features[:1])

    for relaxed, count in ((learning, 8), (encoding, 8), (alone, 1)):
        assert relaxed.shape == (count, 12)
        assert relaxed.dtype == torch.float32
        assert torch.isfinite(relaxed).all()
    torch.testing.assert_close(alone, encoding[:1])  # an image has the same codes whatever it is encoded with


@pytest.mark.parametrize("name", NAMES)
def test_every_bit_is_0_for_some_images_and_1_for_others(name: str) -> None:
    bits = built(name).eval()(torch.randn(200, 20)) > 0

    assert bits.any(0).all()
    assert not bits.all(0).any()


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_reaches_every_parameter_and_the_features(name: str) -> None:
    head, features = built(name).train(), torch.randn(8, 20, requires_grad=True)

    (head(features) * torch.randn(8, 12)).sum().backward()

    for parameter in (features, *head.parameters()):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
