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
    before = json.loads((copy / "metrics.json").read_text())["rows"]["idhn"]

    result = softhash(tmp_path, "evaluate", f"run={copy}", "metric=[map]", "top_k=20")

    after = json.loads((copy / "metrics.json").read_text())["rows"]["idhn"]
    assert set(after) - set(before) == {"mAP@20"}
    assert {name: after[name] for name in before} == before
    assert "mAP@20" in result.stdout


def test_a_cut_off_beyond_the_database_is_refused(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "evaluate", f"run={trained}", "top_k=161", code=1)

    assert "161" in result.stderr
    assert "160" in result.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "evaluate", f"run={tmp_path}", code=1)

    assert "is not the folder of a run: it has no config.yaml" in result.stderr
