"""Writing a file so that a killed run or a full disk leaves the old one or the new one, never half of one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a file aside, which takes the place of ``path`` when the block ends without an error.

    Raises:
        OSError: The disk is full or the folder not writable; names ``path``.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> with replacing(path) as aside:
        ...     _ = aside.write_text("whole")
        >>> path.read_text()
        'whole'
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(path)
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}. What was there before is untouched."
        raise OSError(msg) from error
    finally:
        aside.unlink(missing_ok=True)
