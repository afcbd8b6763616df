from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from softhash.config import check_overrides, groups, root


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


def test_help_lists_our_groups_and_the_projects_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("conf/method/mine.yaml", ".venv/lib/other/conf/thing.yaml"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("loss: {}\n")
    monkeypatch.chdir(tmp_path)

    listed = dict(line.split(": ", 1) for line in groups().splitlines())

    assert {"mine", "idhn", "dpsh"} <= set(listed["method"].split(", "))
    assert listed["trainer"] == "cpu, ddp, gpu"
    assert "code_length" in listed["+sweeps"]
    assert not [name for name in listed if "venv" in name or name.startswith("hydra")]
