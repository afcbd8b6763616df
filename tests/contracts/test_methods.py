"""What every method keeps, found by its config: a new one is tested without an edit here."""

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
import yaml
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from softhash.hashers.base import Hasher

CONF = Path(__file__).parents[2] / "conf"
NAMES = sorted(path.stem for path in (CONF / "method").glob("*.yaml"))
COUNTS = {"num_train": 96, "num_validation": 16, "num_query": 16, "num_database": 48}


def composed(name: str) -> DictConfig:
    counts = [f"data.{key}={count}" for key, count in COUNTS.items()]
    overrides = [f"method={name}", f"names.method={name}", "names.data=digits", "bits=16", "batch_size=32", *counts]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides)


def trained(name: str, steps: int) -> Hasher:
    """A hasher of the method after some steps on few images of digits."""
    config = composed(name)
    pl.seed_everything(0, verbose=False)
    hasher, data = instantiate(config.hasher), instantiate(config.data)
    trainer = pl.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, limit_val_batches=0,
    )  # fmt: skip
    if config.epochs:
        trainer.fit(hasher, data)
    trainer.test(hasher, data, verbose=False)
    return hasher


@pytest.mark.parametrize("name", NAMES)
def test_a_config_says_which_method_it_is(name: str) -> None:
    lines = (CONF / "method" / f"{name}.yaml").read_text().splitlines()

    assert lines[0] == "# @package _global_"
    assert lines[1].lower().startswith(f"# {name}: ")
    assert lines[2].startswith(("# Differs: ", "defaults:"))


@pytest.mark.parametrize("name", NAMES)
def test_the_keys_of_a_method_are_the_arguments_of_its_class(name: str) -> None:
    stored: dict[str, Any] = yaml.safe_load((CONF / "method" / f"{name}.yaml").read_text())
    config = stored.get("loss") or stored["estimator"]

    assert set(config) - {"_target_"} == set(inspect.signature(get_class(config["_target_"])).parameters)


@pytest.mark.parametrize("name", NAMES)
def test_relaxed_codes_are_as_long_as_asked_and_differ_between_images(name: str) -> None:
    hasher = trained(name, steps=2)
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (8, 1, 16, 16), dtype=np.uint8))

    _, relaxed = hasher.eval().encode(images)

    assert relaxed.shape == (8, 16)
    assert relaxed.dtype == torch.float32
    assert torch.isfinite(relaxed).all()
    assert len(torch.unique(relaxed, dim=0)) == 8


@pytest.mark.parametrize("name", [name for name in NAMES if "loss" in composed(name)])
def test_a_step_moves_every_parameter(name: str) -> None:
    before = {key: value.clone() for key, value in trained(name, steps=0).named_parameters()}

    after = dict(trained(name, steps=1).named_parameters())

    assert [key for key, value in before.items() if torch.equal(value, after[key])] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_twice_gives_the_same_weights(name: str) -> None:
    first, second = (trained(name, steps=2).state_dict() for _ in range(2))

    assert first.keys() == second.keys()
    for key, value in first.items():
        torch.testing.assert_close(second[key], value, rtol=0, atol=0)
