"""What every optimiser keeps, found by its config."""

import inspect
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from torch import Tensor
from torch.optim import Optimizer

import softhash.config  # noqa: F401 - registers what configs call

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))
RATES = (0.02, 0.01)


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CONF / "optimizer" / f"{name}.yaml").read_text())
    return config


def built(name: str) -> tuple[Optimizer, list[Tensor]]:
    """The optimiser of a config for two groups of a parameter each, and these, which start at 1."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"optimizer={name}"])
    parameters = [torch.ones(3, requires_grad=True) for _ in RATES]
    groups = [{"params": [parameter], "lr": rate} for parameter, rate in zip(parameters, RATES, strict=True)]
    return instantiate(config.optimizer)(groups), parameters


def step(optimizer: Optimizer, parameters: list[Tensor]) -> None:
    """Go down the squared distance to 0."""
    optimizer.zero_grad()
    torch.stack(parameters).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is_and_has_a_rate(name: str) -> None:
    assert (CONF / "optimizer" / f"{name}.yaml").read_text().startswith("# ")
    assert stored(name)["_partial_"] is True
    assert stored(name)["lr"] > 0  # which methods set


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_an_optimizer_are_arguments_of_its_class(name: str) -> None:
    config = stored(name)

    assert set(config) - {"_target_", "_partial_"} <= set(inspect.signature(get_class(config["_target_"])).parameters)


@pytest.mark.parametrize("name", NAMES)
def test_each_group_of_parameters_goes_down_at_a_rate_of_its_own(name: str) -> None:
    optimizer, parameters = built(name)

    for _ in range(5):
        step(optimizer, parameters)

    first, second = (parameter.detach() for parameter in parameters)
    assert [group["lr"] for group in optimizer.param_groups] == list(RATES)
    assert (first < second).all()
    assert (second < 1).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_optimizer_goes_on_to_the_bit(name: str) -> None:
    whole, expected = built(name)
    resumed, parameters = built(name)
    for _ in range(3):
        step(whole, expected)
    with torch.no_grad():
        for parameter, value in zip(parameters, expected, strict=True):
            parameter.copy_(value)

    resumed.load_state_dict(deepcopy(whole.state_dict()))
    for _ in range(3):
        step(whole, expected)
        step(resumed, parameters)

    for parameter, value in zip(parameters, expected, strict=True):
        assert torch.equal(parameter, value)
