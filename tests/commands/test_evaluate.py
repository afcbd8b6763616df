import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


def test_every_number_of_a_run_is_reproduced_exactly(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "metrics.json").unlink()
    (copy / "per_query.npz").unlink()

    softhash(tmp_path, "evaluate", f"run={copy}")

    assert json.loads((copy / "metrics.json").read_text()) == json.loads((trained / "metrics.json").read_text())
    with np.load(copy / "per_query.npz") as again, np.load(trained / "per_query.npz") as first:
        assert sorted(again) == sorted(first)
        for name in again:
            np.testing.assert_array_equal(again[name], first[name])


def test_a_measure_that_was_not_asked_for_is_added_to_the_others(
    trained: Path, tmp_path: Path, softhash: Softhash
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    before = json.loads((copy / "metrics.json").read_text())["methods"]["idhn"]

    result = softhash(tmp_path, "evaluate", f"run={copy}", "metric=[map]", "top_k=20")

    after = json.loads((copy / "metrics.json").read_text())["methods"]["idhn"]
    assert set(after) - set(before) == {"mAP@20"}
    assert {name: after[name] for name in before} == before
    assert "mAP@20" in result.stdout


def test_a_cut_off_beyond_the_database_is_refused(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "evaluate", f"run={trained}", "top_k=161", code=1)

    assert "161" in result.stderr
    assert "160" in result.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "evaluate", f"run={tmp_path}", code=1)

    assert "is not the folder of a run: it has no run.json" in result.stderr


def test_the_metrics_of_the_run_are_the_default(tmp_path: Path, softhash: Softhash, quick: list[str]) -> None:
    few = [option for option in quick if not option.startswith("top_k")]
    softhash(
        tmp_path,
        "train",
        *few,
        "metric=[map,recall]",
        "top_k=20",
        "metric.map.normalizer=possible",
        "monitor=validation/R@20",
    )
    (metrics,) = tmp_path.glob("runs/**/metrics.json")
    before = metrics.read_bytes()

    softhash(tmp_path, "evaluate", f"run={metrics.parent}")

    assert metrics.read_bytes() == before
    assert list(json.loads(before)["methods"]["idhn"]) == ["mAP(possible)@20", "R@20"]


def test_nothing_that_the_folder_says_is_executed(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    copy, touched = tmp_path / "copy", tmp_path / "touched"
    shutil.copytree(trained, copy)
    evil = {"_target_": "os.system", "command": f"touch {touched}"}
    run = json.loads((copy / "run.json").read_text())
    for name, value in (
        ("top_k", evil),
        ("top_k", f"{{_target_:os.system,command:'touch {touched}'}}"),
        ("metrics", [f"map],+x={{_target_:os.system,command:'touch {touched}'}}"]),
        ("metrics", [evil]),
    ):
        (copy / "run.json").write_text(json.dumps({**run, name: value}))
        assert "is damaged" in softhash(tmp_path, "evaluate", f"run={copy}", code=1).stderr
    overrides = ["metric.map._target_=os.system", f"metric.map.x={{_target_:os.system,command:'touch {touched}'}}"]
    (copy / "run.json").write_text(json.dumps({**run, "identity": {**run["identity"], "overrides": overrides}}))
    (copy / "config.yaml").write_text(f"top_k: {json.dumps(evil)}\nmetric: {json.dumps(evil)}\n")

    softhash(tmp_path, "evaluate", f"run={copy}")

    assert not touched.exists()


def test_the_table_of_a_read_only_run_is_shown(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    (copy / "per_query.npz").unlink()
    (copy / "per_query.npz").mkdir()  # what not even root can replace by a file

    result = softhash(tmp_path, "evaluate", f"run={copy}", code=1)

    assert "mAP@50" in result.stdout
    assert "cannot write" in result.stderr
    assert "per_query.npz" in result.stderr


def test_a_run_of_before_is_refused_by_name(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(trained, copy)
    run = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({"identity": run["identity"], "rows": ["idhn", "lsh", "random"]}))

    result = softhash(tmp_path, "evaluate", f"run={copy}", code=1)

    assert "run.json has the format none; this version of softhash reads 2" in result.stderr
