"""What every file of sweeps keeps, found by its name."""

import math
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser

from softhash.overrides import check_overrides

SWEEPS = Path(__file__).parents[2] / "sweeps"
NAMES = sorted(path.stem for path in SWEEPS.glob("*.yaml"))
OF_WANDB = sorted(path.stem for path in (SWEEPS / "wandb").glob("*.yaml"))


def stored(name: str) -> dict[str, Any]:
    config: dict[str, Any] = yaml.safe_load((SWEEPS / f"{name}.yaml").read_text())
    return config


def value_of(parameter: dict[str, Any]) -> Any:
    """One of the values that an agent may choose."""
    return parameter["values"][0] if "values" in parameter else parameter.get("min", parameter.get("value"))


@pytest.mark.parametrize("name", NAMES)
def test_it_composes_with_each_of_its_options(name: str) -> None:
    check_overrides("train", [f"+sweeps={name}"], multirun=True)


@pytest.mark.parametrize("name", NAMES)
def test_it_says_how_it_is_started_and_how_many_runs_it_has(name: str) -> None:
    lines = (SWEEPS / f"{name}.yaml").read_text().splitlines()
    overrides = [f"{key}={value}" for key, value in stored(name)["hydra"]["sweeper"]["params"].items()]
    parsed = OverridesParser.create().parse_overrides(overrides)

    counts = [len(list(override.sweep_iterator())) for override in parsed if override.is_sweep_override()]

    assert lines[0] == "# @package _global_"
    assert f"softhash train -m +sweeps={name}" in lines[1]
    said = re.search(r"= (\d+) runs", lines[1])
    assert said is not None
    assert int(said[1]) == math.prod(counts)


@pytest.mark.parametrize("name", OF_WANDB)
def test_a_sweep_of_wandb_sets_keys_of_train_and_is_judged_on_validation(name: str) -> None:
    sweep = stored(f"wandb/{name}")
    one = [f"{key}={value_of(values)}" for key, values in sweep["parameters"].items()]
    fixed = [word for word in sweep["command"] if "=" in word]

    check_overrides("train", [*fixed, *one])

    assert sweep["metric"]["name"].startswith("validation/")
