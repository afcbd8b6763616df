"""Arrays computed once and mapped into memory: decoded images, features of a frozen backbone.

A cache is a folder with ``rows.bin`` (all arrays, one after the other), ``index.bin`` (for each row where it ends and
its shape), ``about.json`` (what it was made of) and, once whole and on the disk, ``complete.json`` with the size of
``rows.bin``. Rows are written before their index, so what a killed process leaves behind is a shorter cache, which the
next one completes; so does it with one that has lost its end.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from softhash.storage.atomic import atomic_write, clear_leftovers, sync

_RECORD = np.dtype([("end", "<i8"), ("shape", "<i4", 3)])
VERSION = 1


class ArrayCache:
    """Rows of arrays with up to three dimensions, by number.

    Args:
        folder: Folder that holds this cache and nothing else.
        about: What the rows depend on, as JSON takes it, or a function that finds it out, which is not called before
            there is a cache to compare it with. A cache made of something else is made anew.
        count: Number of rows when complete.
        dtype: Type of the arrays.
        option: What the user sets to have it elsewhere, for messages.
    """

    def __init__(
        self,
        folder: Path,
        about: dict[str, Any] | Callable[[], dict[str, Any]],
        count: int,
        dtype: str,
        option: str = "cache_dir",
    ) -> None:
        self.folder, self.count, self.dtype, self.option = folder, count, np.dtype(dtype), option
        self._about = about
        self._rows: NDArray[Any] | None = None
        self._ends: NDArray[np.int64]
        self._shapes: NDArray[np.int32]

    @property
    def about(self) -> dict[str, Any]:
        """What the rows depend on, the format of the files included."""
        if callable(self._about):
            self._about = self._about()
        return self._about | {"version": VERSION, "count": self.count, "dtype": self.dtype.name}

    @property
    def state(self) -> str:
        """``complete``, ``partial`` (to be completed), ``stale`` (of something else, or unreadable) or ``none``."""
        about = self.folder / "about.json"
        if not about.is_file():
            return "none"
        try:
            stored = json.loads(about.read_bytes())
        except ValueError:
            return "stale"
        if stored != self.about:
            return "stale"
        return "complete" if self._is_whole() else "partial"

    def _is_whole(self) -> bool:
        """All files have the sizes that they had when the last row was written."""
        try:
            expected = json.loads((self.folder / "complete.json").read_bytes())["bytes"]
            sizes = [(self.folder / name).stat().st_size for name in ("rows.bin", "index.bin")]
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return sizes == [expected, self.count * _RECORD.itemsize]

    def build(self, compute: Callable[[int], Iterable[Sequence[Tensor]]]) -> None:
        """Write the rows that are missing. Of several processes one does, while the others wait.

        Args:
            compute: Gives the rows from a number on, in their order and by chunks.

        Raises:
            OSError: The disk is full or the folder not writable; what was written is kept, and completed next time.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "lock"):
                clear_leftovers(self.folder)
                if self.state == "complete":
                    return
                if self.state != "partial":
                    self._begin()
                self._append(compute)
        except FileNotFoundError:  # of what the rows are computed from
            raise
        except OSError as error:
            free = shutil.disk_usage(next(p for p in (self.folder, *self.folder.parents) if p.exists())).free
            msg = (
                f"cannot write the cache {self.folder}: {error.strerror or error} ({free / 1e6:.0f} MB free)."
                f" Rows that were written are kept; make room or set {self.option} to another disk, and go on."
            )
            raise OSError(msg) from error

    def _begin(self) -> None:
        for name in ("complete.json", "about.json", "rows.bin", "index.bin"):
            (self.folder / name).unlink(missing_ok=True)
        with atomic_write(self.folder / "about.json") as aside:
            aside.write_text(json.dumps(self.about))

    def _append(self, compute: Callable[[int], Iterable[Sequence[Tensor]]]) -> None:
        rows, index = self.folder / "rows.bin", self.folder / "index.bin"
        rows.touch()
        index.touch()
        ends = self._whole_rows(index, rows.stat().st_size)
        done, end = len(ends), int(ends[-1]) if len(ends) else 0
        with rows.open("r+b") as data, index.open("r+b") as records:
            data.truncate(end)
            data.seek(end)
            records.truncate(done * _RECORD.itemsize)
            records.seek(done * _RECORD.itemsize)
            for chunk in compute(done) if done < self.count else ():
                arrays = [np.ascontiguousarray(row.numpy(), dtype=self.dtype) for row in chunk]
                written = np.zeros(len(arrays), _RECORD)
                for record, array in zip(written, arrays, strict=True):
                    data.write(array.tobytes())
                    end += array.nbytes
                    record["end"] = end
                    record["shape"][: array.ndim] = array.shape
                data.flush()
                records.write(written.tobytes())
                records.flush()
                done += len(arrays)
        if done != self.count:
            msg = f"the cache {self.folder} has {done} rows, not {self.count}"
            raise ValueError(msg)
        for path in (rows, index):
            sync(path)
        with atomic_write(self.folder / "complete.json") as aside:
            aside.write_text(json.dumps({"bytes": end}))

    def _whole_rows(self, index: Path, size: int) -> NDArray[np.int64]:
        """Where the first rows end, up to one that ``size`` bytes do not hold or whose record makes no sense."""
        records = np.fromfile(index, _RECORD, index.stat().st_size // _RECORD.itemsize)[: self.count]
        ends: NDArray[np.int64] = records["end"].copy()
        lengths = np.where(records["shape"] > 0, records["shape"], 1).prod(1, dtype=np.int64) * self.dtype.itemsize
        sound = (np.diff(ends, prepend=0) == lengths) & (ends <= size)
        return ends[np.logical_and.accumulate(sound)]

    def __getitem__(self, row: int) -> Tensor:
        """One array, mapped from disk; writing to it changes memory alone."""
        if self._rows is None:
            index = np.fromfile(self.folder / "index.bin", _RECORD)
            # Kept as plain columns: looking into records takes microseconds.
            self._ends = np.concatenate([[0], index["end"]]) // self.dtype.itemsize
            self._shapes = index["shape"].copy()
            self._rows = np.memmap(self.folder / "rows.bin", self.dtype, mode="c").view(np.ndarray)
        array = self._rows[self._ends[row] : self._ends[row + 1]]
        return torch.from_numpy(array.reshape([side for side in self._shapes[row].tolist() if side]))

    def stacked(self) -> Tensor:
        """All arrays, which must have one shape, as one tensor mapped from disk."""
        shape = self[0].shape
        rows: NDArray[Any] = np.memmap(self.folder / "rows.bin", self.dtype, mode="c")
        return torch.from_numpy(rows.reshape(self.count, *shape))

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the map and what only a build needs, for loading processes that are spawned."""
        return self.__dict__ | {"_rows": None, "_about": {}}


def digest(*parts: str | bytes) -> str:
    """Short SHA-256 of some parts, which are kept apart."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()[:32]
