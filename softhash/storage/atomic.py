"""Writing a file so that a killed run, a full disk or a power cut leaves the old one or the new one, never half."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LEFTOVER = re.compile(r"\..+?(\.[^.]*|)\.\d+\1")  # the name of a file aside: .run.json.4242.json


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give the path of a file aside, which takes the place of ``path`` when the block ends without an error.

    Raises:
        OSError: The disk is full or the folder not writable; names ``path``.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with atomic_write(path) as aside:
        ...     _ = aside.write_text("whole")
        >>> path.read_text()
        'whole'
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        sync(aside)
        aside.replace(path)
        with suppress(OSError):  # some network file systems cannot for folders
            sync(path.parent)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}. What was there before is untouched."
        raise OSError(msg) from error
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Give a new folder aside, which takes the place of ``path`` when the block ends without an error.

    A folder that is there already is replaced. A kill in the instant between two renames leaves it beside ``path``,
    whole, as ``.NAME.PROCESS.old``. The new folder may hold files, and no folders.

    Raises:
        OSError: The disk is full or the folder not writable; names ``path``.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "codes"
        >>> with atomic_folder(path) as aside:
        ...     _ = (aside / "a.txt").write_text("whole")
        >>> [file.name for file in path.iterdir()]
        ['a.txt']
    """
    aside, old = (path.with_name(f".{path.name}.{os.getpid()}.{what}") for what in ("new", "old"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.mkdir()
        yield aside
        for file in [*aside.iterdir(), aside]:
            sync(file)
        if path.exists():
            path.replace(old)
        try:
            aside.replace(path)
        except OSError:
            old.replace(path)
            raise
        with suppress(OSError):  # some network file systems cannot for folders
            sync(path.parent)
    except OSError as error:
        if error.errno is None:  # in words already, and of something else than the disk
            raise
        msg = f"cannot write {path}: {error.strerror}. What was there before is untouched."
        raise OSError(msg) from error
    finally:
        for folder in (aside, old):
            shutil.rmtree(folder, ignore_errors=True)


def sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk.

    Raises:
        OSError: They could not be written.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_leftovers(folder: Path) -> None:
    """Delete what killed processes have left aside in a folder and below, where nobody else writes now.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("run.json", ".run.json.4242.json", ".lock"):
        ...     (folder / name).touch()
        >>> clear_leftovers(folder)
        >>> sorted(path.name for path in folder.iterdir())
        ['.lock', 'run.json']
    """
    for path in folder.rglob(".*"):
        if LEFTOVER.fullmatch(path.name) and path.is_file():
            path.unlink(missing_ok=True)
