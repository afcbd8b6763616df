import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


def test_each_job_has_its_run_folder_and_a_table_closes_the_sweep(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    result = softhash(tmp_path, "train", "-m", *quick, "method=idhn,dhn", "bits=8,12")

    runs = sorted(path.parent for path in tmp_path.glob("runs/default/digits/*/*/*/metrics.json"))
    assert [(path.parts[-3], path.parts[-2]) for path in runs] == [
        ("dhn", "12"),
        ("dhn", "8"),
        ("idhn", "12"),
        ("idhn", "8"),
    ]
    table = result.stdout[result.stdout.rindex("Open ") :]
    assert "idhn" in table
    assert "dhn" in table


def test_a_failed_job_is_named_and_the_others_go_on(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    result = softhash(tmp_path, "train", "-m", *quick, "optimizer.lr=inf,0.001", code=1)

    assert "optimizer.lr=inf failed: the loss is not finite" in result.stderr
    assert len(list(tmp_path.glob("runs/**/metrics.json"))) == 1
    assert "idhn" in result.stdout[result.stdout.rindex("Open ") :]


def test_a_multirun_of_several_processes_is_refused_with_the_way_out(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    result = softhash(tmp_path, "train", "-m", *quick, "trainer=ddp", "trainer.accelerator=cpu", "seed=0,1", code=1)

    assert "would start the whole sweep once per device" in result.stderr
    assert "trainer.devices=1" in result.stderr


def test_each_job_has_its_own_wandb_run(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    softhash(tmp_path, "train", "-m", *quick, "logger=wandb", "seed=0,1")

    assert len(list(tmp_path.glob("runs/**/wandb/offline-run-*/*.wandb"))) == 2
