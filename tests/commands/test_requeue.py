"""A job that Slurm ends and starts again, with a stand-in for Slurm: this runs where Slurm is not installed."""

import os
import runpy
import shutil
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import torch

pytestmark = pytest.mark.slow
TOOLS = Path(__file__).parents[1] / "slurm"
COUNTS = ("data.num_train=128", "data.num_validation=64", "data.num_query=32", "data.num_database=160")
QUICK = ("logger=csv", "bits=8", "epochs=3", "batch_size=8", "top_k=50", "metric=[map_all]", *COUNTS)
RANDOM = ("augment=shift", "head.dropout=0.2")
JOB = {"JOB_ID": "7", "JOB_NAME": "mine", "NTASKS": "1", "PROCID": "0", "LOCALID": "0", "NODEID": "0"}
WAITS = "+callbacks.waits._target_=interruptible.WaitForSignal"

wait_for = runpy.run_path(str(TOOLS / "cluster.py"))["wait_for"]


def test_a_requeued_job_goes_on_within_its_epoch_like_an_undisturbed_run_with_other_loading_processes(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    def train(folder: Path, *arguments: str, **variables: str) -> BaseProcess:
        where = f"hydra.run.dir={folder / 'run'}"
        stderr = {2: folder / "stderr.txt"}
        return start(folder, "train", *QUICK, *RANDOM, *arguments, where, outputs=stderr, **variables)

    def ended(process: BaseProcess) -> int | None:
        process.join(600)
        return process.exitcode

    alone, job = tmp_path / "alone", tmp_path / "job"
    for folder in (alone, job, tmp_path / "bin"):
        folder.mkdir()
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls.txt\necho JobState=RUNNING\n')
    scontrol.chmod(0o755)
    shutil.copy(TOOLS / "interruptible.py", job)
    slurm = {f"SLURM_{name}": value for name, value in JOB.items()}
    slurm["PATH"] = f"{scontrol.parent}:{os.environ['PATH']}"

    undisturbed = train(alone)
    process = train(job, "num_workers=2", WAITS, **slurm)
    wait_for(lambda: (job / "waits").exists() or not process.is_alive(), 600, "the training to wait")
    os.kill(process.pid, signal.SIGUSR1)
    assert ended(process) == 143, (job / "stderr.txt").read_text()
    assert (tmp_path / "calls.txt").read_text().split("\n")[-2] == "requeue 7"
    within_epoch = torch.load(job / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert within_epoch["global_step"] == 16 + 6
    again = train(job, "num_workers=2", WAITS, **slurm, SLURM_RESTART_COUNT="1")
    assert ended(again) == 0, (job / "stderr.txt").read_text()
    assert ended(undisturbed) == 0

    one, other = alone / "run", job / "run"
    for path in (one / "codes").glob("*.npz"):
        with np.load(path) as codes, np.load(other / "codes" / path.name) as resumed:
            assert all(np.array_equal(codes[name], resumed[name]) for name in codes.files)
    assert (one / "per_query.npz").read_bytes() == (other / "per_query.npz").read_bytes()
    first, second = (torch.load(run / "checkpoints" / "last.ckpt", weights_only=True) for run in (one, other))
    assert first["global_step"] == second["global_step"] == 3 * 16
    assert all(torch.equal(value, second["state_dict"][name]) for name, value in first["state_dict"].items())
