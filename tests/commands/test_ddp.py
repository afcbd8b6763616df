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
