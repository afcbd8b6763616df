"""A training that is killed with -9, whenever that may be, ends in the result of one that was left alone."""

import signal
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
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


def test_a_run_killed_while_it_writes_a_checkpoint_ends_like_one_that_was_not(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    def train(folder: Path, *arguments: str) -> BaseProcess:
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        return start(folder, "train", *arguments, f"hydra.run.dir={folder / 'run'}", TMPDIR=str(folder / "tmp"))

    alone, killed = tmp_path / "alone", tmp_path / "killed"
    undisturbed, process = train(alone, *QUICK), train(killed, *QUICK)
    end = time.monotonic() + 120
    while not list(killed.glob("run/checkpoints/.*.ckpt.*")) and time.monotonic() < end and process.is_alive():
        time.sleep(0.0005)
    process.kill()
    process.join()
    resumed = train(killed, f"run={killed / 'run'}")
    resumed.join(120)
    undisturbed.join(120)

    assert process.exitcode == -signal.SIGKILL
    assert resumed.exitcode == 0
    assert undisturbed.exitcode == 0

    for path in (alone / "run" / "codes").glob("*.npz"):
        with np.load(path) as one, np.load(killed / "run" / "codes" / path.name) as other:
            assert all(np.array_equal(one[name], other[name]) for name in one.files)
    assert (killed / "run" / "per_query.npz").read_bytes() == (alone / "run" / "per_query.npz").read_bytes()
    assert [path.name for path in killed.rglob(".*") if path.name not in {".hydra", ".lock"}] == []
    assert list((killed / "tmp").iterdir()) == []
