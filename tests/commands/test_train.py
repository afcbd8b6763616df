import csv
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from softhash.runs.folder import Run

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


def only_run(folder: Path) -> Path:
    (found,) = folder.glob("runs/**/run.json")
    return found.parent


def test_a_run_folder_holds_everything_that_was_promised(trained: Path) -> None:
    expected = {
        "config.yaml",
        "run.json",
        "metrics.json",
        "per_query.npz",
        "codes/idhn.npz",
        "codes/lsh.npz",
        "codes/random.npz",
        "codes/labels.npz",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
        "metrics/version_0/metrics.csv",
        "gallery.npz",
        "worst.npz",
        "figures/breakdown.csv",
        "index.html",
        ".hydra/overrides.yaml",
    }

    assert {name for name in expected if not (trained / name).is_file()} == set()
    assert list(trained.glob("figures/*.png"))


def contents(folder: Path) -> dict[str, bytes]:
    """All files of a run."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_methods_are_the_own_one_lsh_and_chance(trained: Path) -> None:
    methods = json.loads((trained / "metrics.json").read_text())["methods"]

    assert list(methods) == ["idhn", "lsh", "random"]
    for scores in methods.values():
        for value in scores.values():
            assert value["worst"] <= value["expected"] <= value["best"]


def test_a_run_says_where_it_came_from(trained: Path) -> None:
    run = json.loads((trained / "run.json").read_text())

    assert run["identity"]["protocol"]["counts"] == {
        "train": 128,
        "validation": 64,
        "query": 32,
        "database": 160,
    }
    assert len(run["identity"]["protocol"]["checksum"]) == 64
    assert {"torch", "pytorch-lightning", "softhash"} <= run["versions"].keys()
    assert run["format"] == 2
    assert set(run["seconds"]) == {"training", "encoding"}


def test_checkpoints_load_without_running_code(trained: Path) -> None:
    checkpoint = torch.load(trained / "checkpoints" / "best.ckpt", weights_only=True)

    assert checkpoint["softhash"]["bits"] == 8


def test_the_same_seed_twice_gives_the_same_codes(
    trained: Path, tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    softhash(tmp_path, "train", *quick, "cache_dir=cache")

    again = only_run(tmp_path)
    for method in ("idhn", "lsh", "random"):
        with (
            np.load(trained / "codes" / f"{method}.npz") as first,
            np.load(again / "codes" / f"{method}.npz") as second,
        ):
            np.testing.assert_array_equal(first["query"], second["query"])
            np.testing.assert_array_equal(first["database"], second["database"])


@pytest.mark.parametrize("method", ["dpsh", "hashnet", "csq"])
def test_a_resumed_run_ends_where_an_uninterrupted_one_does(
    method: str, tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    # A constant learning rate: the length of the run, which a schedule depends on, is not that of the half run.
    common = [*quick, f"method={method}", "scheduler=constant", "head.dropout=0.3", "augment=shift"]
    (tmp_path / "whole").mkdir()
    (tmp_path / "halves").mkdir()
    softhash(tmp_path / "whole", "train", *common, "epochs=2")
    softhash(tmp_path / "halves", "train", *common, "epochs=1")
    half = only_run(tmp_path / "halves")

    softhash(tmp_path / "halves", "train", f"run={half}", "epochs=2")

    assert only_run(tmp_path / "halves") == half
    whole = torch.load(only_run(tmp_path / "whole") / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    resumed = torch.load(half / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert whole.keys() == resumed.keys()
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["bits=16"], "its bits is 8, not 16"),
        (["top_k=161"], "mAP@161 needs a database of at least 161 items"),  # seen late, when the run has been composed
        (["metric=[map]"], "monitor=validation/mAP is not computed"),
        (["baselines=[dpsh]"], "baselines=dpsh: this method is trained by gradient"),
    ],
)
def test_a_refused_resumption_changes_nothing_in_the_folder(
    overrides: list[str], named: str, trained: Path, tmp_path: Path, softhash: Softhash
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)

    result = softhash(tmp_path, "train", f"run={copy}", *overrides, "epochs=2", code=1)

    assert named in result.stderr
    assert contents(copy) == contents(trained)


def test_a_folder_that_has_a_run_is_not_taken_by_another(
    trained: Path, tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)

    result = softhash(tmp_path, "train", *quick, f"hydra.run.dir={copy}", code=1)

    assert f"{copy} has a run already.\n  Go on with it by run={copy}" in result.stderr
    assert contents(copy) == contents(trained)


def read_scores(folder: Path) -> list[torch.Tensor]:
    """What the checkpoints were selected by, epoch after epoch."""
    return [torch.tensor(value, dtype=torch.float32) for value in Run(folder).log()["validation/mAP"].values]


def test_a_moved_run_goes_on_with_its_own_files_and_forgets_what_was_measured_before(
    trained: Path, tmp_path: Path, softhash: Softhash
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(trained, moved)
    before = (trained / "checkpoints" / "best.ckpt").read_bytes()
    softhash(tmp_path, "evaluate", f"run={moved}", "metric=[map]", "top_k=20")

    softhash(tmp_path, "train", f"run={moved}", "epochs=2")

    callbacks = torch.load(moved / "checkpoints" / "last.ckpt", weights_only=True)["callbacks"]
    (best,) = (state for key, state in callbacks.items() if "RunCheckpoint" in key and state["monitor"])
    assert best["best_model_path"] == str(moved / "checkpoints" / "best.ckpt")
    assert best["best_model_score"] == max(read_scores(moved))  # of both epochs, not of the second alone
    assert "mAP@20" not in json.loads((moved / "metrics.json").read_text())["methods"]["idhn"]
    assert not any("mAP@20" in name for name in np.load(moved / "per_query.npz").files)
    assert (trained / "checkpoints" / "best.ckpt").read_bytes() == before


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_again(
    trained: Path, tmp_path: Path, softhash: Softhash
) -> None:
    killed = tmp_path / "killed"
    (killed / "codes").mkdir(parents=True)
    shutil.copytree(trained / ".hydra", killed / ".hydra")
    for name in ("run.json", "config.yaml", "codes/labels.npz"):
        shutil.copy(trained / name, killed / name)

    softhash(tmp_path, "train", f"run={killed}")

    result, expected = (json.loads((folder / "metrics.json").read_text()) for folder in (killed, trained))
    assert result["methods"] == expected["methods"]


def test_a_damaged_last_checkpoint_is_named_and_the_best_one_offered(
    trained: Path, tmp_path: Path, softhash: Softhash
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "checkpoints" / "last.ckpt").write_bytes(b"")

    result = softhash(tmp_path, "train", f"run={copy}", "epochs=2", code=1)

    assert "last.ckpt is damaged" in result.stderr
    assert "Copy" in result.stderr
    assert "best.ckpt over it" in result.stderr


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(
    trained: Path, tmp_path: Path, softhash: Softhash
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    before = (copy / "checkpoints" / "best.ckpt").read_bytes()
    config = copy / "config.yaml"
    config.write_text(config.read_text().replace("gamma: 0.1", "gamma: .inf"))  # as if it had been so from the start

    with (copy / ".hydra" / "overrides.yaml").open("a") as overrides:
        overrides.write("- loss.gamma=inf\n")  # which a resume could not set

    result = softhash(tmp_path, "train", f"run={copy}", "epochs=2", code=1)

    assert "not finite at step 2 (epoch 1)" in result.stderr
    assert "pair" in result.stderr
    assert (copy / "checkpoints" / "best.ckpt").read_bytes() == before


def test_a_shallow_method_is_used_like_a_deep_one(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    softhash(tmp_path, "train", *[o for o in quick if not o.startswith("epochs")], "method=lsh")

    run = only_run(tmp_path)
    assert list(json.loads((run / "metrics.json").read_text())["methods"]) == ["lsh", "random"]
    assert "LSH (before training)" not in (run / "index.html").read_text()
    assert torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["softhash"]["method"] == "lsh"
    with (run / "metrics" / "version_0" / "metrics.csv").open() as file:
        measured = [row["validation/mAP"] for row in csv.DictReader(file) if row.get("validation/mAP")]
    assert len(measured) == 1
    assert 0.3 < float(measured[0]) < 1  # random codes: about 0.4


def test_baselines_are_chosen_and_none_is_possible(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    softhash(tmp_path, "train", *quick, "baselines=null", "experiment_name='exp[v2][red]x'")

    run = only_run(tmp_path)
    assert list(json.loads((run / "metrics.json").read_text())["methods"]) == ["idhn", "random"]
    assert not (run / "codes" / "lsh.npz").exists()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["bits=0"], "bits must be at least 1"),
        (["batch_size=1"], "batch_size"),
        (["top_k=161"], "mAP@161 needs a database of at least 161 items, this one has 160"),
        (["data=mirflickr25k", "data.root=nowhere"], "nowhere"),
        (["backbone=alexnet", "backbone.weights=null"], "does not take images of 16 x 16 pixels"),
    ],
)
def test_bad_input_is_refused_before_training_in_one_message(
    overrides: list[str], message: str, tmp_path: Path, softhash: Softhash, quick: list[str]
) -> None:
    counts = [o for o in quick if o.startswith("data.")]
    kept = [o for o in quick if o not in counts] if overrides[0].startswith("data=") else quick

    result = softhash(tmp_path, "train", *kept, *overrides, code=1)

    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("runs/**/checkpoints"))


def test_a_run_folder_that_cannot_be_made_is_named(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    (tmp_path / "runs").write_text("a file where folders should be")

    result = softhash(tmp_path, "train", *quick, code=1)

    assert "runs/default/digits/idhn/8" in result.stderr
    assert "Not a directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_two_augmented_views_are_drawn_from_cached_features(
    softhash: Softhash, quick: list[str], tmp_path: Path
) -> None:
    views = ["method=cibhash", "augment=shift", "backbone.frozen=true", "cached_views=2", f"cache_dir={tmp_path}/cache"]

    softhash(tmp_path, "train", *quick, *views)

    sizes = sorted(path.stat().st_size for path in tmp_path.glob("cache/features/*/rows.bin"))
    images = {"train": 128, "validation": 64, "query": 32, "database": 160}
    row = sizes[0] / sum(images.values())
    assert sizes[1] == row * 2 * (images["train"] + images["validation"])
    assert only_run(tmp_path).joinpath("metrics.json").is_file()
