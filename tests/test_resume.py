from pathlib import Path

import pytest
import torch
import yaml

from softhash.resume import resumed


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Folder of a run of DHN that has trained 3 of 5 epochs."""
    folder = tmp_path / "run"
    for name in (".hydra", "checkpoints"):
        (folder / name).mkdir(parents=True)
    stored(folder, ["method=dhn", "bits=16", "epochs=5"])
    torch.save({"epoch": 2}, folder / "checkpoints" / "last.ckpt")
    return folder


def stored(folder: Path, overrides: list[str]) -> None:
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(overrides))


def test_a_resumed_run_keeps_its_overrides_and_its_folder(run: Path) -> None:
    assert resumed([f"run={run}", "epochs=8"]) == [
        *("method=dhn", "bits=16", "epochs=5"),
        *(f"hydra.run.dir={run}", "hydra.output_subdir=null"),
        *(f"run={run}", "epochs=8"),
    ]


def test_resuming_twice_does_not_repeat_the_folder(run: Path) -> None:
    stored(run, ["bits=16", f"hydra.run.dir='{run}'", "hydra.output_subdir=null", f"run={run}"])

    assert resumed([f"run={run}"]) == ["bits=16", f"hydra.run.dir={run}", "hydra.output_subdir=null", f"run={run}"]


def test_without_a_folder_nothing_is_resumed() -> None:
    assert resumed(["bits=16"]) == ["bits=16"]
    assert resumed(["bits=16", "run=null"]) == ["bits=16", "run=null"]


@pytest.mark.parametrize(
    "override",
    ["epochs=8", "epochs=3", "logger=csv", "num_workers=2", "metric=[map]", "trainer.log_every_n_steps=1", "bits=16"],
)
def test_what_does_not_change_the_model_may_differ(override: str, run: Path) -> None:
    assert resumed([f"run={run}", override])[-1] == override


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("bits=48", "its bits is 16, not 48"),
        ("method=csq", "its method is 'dhn', not 'csq'"),
        ("seed=1", "its seed is 0, not 1"),
        ("head.dropout=0.5", r"its head\.dropout is 0\.0, not 0\.5"),
        ("data.num_train=100", r"its data\.num_train is 4000, not 100"),
        ("optimizer.lr=1", r"its optimizer\.lr is 0\.001, not 1"),
        ("+loss.extra=1", r"its loss\.extra is None, not 1"),
        ("epochs=2", "it has trained 3 epochs, which is more than epochs=2"),
        ("bist=48", r"bist: no such option or key\. Did you mean bits"),
    ],
)
def test_a_resume_that_would_be_another_run_is_refused_and_changes_nothing(
    override: str, message: str, run: Path
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    with pytest.raises(ValueError, match=message):
        resumed([f"run={run}", override])

    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


CODE = [
    "+callbacks.x={_target_: joblib.load, filename: x.pkl}",
    "+callbacks.x._target_=joblib.load",
    "+callbacks.x='${oc.create:{a: 1}}'",
    "+callbacks.x='${oc.decode:${oc.env:X}}'",
    "+hydra.callbacks.x=1",
    "hydra/launcher=basic",
    "+method@hydra.callbacks.x=dhn",
    "++hydra.searchpath=[/tmp]",
    "method=../../../../tmp/evil",
    "metric=[map,../../evil]",
]


@pytest.mark.parametrize("override", CODE)
def test_overrides_of_a_folder_that_could_run_code_are_refused(override: str, run: Path) -> None:
    stored(run, ["method=dhn", override])

    with pytest.raises(ValueError, match="which can run any code"):
        resumed([f"run={run}"])


def test_what_could_run_code_is_taken_from_the_command_line(run: Path) -> None:
    mine = "+callbacks.x={_target_: mine.Callback}"
    stored(run, ["method=dhn", mine])

    assert resumed([f"run={run}", mine])[:2] == ["method=dhn", mine]


@pytest.mark.parametrize(
    "override",
    [
        "data.num_train=${data.num_query}",
        "cache_dir=/a/b",
        "monitor=a.b",
        "+data.root=../x",
        "experiment_name=${oc.env:HOME,x}",
    ],
)
def test_overrides_that_only_read_another_value_are_kept(override: str, run: Path) -> None:
    stored(run, [override])

    assert resumed([f"run={run}"])[0] == override


@pytest.mark.parametrize("text", ["{", "bits: 16", "\xff", "- bits=[8", "- bits"])
def test_a_damaged_list_of_overrides_is_named(text: str, run: Path) -> None:
    (run / ".hydra" / "overrides.yaml").write_text(text, encoding="latin-1")

    with pytest.raises(ValueError, match=r"overrides\.yaml"):
        resumed([f"run={run}"])
