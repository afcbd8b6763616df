import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/**/metrics.json")
    return found.parent


@pytest.mark.parametrize("method", ["idhn", "dpsh"])
def test_two_processes_train_and_evaluate(method: str, tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    softhash(tmp_path, "train", *quick, f"method={method}", *TWO, "data.num_query=33", "data.num_database=161")

    with np.load(only_run(tmp_path) / "codes" / f"{method}.npz") as codes:
        assert codes["query"].shape == (33, 1)  # the sampler's padding is dropped
        assert codes["database"].shape == (161, 1)


def losses(folder: Path) -> list[float]:
    """Loss of each step."""
    with (only_run(folder) / "metrics" / "version_0" / "metrics.csv").open(newline="") as lines:
        return [float(line["train/loss"]) for line in csv.DictReader(lines) if line.get("train/loss")]


def test_two_processes_with_half_batches_learn_what_one_does_with_whole_ones(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    # a trained backbone would normalise by the batch of its own process
    steps = ["trainer.log_every_n_steps=1", "epochs=2", "backbone.frozen=true"]
    every_step = [*quick, "method=dpsh", *steps]
    for name, trainer in (("one", ["batch_size=32"]), ("two", [*TWO, "batch_size=16"])):
        (tmp_path / name).mkdir()
        softhash(tmp_path / name, "train", *every_step, *trainer)

    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")

    assert len(one) == 2 * 128 / 32
    assert two == pytest.approx(one, rel=1e-4)  # the order of sums differs, and training makes much of little


def test_two_processes_give_the_evaluation_of_one(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    untrained = ["epochs=0", "method=idhn", "data.num_query=33", "data.num_database=161"]
    results = []
    for name, trainer in (("one", []), ("two", TWO)):
        (tmp_path / name).mkdir()
        softhash(tmp_path / name, "train", *quick, *untrained, *trainer)
        results.append(json.loads((only_run(tmp_path / name) / "metrics.json").read_text()))

    for result in results:
        del result["overrides"]  # which say with how many processes
    assert results[0] == results[1]
