import os
import stat
from pathlib import Path

import pytest

from softhash.storage.atomic import atomic_write, clear_leftovers


def test_an_error_while_writing_leaves_the_file_that_was_there(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    path.write_text("old")

    with pytest.raises(KeyboardInterrupt), atomic_write(path) as aside:
        aside.write_text("half")
        raise KeyboardInterrupt

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "codes.npz"

    with pytest.raises(OSError, match=r"cannot write .*codes\.npz: No space left on device"), atomic_write(path):
        raise OSError(28, "No space left on device")


def test_a_folder_that_is_missing_is_made(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "a" / "b.txt") as aside:
        aside.write_text("new")

    assert (tmp_path / "a" / "b.txt").read_text() == "new"


def test_the_content_is_on_the_disk_before_the_name_and_the_name_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, steps = tmp_path / "metrics.json", []

    def fsync(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        steps.append((kind, path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_write(path) as aside:
        aside.write_text("new")

    assert steps == [("file", False), ("folder", True)]


def test_what_a_killed_process_left_aside_is_deleted_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    kept = ["run.json", ".lock", "a.1.json", ".hidden.12.txt.gz", "checkpoints/last.ckpt"]
    for name in [*kept, ".run.json.77.json", ".lock.8", "checkpoints/.last.ckpt.4242.ckpt", ".josé [1].npz.3.npz"]:
        (tmp_path / name).touch()
    (tmp_path / ".folder.5").mkdir()

    clear_leftovers(tmp_path)

    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert left == {*kept, "checkpoints", ".folder.5"}


@pytest.mark.parametrize("name", ["metrics.json", "lock", "a.tar.gz"])
def test_a_file_aside_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    with atomic_write(tmp_path / name) as aside:
        aside.touch()
        clear_leftovers(tmp_path)

        assert not aside.exists()
        aside.touch()
