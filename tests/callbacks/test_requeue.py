import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from softhash.callbacks.requeue import RequeueOnSignal
from softhash.slurm import SlurmJob, is_requeued

BOTH = (signal.SIGUSR1, signal.SIGTERM)
hasher: Any = None
batch: Any = None


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Handlers are as they were after each test."""
    before = {number: signal.getsignal(number) for number in BOTH}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``scontrol`` was asked to do, in a job of an array that runs."""
    told = tmp_path / "calls.txt"
    stand_in = tmp_path / "bin" / "scontrol"
    stand_in.parent.mkdir()
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> {told}\necho "JobId=13 JobState=${{STATE:-RUNNING}} Requeue=1"\n')
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:/usr/bin:/bin")
    job = {"JOB_ID": "13", "ARRAY_JOB_ID": "12", "ARRAY_TASK_ID": "3", "PROCID": "0", "JOB_NAME": "sweep"}
    for name, value in job.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    return told


def listening(tmp_path: Path, **changes: Any) -> RequeueOnSignal:
    callback = RequeueOnSignal(str(tmp_path / "run"), **changes)
    callback.listen()
    return callback


def trainer(**changes: Any) -> Any:
    """One process in the middle of an epoch, which remembers the checkpoints it was asked for."""
    saved: list[Path] = []
    strategy = SimpleNamespace(reduce_boolean_decision=lambda decision, **_: decision, barrier=lambda: None)
    common = {"strategy": strategy, "accumulate_grad_batches": 1, "is_last_batch": False, "current_epoch": 1}
    return SimpleNamespace(**(common | changes), world_size=1, global_rank=0, save_checkpoint=saved.append, saved=saved)


@pytest.mark.parametrize("number", BOTH)
def test_a_signal_saves_at_the_end_of_the_batch_and_requeues_the_job(
    number: signal.Signals, calls: Path, tmp_path: Path
) -> None:
    callback, training = listening(tmp_path), trainer()
    callback.setup(training, hasher, "fit")

    callback.on_train_batch_end(training, hasher, None, batch, 0)
    signal.raise_signal(number)
    assert training.saved == []  # the handler only sets a flag
    with pytest.raises(SystemExit) as end:
        callback.on_train_batch_end(training, hasher, None, batch, 1)

    assert end.value.code == 143
    assert training.saved == [tmp_path / "run" / "checkpoints" / "last.ckpt"]
    assert calls.read_text().splitlines() == ["show job --oneliner 12_3", "requeue 12_3"]


def test_a_job_that_is_being_cancelled_does_not_come_back(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE", "COMPLETING")
    callback, training = listening(tmp_path), trainer()
    callback.setup(training, hasher, "fit")
    signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit) as end:
        callback.on_train_batch_end(training, hasher, None, batch, 0)

    assert end.value.code == 143
    assert len(training.saved) == 1
    assert "requeue" not in calls.read_text()


def test_a_job_that_was_requeued_often_enough_ends(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "5")
    callback, training = listening(tmp_path, max_requeues=5), trainer()
    callback.setup(training, hasher, "fit")
    signal.raise_signal(signal.SIGUSR1)

    with pytest.raises(SystemExit) as end:
        callback.on_train_batch_end(training, hasher, None, batch, 0)

    assert end.value.code == 143
    assert not calls.exists()
    assert is_requeued()


def test_nothing_is_saved_between_accumulated_batches_or_at_the_end_of_an_epoch(calls: Path, tmp_path: Path) -> None:
    callback, accumulates, ends = listening(tmp_path), trainer(accumulate_grad_batches=2), trainer(is_last_batch=True)
    callback.setup(accumulates, hasher, "fit")
    signal.raise_signal(signal.SIGUSR1)

    callback.on_train_batch_end(accumulates, hasher, None, batch, 0)
    callback.on_train_batch_end(ends, hasher, None, batch, 7)
    assert accumulates.saved == ends.saved == []
    with pytest.raises(SystemExit):  # the checkpoint of the whole epoch is there
        callback.on_train_epoch_start(ends, hasher)

    assert ends.saved == []
    assert "requeue 12_3" in calls.read_text()


def test_a_test_leaves_without_saving(calls: Path, tmp_path: Path) -> None:
    callback, testing = listening(tmp_path), trainer()
    callback.setup(testing, hasher, "test")
    callback.on_test_batch_start(testing, hasher, batch, 0)
    signal.raise_signal(signal.SIGUSR1)

    with pytest.raises(SystemExit):
        callback.on_test_batch_start(testing, hasher, batch, 1)

    assert testing.saved == []
    assert "requeue 12_3" in calls.read_text()


def test_before_and_after_training_the_job_is_requeued_at_once(calls: Path, tmp_path: Path) -> None:
    callback = listening(tmp_path)

    with pytest.raises(SystemExit) as end:
        signal.raise_signal(signal.SIGUSR1)

    signal.raise_signal(signal.SIGTERM)  # Slurm's own, while the process is on its way out
    assert end.value.code == 143
    assert calls.read_text().splitlines()[1:] == ["requeue 12_3"]
    assert callback.job is not None


def test_only_the_first_process_of_a_job_asks_slurm(
    calls: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_PROCID", "1")
    callback, training = listening(tmp_path), trainer()
    signal.raise_signal(signal.SIGUSR1)  # before training, where it waits for the first one
    callback.setup(training, hasher, "fit")

    with pytest.raises(SystemExit):
        callback.on_train_batch_end(training, hasher, None, batch, 0)

    assert not calls.exists()


@pytest.mark.parametrize("job_name", [None, "interactive", "bash"])
def test_outside_of_a_batch_job_signals_are_left_alone(
    job_name: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    if job_name is not None:
        monkeypatch.setenv("SLURM_JOB_ID", "13")
        monkeypatch.setenv("SLURM_JOB_NAME", job_name)
    before = [signal.getsignal(number) for number in BOTH]

    listening(tmp_path)

    assert [signal.getsignal(number) for number in BOTH] == before
    assert SlurmJob.current() is None


@pytest.mark.usefixtures("calls")
def test_generators_go_on_where_the_run_was_saved_within_an_epoch(tmp_path: Path) -> None:
    before, after, training = listening(tmp_path), RequeueOnSignal(str(tmp_path / "run")), trainer()
    checkpoint: dict[str, Any] = {}
    torch.manual_seed(3)

    def save(_: Path) -> None:
        before.on_save_checkpoint(training, hasher, checkpoint)

    training.save_checkpoint = save
    save(tmp_path)
    assert checkpoint == {}  # at the end of an epoch they are seeded anew
    before.setup(training, hasher, "fit")
    signal.raise_signal(signal.SIGUSR1)
    with pytest.raises(SystemExit):
        before.on_train_batch_end(training, hasher, None, batch, 0)
    expected = torch.rand(4)
    torch.save(checkpoint, tmp_path / "a.ckpt")

    after.on_load_checkpoint(training, hasher, torch.load(tmp_path / "a.ckpt", weights_only=True))
    torch.manual_seed(99)  # by the sampler
    after.on_train_batch_start(training, hasher, batch, 5)

    assert torch.equal(torch.rand(4), expected)
    torch.manual_seed(99)
    after.on_train_batch_start(training, hasher, batch, 6)
    assert not torch.equal(torch.rand(4), expected)  # once


def test_another_number_of_processes_cannot_go_on_within_an_epoch(tmp_path: Path) -> None:
    callback = RequeueOnSignal(str(tmp_path / "run"))

    with pytest.raises(ValueError, match="saved within an epoch by 2 processes, not 1; go on with as many"):
        callback.on_load_checkpoint(trainer(), hasher, {"softhash_generators": [{}, {}]})
