"""Any photos: those of a folder, of an archive, or of a list."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from softhash.data.decode import SUFFIXES, ImageReader
from softhash.data.preprocessing import Preprocessing
from softhash.search.names import Names
from softhash.storage.archive import Files
from softhash.storage.cache import digest
from softhash.text import first_few

_HINT = "Give a folder, a zip or uncompressed tar archive, or a text file with the path of a photo in each line."
_LIST = (".txt", ".lst", ".list")


class Listed:
    """Files that a list names, a path in each line, absolute or from the folder of the list.

    Args:
        path: The list, text in UTF-8.

    Raises:
        ValueError: It is not text in UTF-8.
    """

    def __init__(self, path: Path) -> None:
        self.root = path
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            msg = f"images={str(path)!r} is not text in UTF-8 ({error}).\n  {_HINT}"
            raise ValueError(msg) from error
        self.lines = [line.strip() for line in text.splitlines() if line.strip()]

    def name(self, position: int) -> str:
        """The path as it is listed."""
        return self.lines[position]

    def read_at(self, position: int) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It is not there, or no regular file.
        """
        path = self._path(self.lines[position])
        if not path.is_file():
            msg = f"{path} is no file"
            raise FileNotFoundError(msg)
        return path.read_bytes()

    def fingerprints(self, names: Sequence[str]) -> list[str]:
        """Size and time of change of files; nothing of those that are not there."""
        stats = [os.stat(path) if (path := self._path(name)).is_file() else None for name in names]  # noqa: PTH116
        return ["" if stat is None else f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats]

    def _path(self, name: str) -> Path:
        return self.root.parent / name


class Photos(Dataset[Tensor | None]):
    """Photos as a network sees them; None where one cannot be read.

    Args:
        images: A folder, whose photos are all those below it; an archive; or a list. Photos of folders and archives are
            sorted by name.
        preprocessing: Of the run that encodes them.

    Attributes:
        names: ``(N,)`` paths, below the folder or as they are listed.

    Raises:
        FileNotFoundError: There is no such folder or file, or no photo in it.
        ValueError: It is neither an archive nor a list, or lists a photo more than once.
    """

    def __init__(self, images: str, preprocessing: Preprocessing) -> None:
        path = Path(images).expanduser()
        source: Files | Listed
        if path.is_file() and path.suffix.lower() in _LIST:
            source = Listed(path)
            self.names = source.lines
            positions = np.arange(len(self.names))
        else:
            source = Files(path, "images", _HINT)
            self.names = [name for name in source.names() if name.lower().endswith(SUFFIXES)]
            positions = source.positions(self.names)
        self.source, self.preprocessing = source, preprocessing
        self._check(images)
        self.read = ImageReader(source, positions, preprocessing.resize, preprocessing.squash)

    def _check(self, images: str) -> None:
        if not self.names:
            msg = f"images={images!r} has no photos ({', '.join(SUFFIXES)}).\n  {_HINT}"
            raise FileNotFoundError(msg)
        repeated = Names.of(self.names).twice()
        if repeated:
            msg = f"images={images!r} names {len(repeated)} photos more than once: {first_few(repeated)}"
            raise ValueError(msg)

    def __len__(self) -> int:
        """N."""
        return len(self.names)

    def __getitem__(self, row: int) -> Tensor | None:
        """``(channels, image_size, image_size)`` uint8."""
        try:
            return self.preprocessing.fit(self.read(row))
        except (OSError, ValueError):
            return None

    def problem(self, row: int) -> str:
        """Why a photo cannot be read."""
        try:
            self.read(row)
        except (OSError, ValueError) as error:
            return str(error)
        return "it could not be read when the others were encoded; now it can"

    def fingerprint(self) -> str:
        """Hash of the names of all photos and of when they changed."""
        return digest(*map(os.fsencode, self.names), *self.source.fingerprints(self.names))

    def sample(self, count: int) -> Tensor:
        """Images of at most ``count`` photos that can be read, evenly spaced; ``(B, channels, height, width)`` uint8.

        Raises:
            ValueError: None of them can be read.
        """
        rows = np.unique(np.linspace(0, len(self) - 1, min(count, len(self))).astype(np.int64))
        images = [image for row in rows.tolist() if (image := self[row]) is not None]
        if not images:
            msg = f"none of {len(rows)} photos can be read: {self.problem(0)}"
            raise ValueError(msg)
        return torch.stack(images)


def stacked(images: Sequence[Tensor | None], like: Preprocessing) -> tuple[Tensor, Tensor]:
    """A batch with black images in place of those that could not be read, and ``(B,)`` bool which those are."""
    black = torch.zeros(like.channels, like.image_size, like.image_size, dtype=torch.uint8)
    unreadable = torch.tensor([image is None for image in images])
    return torch.stack([black if image is None else image for image in images]), unreadable
