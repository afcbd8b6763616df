from pathlib import Path

import pytest

from softhash.storage.atomic import replacing


def test_an_error_while_writing_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")

    with pytest.raises(KeyboardInterrupt), replacing(path) as aside:
        aside.write_text("half")
        raise KeyboardInterrupt

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"

    with pytest.raises(OSError, match=r"cannot write .*codes\.npz: No space left on device"), replacing(path):
        raise OSError(28, "No space left on device")


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    with replacing(tmp_path / "a" / "b.txt") as aside:
        aside.write_text("new")

    assert (tmp_path / "a" / "b.txt").read_text() == "new"
