import logging
from pathlib import Path
from typing import Any

import pytest
import wandb

from softhash.loggers.wandb import WandbLogger
from softhash.runs.folder import Run


class Experiment:
    """A run of Weights & Biases that remembers artifacts."""

    id = "abc"

    def __init__(self) -> None:
        self.artifacts: list[wandb.Artifact] = []

    def log_artifact(self, artifact: wandb.Artifact) -> None:
        self.artifacts.append(artifact)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """Modes in which a run was begun, of a service that cannot be reached."""
    modes: list[str | None] = []

    def init(*, mode: str | None = None, **_: Any) -> Experiment:
        modes.append(mode)
        if mode != "offline":
            msg = "nobody there\nand more"
            raise wandb.errors.CommError(msg)
        return Experiment()

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(WandbLogger, "_is_unreachable", False)
    monkeypatch.setattr(wandb, "run", None)
    monkeypatch.setenv("WANDB_MODE", "online")
    return modes


def logger(folder: Path, *, offline: bool = False, artifacts: bool = False) -> WandbLogger:
    return WandbLogger(save_dir=str(folder), project="softhash", offline=offline, artifacts=artifacts)


def test_a_run_that_cannot_be_sent_is_kept_with_one_warning(
    asked: list[str | None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = logger(tmp_path)

    with caplog.at_level(logging.WARNING):
        first, second = made.experiment, made.experiment
        assert logger(tmp_path).experiment is not first

    assert first is second
    assert asked == [None, "offline", "offline"]
    assert [record.getMessage() for record in caplog.records if record.name == "softhash.loggers.wandb"] == [
        "wandb: nobody there\n  The run goes on offline, in its folder; 'wandb login' stores a key, 'wandb sync' sends it."
    ]


@pytest.mark.usefixtures("asked")
def test_an_error_of_a_run_that_is_offline_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(wandb.Error, match="nobody there"):
        _ = logger(tmp_path, offline=True).experiment


@pytest.mark.parametrize("wanted", [True, False])
def test_codes_and_encoder_are_artifacts_on_request(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "staging"))
    run.write_config("bits: 8\n")
    run.best.parent.mkdir()
    run.best.write_bytes(b"weights")
    made = logger(tmp_path, offline=True, artifacts=wanted)
    made._experiment = experiment = Experiment()

    made.log_run(run)

    files = {(artifact.name, artifact.type): set(artifact.manifest.entries) for artifact in experiment.artifacts}
    about = {"config.yaml", "run.json"}
    both = {
        ("codes-abc", "codes"): about | {"codes/labels.npz", "codes/mine.npz", "codes/random.npz"},
        ("encoder-abc", "encoder"): about | {"checkpoints/best.ckpt"},
    }
    assert files == (both if wanted else {})
