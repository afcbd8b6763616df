"""Arrays computed once and mapped into memory: decoded images, features of a frozen backbone.

A cache is a folder with ``rows.bin`` (all arrays, one after the other), ``index.bin`` (for each row where it
ends and its shape), ``about.json`` (what it was made of) and, once whole, ``complete.json``. Rows are written
before their index, so what a killed process leaves behind is a shorter cache, which the next one completes.
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

from softhash.storage.atomic import atomic_write

_RECORD = np.dtype([("end", "<i8"), ("shape", "<i4", 3)])
VERSION = 1


class ArrayCache:
    """Rows of arrays with up to three dimensions, by number.

    Args:
        folder: Of this cache alone.
        about: What the rows depend on, as JSON takes it; a cache made of something else is made anew.
        count: Number of rows when complete.
        dtype: Of the arrays.
    """

    def __init__(self, folder: Path, about: dict[str, Any], count: int, dtype: str) -> None:
        self.folder, self.count, self.dtype = folder, count, np.dtype(dtype)
        self.about = about | {"version": VERSION, "count": count, "dtype": dtype}
        self._rows: NDArray[Any] | None = None
        self._ends: NDArray[np.int64]
        self._shapes: NDArray[np.int32]

    @property
    def state(self) -> str:
        """``complete``, ``partial``, ``stale`` (made of something else) or ``none``."""
        about = self.folder / "about.json"
        if not about.is_file():
            return "none"
        if json.loads(about.read_text()) != self.about:
            return "stale"
        return "complete" if (self.folder / "complete.json").is_file() else "partial"

    def build(self, compute: Callable[[int], Iterable[Sequence[Tensor]]]) -> None:
        """Write the rows that are missing. Of several processes one does, while the others wait.

        Args:
            compute: Gives chunks of the rows from a number on, in their order.

        Raises:
            OSError: The disk is full or the folder not writable; what was written is kept, and completed next
                time.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self.folder / "lock"):
                if self.state == "complete":
                    return
                if self.state != "partial":
                    self._begin()
                self._append(compute)
        except OSError as error:
            free = shutil.disk_usage(next(p for p in (self.folder, *self.folder.parents) if p.exists())).free
            msg = (
                f"cannot write the cache {self.folder}: {error.strerror or error} ({free / 1e6:.0f} MB free)."
                " Rows that were written are kept; make room or set cache_dir to another disk, and go on."
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
        whole = np.fromfile(index, _RECORD, index.stat().st_size // _RECORD.itemsize)
        done = int((whole["end"] <= rows.stat().st_size).sum())
        end = int(whole["end"][done - 1]) if done else 0
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
        with atomic_write(self.folder / "complete.json") as aside:
            aside.write_text(json.dumps({"bytes": end}))

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
        """Everything but the map, for loading processes that are spawned."""
        return self.__dict__ | {"_rows": None}


def digest(*parts: str | bytes) -> str:
    """Short SHA-256 of some parts, which are kept apart."""
    found = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        found.update(len(data).to_bytes(8, "little"))
        found.update(data)
    return found.hexdigest()[:32]
