import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
UNTRAINED = ["epochs=0", "method=dpsh", "backbone.frozen=true", "data.num_query=33", "data.num_database=161"]


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/**/metrics.json")
    return found.parent


def processes(count: int, batch_size: int) -> list[str]:
    """Overrides that train with some processes, with parts of a batch in each."""
    trainer = ["trainer=ddp", "trainer.accelerator=cpu", f"trainer.devices={count}"] if count > 1 else []
    return [*trainer, f"batch_size={batch_size // count}"]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory, softhash: Softhash, quick: list[str]) -> Path:
    """A run of one process that was evaluated as it was initialised."""
    folder = tmp_path_factory.mktemp("untrained")
    softhash(folder, "train", *quick, *UNTRAINED, *processes(1, 24))
    return only_run(folder)


def head(run: Path) -> torch.Tensor:
    """All weights of the head."""
    weights = torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    return torch.cat([value.flatten() for name, value in weights.items() if name.startswith("encoder.head.")])


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


@pytest.mark.parametrize("count", [2, 3])
def test_processes_give_the_evaluation_of_one(
    count: int, tmp_path: Path, softhash: Softhash, quick: list[str], untrained: Path
) -> None:
    softhash(tmp_path, "train", *quick, *UNTRAINED, *processes(count, 24))
    results = [json.loads((run / "metrics.json").read_text()) for run in (untrained, only_run(tmp_path))]

    for result in results:
        del result["overrides"]  # which say with how many processes
    assert results[0] == results[1]


def test_one_two_and_three_processes_have_the_same_gradient(
    tmp_path: Path, softhash: Softhash, quick: list[str], untrained: Path
) -> None:
    # one step of plain gradient descent at rate 1; a trained backbone would normalise by the batch of its own process
    rest = [override for override in UNTRAINED if not override.startswith("epochs")]
    step = [*quick, *rest, "trainer.limit_train_batches=1", "optimizer=sgd", "optimizer.lr=1.0"]
    before, gradients = head(untrained), []
    for count in (1, 2, 3):
        (tmp_path / str(count)).mkdir()
        softhash(tmp_path / str(count), "train", *step, *processes(count, 24))
        gradients.append(before - head(only_run(tmp_path / str(count))))

    assert gradients[0].abs().max() > 1e-3
    for gradient in gradients[1:]:
        torch.testing.assert_close(gradient, gradients[0], rtol=1e-6, atol=1e-6)
