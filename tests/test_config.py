from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from softhash.config import check_overrides, root


def test_the_project_that_softhash_is_run_in_adds_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "method").mkdir(parents=True)
    (tmp_path / "conf" / "method" / "mine.yaml").write_text("# @package _global_\nloss: {_target_: mine.Loss}\n")
    monkeypatch.chdir(tmp_path)

    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = compose("train", ["method=mine"])

    assert config.loss == {"_target_": "mine.Loss"}


def test_the_project_cannot_shadow_an_option_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "method").mkdir(parents=True)
    (tmp_path / "conf" / "method" / "idhn.yaml").write_text("# @package _global_\nloss: {_target_: mine.Loss}\n")
    monkeypatch.chdir(tmp_path)

    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = compose("train", ["method=idhn"])

    assert config.loss._target_ != "mine.Loss"


def test_a_sweep_file_of_ours_is_found() -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        config = compose("train", ["+sweeps=code_length"], return_hydra_config=True)

    assert config.hydra.sweeper.params.bits == "16,32,64"


def test_the_error_of_a_correct_command_is_none() -> None:
    check_overrides("train", ["method=dhn", "bits=16,32", "trainer=ddp", "trainer.devices=4"])
