import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from softhash.runs.folder import Run
from softhash.study.folders import find, read

WriteRun = Callable[..., Run]


def test_runs_are_found_below_folders_and_by_patterns_each_once(write_run: WriteRun, runs: str) -> None:
    run = write_run()
    write_run("dhn")

    assert len(find([runs])) == 2
    assert [one.folder for one in find([f"{runs}/*/idhn"])] == [run.folder]
    assert len(find([runs, f"{runs}/toy", str(run.folder)])) == 2


def test_a_run_that_was_stopped_before_it_wrote_anything_is_found(write_run: WriteRun, runs: str) -> None:
    write_run()
    begun = Path(runs) / "toy" / "dhn" / "16" / "0-1"
    (begun / ".hydra").mkdir(parents=True)

    finished, left_out = read(find([runs]))

    assert len(finished) == 1
    assert [one.folder for one in left_out] == [begun]
    assert "has no run.json" in left_out[0].why


def test_a_place_that_is_not_there_is_refused() -> None:
    with pytest.raises(FileNotFoundError, match="runs=nowhere: there is no such folder"):
        find(["nowhere"])


def test_an_unmeasured_run_is_left_out_with_what_to_do(write_run: WriteRun, runs: str) -> None:
    write_run("dhn")
    run = write_run()
    (run.folder / "metrics.json").unlink()

    _, (left_out,) = read(find([runs]))

    assert f"softhash train run={run.folder} goes on" in left_out.why


def test_a_run_of_another_format_is_left_out(write_run: WriteRun, runs: str) -> None:
    write_run("dhn")
    run = write_run()
    content = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(json.dumps(content | {"format": 1}))

    _, (left_out,) = read(find([runs]))

    assert "has the format 1" in left_out.why


@pytest.mark.parametrize(
    "scores",
    [{"mAP": {"expected": None, "worst": 0, "best": 1}}, {"mAP": 0.5}, [], "no", {"mAP": {"expected": float("nan")}}],
)
def test_numbers_that_are_none_leave_a_run_out(write_run: WriteRun, runs: str, scores: object) -> None:
    write_run("dhn")
    run = write_run()
    content = json.loads((run.folder / "metrics.json").read_text())
    content["methods"]["idhn"] = scores
    (run.folder / "metrics.json").write_text(json.dumps(content))

    finished, left_out = read(find([runs]))

    assert run.folder not in [one.run.folder for one in finished]
    assert [one.folder for one in left_out] == [run.folder]
    assert "metrics.json is damaged" in left_out[0].why


@pytest.mark.parametrize("content", [b"PK no zip", b""])
def test_damaged_scores_of_queries_leave_a_run_out(write_run: WriteRun, runs: str, content: bytes) -> None:
    write_run("dhn")
    run = write_run()
    (run.folder / "per_query.npz").write_bytes(content)

    _, (left_out,) = read(find([runs]))

    assert "per_query.npz is damaged" in left_out.why


def test_scores_of_other_queries_leave_a_run_out(write_run: WriteRun, runs: str) -> None:
    write_run("dhn")
    run = write_run()
    run.write_per_query({"idhn/mAP": np.zeros(3)})

    _, (left_out,) = read(find([runs]))

    assert "no scores of mAP of idhn for each query" in left_out.why
    assert "softhash evaluate run=" in left_out.why


def test_nothing_that_can_be_used_is_an_error_with_the_reasons(write_run: WriteRun, runs: str) -> None:
    (write_run().folder / "metrics.json").write_text("{")

    with pytest.raises(ValueError, match=r"none of the 1 run folders(.|\n)*metrics.json is damaged"):
        read(find([runs]))
