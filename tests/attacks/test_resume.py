"""A training that is killed with -9, whenever that may be, ends in the result of one that was left alone."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
COMMAND = str(Path(sys.executable).parent / "softhash")
COUNTS = ("data.num_train=128", "data.num_validation=64", "data.num_query=32", "data.num_database=160")
QUICK = (
    "logger=csv",
    "bits=8",
    "epochs=2",
    "top_k=50",
    "metric=[map_all]",
    "augment=shift",
    "head.dropout=0.2",
    *COUNTS,
)


def start(folder: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(folder / "tmp")}
    command = [COMMAND, "train", *arguments, f"hydra.run.dir={folder / 'run'}"]
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def test_a_run_killed_while_it_writes_a_checkpoint_ends_like_one_that_was_not(tmp_path: Path) -> None:
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    undisturbed = start(alone, *QUICK)
    with start(killed, *QUICK) as process:
        end = time.monotonic() + 120
        while not list(killed.glob("run/checkpoints/.*.ckpt.*")) and time.monotonic() < end and process.poll() is None:
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)

    assert process.returncode == -signal.SIGKILL
    assert start(killed, f"run={killed / 'run'}").wait(120) == 0
    assert undisturbed.wait(120) == 0

    for path in (alone / "run" / "codes").glob("*.npz"):
        with np.load(path) as one, np.load(killed / "run" / "codes" / path.name) as other:
            assert all(np.array_equal(one[name], other[name]) for name in one.files)
    assert (killed / "run" / "per_query.npz").read_bytes() == (alone / "run" / "per_query.npz").read_bytes()
    assert [path.name for path in killed.rglob(".*") if path.name not in {".hydra", ".lock"}] == []
    assert list((killed / "tmp").iterdir()) == []
