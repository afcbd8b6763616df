import subprocess
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]
Start = Callable[..., BaseProcess]
GRID = ("-m", "seed=0,1", "method=idhn,lsh")


def ended(process: BaseProcess) -> int | None:
    """Exit code of a process when it has ended; None if it does not."""
    process.join(300)
    return process.exitcode


def pages(folder: Path) -> dict[Path, int]:
    """When the page of each finished run was written."""
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.glob("runs/**/index.html")}


def codes(folder: Path) -> dict[str, bytes]:
    """All codes below a folder, by file and array."""
    found = {}
    for path in sorted(folder.glob("runs/**/codes/*.npz")):
        with np.load(path) as arrays:
            found |= {f"{path.relative_to(folder)} {name}": arrays[name].tobytes() for name in arrays.files}
    return found


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
    assert "4 of 4 done" in result.stderr
    assert "idhn" in result.stdout
    assert "dhn" in result.stdout


def test_the_same_command_runs_what_is_not_done_and_nothing_else(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    softhash(tmp_path, "train", "-m", *quick, "seed=0,1")
    before = pages(tmp_path)

    result = softhash(tmp_path, "train", "-m", *quick, "seed=0,1,2")

    after = pages(tmp_path)
    assert "Sweep: 2 of 3 done" in result.stderr
    assert len(after) == 3
    assert before.items() <= after.items()


def test_another_experiment_and_a_single_run_begin_afresh(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    softhash(tmp_path, "train", "-m", *quick, "seed=0")
    softhash(tmp_path, "train", "-m", *quick, "seed=0", "experiment_name=again")
    softhash(tmp_path, "train", *quick, "seed=0")

    assert len(pages(tmp_path)) == 3


def test_a_failed_job_is_named_and_the_others_go_on(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    result = softhash(tmp_path, "train", "-m", *quick, "optimizer.lr=0.001,inf,0.002", code=1)

    assert "optimizer.lr=inf failed: the loss is not finite" in result.stderr
    assert "2 of 3 done, 1 failed" in result.stderr
    assert "Traceback" not in result.stderr
    assert len(pages(tmp_path)) == 2
    (error,) = tmp_path.glob("runs/**/error.txt")
    assert "the loss is not finite" in error.read_text()


def test_a_key_that_does_not_exist_is_refused_before_the_first_job(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(
        "# @package _global_\nhydra: {sweeper: {params: {loss.betta: '1,2'}}}\n"
    )

    result = softhash(tmp_path, "train", "-m", *quick, "+sweeps=mine", code=1)

    assert "loss.betta: no such option or key. Did you mean loss.beta" in result.stderr
    assert not list(tmp_path.glob("runs/**/run.json"))


def test_a_run_of_another_version_is_named_and_the_others_go_on(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    softhash(tmp_path, "train", "-m", *quick, "seed=0")
    (record,) = tmp_path.glob("runs/**/run.json")
    record.write_text(record.read_text().replace('"format": 2', '"format": 1'))
    stale = record.read_text()

    result = softhash(tmp_path, "train", "-m", *quick, "seed=0,1", code=1)

    assert "has the format 1" in result.stderr
    assert "experiment_name=NAME trains it anew" in result.stderr
    assert record.read_text() == stale
    assert "1 of 2 done, 1 failed" in result.stderr


def test_a_job_that_was_gone_on_with_by_hand_is_not_taken_for_what_it_was(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    softhash(tmp_path, "train", "-m", *quick, "seed=0")
    (page,) = tmp_path.glob("runs/**/index.html")
    softhash(tmp_path, "train", f"run={page.parent}", "epochs=2")

    result = softhash(tmp_path, "train", "-m", *quick, "seed=0", code=1)

    assert "epochs=2, not 1" in result.stderr


def test_a_sweep_started_twice_at_once_runs_each_job_once(tmp_path: Path, start: Start, quick: list[str]) -> None:
    both = [start(tmp_path, "train", *GRID, *quick) for _ in range(2)]

    codes = [ended(process) for process in both]

    assert len(pages(tmp_path)) == 4
    assert len(list(tmp_path.glob("runs/**/metrics/version_*"))) == 4  # a second start would have a log of its own
    assert 0 in codes  # that of the one which ends last


@pytest.mark.parametrize(
    "launcher", [[], ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]], ids=["basic", "joblib"]
)
def test_a_killed_sweep_goes_on_and_ends_like_one_that_was_not(
    tmp_path: Path, start: Start, quick: list[str], launcher: list[str]
) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    alone.mkdir()
    killed.mkdir()
    sweep = ["train", *GRID, *quick, "epochs=2", *launcher]
    fresh = bool(launcher)
    assert ended(start(alone, *sweep, fresh=fresh)) == 0

    process = start(killed, *sweep, fresh=fresh)
    end = time.monotonic() + 300
    while not list(killed.glob("runs/**/last.ckpt")) and time.monotonic() < end and process.is_alive():
        time.sleep(0.001)
    process.kill()
    process.join()
    before = pages(killed)
    while (
        ended(start(killed, *sweep, fresh=fresh)) and time.monotonic() < end
    ):  # a worker of the killed one may still let go
        pass

    assert codes(killed) == codes(alone)
    assert before.items() <= pages(killed).items()
    assert len(pages(killed)) == 4


def test_a_multirun_of_several_processes_is_refused_with_the_way_out(
    tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    result = softhash(tmp_path, "train", "-m", *quick, "trainer=ddp", "trainer.accelerator=cpu", "seed=0,1", code=1)

    assert "would start the whole sweep once per device" in result.stderr
    assert "trainer.devices=1" in result.stderr


def test_each_job_has_its_own_wandb_run(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    softhash(tmp_path, "train", "-m", *quick, "logger=wandb", "seed=0,1")

    assert len(list(tmp_path.glob("runs/**/wandb/offline-run-*/*.wandb"))) == 2
