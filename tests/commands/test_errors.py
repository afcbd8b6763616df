"""What a user sees where something goes wrong: one message, and an exit code that tells the truth."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
COMMAND = str(Path(sys.executable).parent / "softhash")
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_failed_run_says_why_once(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    result = softhash(tmp_path, "train", *quick, "optimizer.lr=inf", code=1)

    assert result.stderr.count("the loss is not finite") == 1
    assert "Error executing job" not in result.stderr


def test_a_failed_job_of_a_multirun_says_why_once(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    result = softhash(tmp_path, "train", "-m", *quick, "optimizer.lr=inf,0.001", code=1)

    assert result.stderr.count("the loss is not finite") == 1
    assert "1 of the jobs failed; see above." in result.stderr


@pytest.mark.parametrize(
    ("number", "mode", "code", "name"),
    [
        (signal.SIGTERM, [], 143, "SIGTERM"),
        (signal.SIGTERM, ["-m", "seed=0,1"], 143, "SIGTERM"),
        (signal.SIGINT, [], 130, "Ctrl-C"),
    ],
)
def test_a_signal_ends_a_training_with_its_exit_code_and_the_command_that_resumes_it(
    number: int,
    mode: list[str],
    code: int,
    name: str,
    tmp_path: Path,
    start: Callable[..., BaseProcess],
    quick: list[str],
) -> None:
    process = start(tmp_path, "train", *quick, "epochs=10000", *mode, outputs={2: tmp_path / "stderr"})
    end = time.monotonic() + 120
    while not list(tmp_path.glob("runs/**/last.ckpt")) and process.is_alive() and time.monotonic() < end:
        time.sleep(0.1)
    os.kill(process.pid, number)
    process.join(60)

    printed = (tmp_path / "stderr").read_text()
    (checkpoint,) = tmp_path.glob("runs/**/last.ckpt")
    assert process.exitcode == code
    assert f"stopped by {name}. Go on with: softhash train run={checkpoint.parent.parent}" in printed
    assert "Traceback" not in printed


def test_a_mistyped_resume_changes_nothing_in_a_finished_run(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)

    for override in ("bits=48", "method=dhn", "backbone.width=16", "bist=48"):
        softhash(tmp_path, "train", f"run={copy}", override, code=1)

    files = {path.relative_to(trained) for path in trained.rglob("*")}
    assert {path.relative_to(copy) for path in copy.rglob("*")} == files
    assert all((copy / name).read_bytes() == (trained / name).read_bytes() for name in files if (copy / name).is_file())


def test_modules_of_the_working_folder_shadow_no_installed_ones(tmp_path: Path, quick: list[str]) -> None:
    for name in ("secrets", "tqdm", "wandb"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('imported from the working folder')\n")

    subprocess.run([COMMAND, "train", *quick, "epochs=0"], cwd=tmp_path, check=True)


def test_wandb_without_a_key_goes_on_offline_and_says_so(
    tmp_path: Path, softhash: Softhash, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"HOME": str(tmp_path), "NETRC": str(tmp_path / "none"), "WANDB_API_KEY": ""}.items():
        monkeypatch.setenv(name, value)

    result = softhash(tmp_path, "train", *quick, "logger=wandb", "logger.wandb.offline=false", WANDB_MODE="online")

    assert result.stderr.count("The run goes on offline") == 1
    assert "'wandb login' stores a key" in result.stderr
    assert len(list(tmp_path.glob("runs/**/wandb/offline-run-*/*.wandb"))) == 1
    assert list(tmp_path.glob("runs/**/index.html"))


def test_wandb_without_network_is_asked_once_and_keeps_all_jobs_and_artifacts(
    tmp_path: Path, softhash: Softhash, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40, "WANDB_INIT_TIMEOUT": "3"}
    for name, value in (nobody | {"HOME": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    online = ["logger=wandb", "logger.wandb.offline=false", "logger.wandb.artifacts=true"]

    result = softhash(tmp_path, "train", "-m", *quick, *online, "seed=0,1", WANDB_MODE="online")

    assert result.stderr.count("The run goes on offline") == 1
    assert result.stderr.count("setting up run") == 1
    logs = list(tmp_path.glob("runs/**/wandb/offline-run-*/*.wandb"))
    assert len(logs) == 2
    assert all(b"codes-" in log.read_bytes() and b"encoder-" in log.read_bytes() for log in logs)
    assert len(list(tmp_path.glob("runs/**/index.html"))) == 2


def test_sigterm_to_one_of_two_processes_ends_both_with_one_message(tmp_path: Path, quick: list[str]) -> None:
    two = ["trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2"]
    command = [COMMAND, "train", *quick, "epochs=10000", *two]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        end = time.monotonic() + 120
        while not list(tmp_path.glob("runs/**/last.ckpt")) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        (worker,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(worker), signal.SIGTERM)
        _, printed = process.communicate(timeout=60)  # until both have closed it

    assert process.returncode == 143
    assert printed.count("stopped by SIGTERM. Go on with: softhash train run=") == 1
    assert "Traceback" not in printed
