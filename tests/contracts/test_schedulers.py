"""What every schedule keeps, found by its config."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_method, instantiate
from torch.optim import SGD
from torch.optim.lr_scheduler import LRScheduler

import softhash.config  # noqa: F401 - registers what configs call

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "scheduler").glob("*.yaml"))
STEPS = 1200


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((CONF / "scheduler" / f"{name}.yaml").read_text())
    return config


def built(name: str, steps: int = STEPS) -> LRScheduler:
    """The schedule of a config over a rate of 0.1 for the head and of 0.001 for the backbone."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [f"scheduler={name}"])
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": rate} for rate in (0.1, 0.001)]
    schedule = instantiate(config.scheduler)(SGD(groups), total_steps=steps)
    assert isinstance(schedule, LRScheduler)
    return schedule


def rates(schedule: LRScheduler, steps: int) -> list[tuple[float, ...]]:
    """Rates of the two groups before each step."""
    listed = []
    for _ in range(steps):
        listed.append(tuple(schedule.get_last_lr()))
        schedule.optimizer.step()
        schedule.step()
    return listed


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_what_it_is(name: str) -> None:
    assert (CONF / "scheduler" / f"{name}.yaml").read_text().startswith("# ")


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_a_schedule_are_the_arguments_of_its_function(name: str) -> None:
    config = stored(name)

    arguments = set(inspect.signature(get_method(config["_target_"])).parameters)

    assert config["_partial_"] is True
    assert set(config) - {"_target_", "_partial_"} == arguments - {"optimizer", "total_steps"}


@pytest.mark.parametrize("name", NAMES)
def test_rates_are_never_above_those_that_were_asked_for_nor_below_0(name: str) -> None:
    listed = rates(built(name), STEPS)

    assert all(0 <= rate <= 0.1 * (1 + 1e-6) for rate, _ in listed)


@pytest.mark.parametrize("name", NAMES)
def test_the_backbone_keeps_its_share_of_the_rate(name: str) -> None:
    for head, backbone in rates(built(name), STEPS):
        assert backbone == pytest.approx(head / 100)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [0, 1])
def test_a_run_of_no_or_one_step_has_a_schedule(name: str, steps: int) -> None:
    assert len(rates(built(name, steps), steps)) == steps


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_schedule_goes_on_to_the_bit(name: str) -> None:
    whole, resumed = built(name), built(name)
    rates(whole, 700)

    resumed.load_state_dict(whole.state_dict())
    resumed.optimizer.load_state_dict(whole.optimizer.state_dict())

    assert rates(resumed, 300) == rates(whole, 300)
