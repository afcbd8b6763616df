from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from softhash.report.progress import DONE, FAILED, RUNNING, WAITING, Progress, told
from softhash.runs.folder import Run


class Clock:
    """Seconds that pass when told."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def finished(run: Run) -> Run:
    run.write_page("<p>")
    return run


def printed(progress: Progress) -> str:
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(progress.table())
    return console.export_text()


def test_a_job_is_judged_by_its_folder_alone(tmp_path: Path, finished: Run) -> None:
    busy, broken = Run(tmp_path / "busy"), Run(tmp_path / "broken")
    names = {"a": finished.folder, "b": busy.folder, "c": broken.folder, "d": tmp_path / "none"}
    progress = Progress(list(names.items()))
    broken.write_error("the loss is not finite\n  Lower optimizer.lr.")

    with busy.locked():
        ended = progress.update()
        states = [job.state for job in progress.jobs]

    assert states == [DONE, RUNNING, FAILED, WAITING]
    assert [told(job) for job in ended] == ["failed  c: the loss is not finite"]
    assert progress.line() == "1 of 4 done, 1 running, 1 failed, 1 waiting"
    assert progress.update() == []
    assert progress.jobs[1].state == WAITING  # its process has let go, and nothing is finished


def test_an_error_of_an_earlier_start_is_not_one_of_this_one(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.write_error("yesterday")

    progress = Progress([("a", tmp_path)])
    progress.update()

    assert progress.jobs[0].state == WAITING


def test_jobs_of_one_folder_count_once(tmp_path: Path) -> None:
    progress = Progress([("seed=0", tmp_path / "a"), ("seed=1", tmp_path / "b"), ("seed=0", tmp_path / "a")])

    assert [job.name for job in progress.jobs] == ["seed=0", "seed=1"]


def test_time_left_is_that_of_the_jobs_done_since_the_start(tmp_path: Path, finished: Run) -> None:
    clock = Clock()
    folders = [tmp_path / name for name in "abcd"]
    progress = Progress([("before", finished.folder), *((folder.name, folder) for folder in folders)], clock)
    assert progress.seconds_left is None

    finished.folder.rename(folders[0])
    clock.now = 60.0
    progress.update()

    assert progress.counts[DONE] == 2
    assert progress.seconds_left == 180.0  # three more at one a minute
    assert progress.line().endswith("about 3 min 0 s left")


def test_the_table_shows_what_runs_what_has_failed_and_the_best(
    tmp_path: Path, finished: Run, write_log: Callable[[Run, list[dict[str, float]]], None]
) -> None:
    busy, broken = Run(tmp_path / "busy"), Run(tmp_path / "broken")
    progress = Progress([("bits=8", finished.folder), ("bits=12", busy.folder), ("bits=16", broken.folder)])
    write_log(busy, [{"epoch": 0, "step": 1, "validation/mAP": 0.75}, {"epoch": 1, "step": 2, "validation/mAP": 0.5}])
    broken.write_error("no space left")
    value = finished.result().scores["mine"]["mAP"]["expected"]

    with busy.locked():
        progress.update()
        text = printed(progress)

    for part in ("epoch 2, validation/mAP 0.7500", "no space left", f"bits=8 mAP {value:.4f} on toy"):
        assert part in " ".join(text.split())


def test_a_finished_run_of_another_version_is_named_as_failed(finished: Run) -> None:
    record = finished.folder / "run.json"
    record.write_text(record.read_text().replace('"format": 2', '"format": 1'))

    (job,) = Progress([("a", finished.folder)]).jobs

    assert job.state == FAILED
    assert "has the format 1" in job.error
