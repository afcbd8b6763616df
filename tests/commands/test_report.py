import csv
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
Softhash = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_report_of_a_trained_run_holds_its_numbers_and_names_what_is_left_out(
    trained: Path, tmp_path: Path, softhash: Softhash
) -> None:
    shutil.copytree(trained, tmp_path / "runs" / "one")
    begun = tmp_path / "runs" / "begun"
    (begun / "checkpoints").mkdir(parents=True)

    result = softhash(tmp_path, "report", "metrics=[map]", "+names.idhn=IDHN")

    assert "Left out runs/begun: runs/begun is not the folder of a run: it has no run.json" in result.stdout
    assert "1 runs, 1 left out" in result.stdout
    assert sorted(path.name for path in (tmp_path / "study").iterdir()) == [
        "document.tex", "figures", "index.html", "ranks.csv", "results.md", "results_long.csv", "results_wide.csv",
        "tables.tex", "tests.csv",
    ]  # fmt: skip
    with (tmp_path / "study" / "results_long.csv").open(newline="") as lines:
        assert {line["method"] for line in csv.DictReader(lines)} == {"IDHN", "LSH (before training)", "chance"}
    assert 'href="../runs/one/index.html"' in (tmp_path / "study" / "index.html").read_text()


def test_a_mistake_is_one_message_and_writes_nothing(trained: Path, tmp_path: Path, softhash: Softhash) -> None:
    result = softhash(tmp_path, "report", f"runs={trained}", "reference=csq", code=1)

    assert "reference=csq: the runs have no such method. They have" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "study").exists()
