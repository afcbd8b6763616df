from pathlib import Path
from typing import Any

import pytest
import torch

from softhash.callbacks.checkpoints import AtomicCheckpointIO, RunCheckpoint


def test_a_checkpoint_is_written_into_its_own_folder_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))

    AtomicCheckpointIO().save_checkpoint({"a": torch.ones(2)}, tmp_path / "checkpoints" / "last.ckpt")

    assert [path.name for path in tmp_path.rglob("*.ckpt")] == ["last.ckpt"]
    loaded = AtomicCheckpointIO().load_checkpoint(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert torch.equal(loaded["a"], torch.ones(2))


def test_the_checkpoint_before_stays_whole_until_the_new_one_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def full_disk(_: Any, file: Path) -> None:
        file.write_bytes(b"half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match=r"cannot write .*last.ckpt: No space left.* untouched"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)

    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_a_moved_run_still_knows_its_best_epoch(tmp_path: Path) -> None:
    here = str(tmp_path / "here" / "checkpoints")
    there = "/another/machine/checkpoints"
    score = torch.tensor(0.75)
    state = {
        "monitor": "validation/mAP",
        "best_model_score": score,
        "best_model_path": f"{there}/best.ckpt",
        "current_score": torch.tensor(0.5),
        "dirpath": there,
        "best_k_models": {f"{there}/best.ckpt": score},
        "kth_best_model_path": f"{there}/best.ckpt",
        "kth_value": score,
        "last_model_path": "",
    }
    callback = RunCheckpoint(dirpath=here, filename="best", monitor="validation/mAP", mode="max")

    callback.load_state_dict(state)

    assert callback.best_model_score == score
    assert callback.best_model_path == f"{here}/best.ckpt"
    assert callback.best_k_models == {f"{here}/best.ckpt": score}
    assert callback.last_model_path == ""
