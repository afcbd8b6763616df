import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from softhash.config import fingerprint, groups, root


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


def test_the_project_that_softhash_is_run_in_adds_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sweeps").mkdir()
    for name, bits in (("mine", "8,12"), ("code_length", "1")):
        text = f'# @package _global_\nhydra: {{sweeper: {{params: {{bits: "{bits}"}}}}}}\n'
        (tmp_path / "sweeps" / f"{name}.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)

    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        mine, ours = (
            compose("train", [f"+sweeps={name}"], return_hydra_config=True) for name in ("mine", "code_length")
        )

    assert mine.hydra.sweeper.params.bits == "8,12"
    assert ours.hydra.sweeper.params.bits == "16,32,64"  # a file of theirs shadows none of ours
    assert {"mine", "methods"} <= set(
        dict(line.split(": ", 1) for line in groups().splitlines())["+sweeps"].split(", ")
    )


@pytest.mark.parametrize("place", ["a project", "the checkout"])
def test_no_search_path_holds_anything_but_configs(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("conf/method", "sweeps", ".venv/lib", "runs/default", "data/photos"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path if place == "a project" else root())

    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        sources = GlobalHydra.instance().config_loader().get_sources()
    local = [source.path for source in sources if source.scheme() in {"file", "sweeps"}]

    folders = [root() / "conf", root() / "sweeps"]
    if place == "a project":
        folders += [tmp_path / "conf", tmp_path / "sweeps"]
    assert local == [str(folder) for folder in folders]


def test_help_reads_no_folder_beside_the_configs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("conf/method", "sweeps/wandb", ".venv/lib/python", "runs/default"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    read: set[Path] = set()
    for module, name in ((os, "listdir"), (os, "scandir")):
        function = getattr(module, name)
        monkeypatch.setattr(module, name, partial(_noting, read, function))

    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        listed = hydra.list_all_config_groups()
        groups()

    assert "method" in listed
    assert "sweeps" in listed
    allowed = [base / name for base in (root(), tmp_path) for name in ("conf", "sweeps")]
    assert read
    assert [path for path in read if not any(path.is_relative_to(folder) for folder in allowed)] == []
    assert tmp_path / "sweeps" / "wandb" not in read


def _noting(read: set[Path], function: Callable[[Any], Any], folder: str | Path = ".") -> Any:
    path = Path(folder).resolve()
    if "site-packages" not in path.parts:  # Hydra's own configs
        read.add(path)
    return function(folder)


def test_help_lists_our_groups_and_the_projects_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("conf/method/mine.yaml", ".venv/lib/other/conf/thing.yaml"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("loss: {}\n")
    monkeypatch.chdir(tmp_path)

    listed = dict(line.split(": ", 1) for line in groups().splitlines())

    assert {"mine", "idhn", "dpsh"} <= set(listed["method"].split(", "))
    assert listed["trainer"] == "cpu, ddp, ddp_gpu, gpu"
    assert "code_length" in listed["+sweeps"]
    assert not [name for name in listed if "venv" in name or name.startswith("hydra")]


def test_runs_of_the_same_second_have_folders_of_their_own() -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        first, second = (compose("train").started for _ in range(2))

    assert re.fullmatch(r"\d{8}-\d{6}-\d{6}", first)
    assert first < second


def test_a_fingerprint_tells_what_could_change_a_result_and_nothing_else() -> None:
    def of(*overrides: str) -> str:
        return fingerprint(_root_=compose("train", list(overrides)))

    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        same = {of(), of("experiment_name=other"), of("num_workers=3"), of("logger=csv"), of("cache_dir=/elsewhere")}
        others = [
            of("epochs=3"),
            of("loss.beta=2"),
            of("trainer.gradient_clip_val=1.0"),
            of("metric=[map]"),
            of("seed=1"),
        ]

    assert len(same) == 1
    assert len({*same, *others}) == 6


def test_a_value_in_braces_changes_what_it_names_and_leaves_the_rest() -> None:
    with initialize_config_dir(str(root() / "conf"), version_base="1.3"):
        loss = compose("train", ["method=idhn", "loss={beta:2.0}"]).loss

    assert (loss.beta, loss.gamma, loss.quantization_weight) == (2.0, 0.1, 0.1)
