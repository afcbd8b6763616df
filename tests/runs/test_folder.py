from pathlib import Path

from softhash.runs.folder import Series, read_log


def test_the_log_of_a_resumed_run_counts_what_was_done_again_once(logged: Path) -> None:
    assert read_log(logged) == {
        "train/loss": Series([0, 2], [0, 1], [3.0, 1.5]),
        "validation/mAP": Series([1, 3], [0, 1], [0.5, 0.6]),
    }


def test_a_run_without_logs_has_an_empty_log(run: Path) -> None:
    assert read_log(run) == {}
