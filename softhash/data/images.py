"""Photos and lists in a folder or, unpacked by nobody, in a zip archive."""

import io
import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

_SHOWN = 5  # names in an error message


class Files:
    """Files below a folder or in a zip archive, by their path there.

    Args:
        root: The folder, or the archive.
        hint: What to do where ``root`` or something in it is missing.

    Raises:
        FileNotFoundError: ``root`` does not exist.
        ValueError: ``root`` is a file but no zip archive, or only half of one.
    """

    def __init__(self, root: str | Path, hint: str) -> None:
        self.root, self.hint = Path(root).expanduser(), hint
        self._archives: dict[int, ZipFile] = {}
        if not self.root.exists():
            msg = f"data.root={str(root)!r} does not exist.\n  {hint}"
            raise FileNotFoundError(msg)
        if self.root.is_file():
            try:
                ZipFile(self.root).close()
            except BadZipFile as error:
                msg = f"data.root={str(root)!r} is not a complete zip archive ({error}); download it again"
                raise ValueError(msg) from error

    @cached_property
    def names(self) -> frozenset[str]:
        """All paths, with forward slashes."""
        if self.root.is_file():
            return frozenset(self._archive().namelist())
        found: set[str] = set()
        for folder, _, files in os.walk(self.root):
            below = Path(folder).relative_to(self.root).as_posix()
            found.update(files if below == "." else (f"{below}/{name}" for name in files))
        return frozenset(found)

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It is not there.
        """
        try:
            return self._archive().read(name) if self.root.is_file() else (self.root / name).read_bytes()
        except (KeyError, FileNotFoundError) as error:
            msg = f"data.root={str(self.root)!r} has no {name}.\n  {self.hint}"
            raise FileNotFoundError(msg) from error

    def lines(self, name: str) -> list[str]:
        """Lines of a text file that are not empty; Windows line ends and a byte-order mark are taken off."""
        return [line.strip() for line in self.read(name).decode("utf-8-sig").splitlines() if line.strip()]

    def require(self, names: Sequence[str]) -> None:
        """Refuse to go on without all of some files.

        Raises:
            FileNotFoundError: Names the first that are missing, and says how many are.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            shown = ", ".join(missing[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
            msg = f"data.root={str(self.root)!r} lacks {len(missing)} of {len(names)} files: {shown}.\n  {self.hint}"
            raise FileNotFoundError(msg)

    def _archive(self) -> ZipFile:
        """The open archive; each process has its own, as they would move each other's position."""
        if os.getpid() not in self._archives:
            self._archives = {os.getpid(): ZipFile(self.root)}
        return self._archives[os.getpid()]

    def __getstate__(self) -> dict[str, object]:
        """Everything but what is open, for loading processes that are spawned."""
        return {**self.__dict__, "_archives": {}}


class Photos:
    """Decodes photos: RGB, upright, the short side resized.

    Args:
        files: Where they are.
        resize: Short side in pixels.
    """

    def __init__(self, files: Files, resize: int) -> None:
        self.files, self.resize = files, resize

    def __call__(self, name: str) -> Tensor:
        """``(3, height, width)`` uint8.

        Raises:
            ValueError: The file is broken, or no picture at all; names it.
        """
        data = self.files.read(name)
        try:
            with Image.open(io.BytesIO(data)) as image:
                rgb = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            msg = f"cannot decode {name} in {self.files.root} ({len(data)} bytes): {error}"
            raise ValueError(msg) from error
        scale = self.resize / min(rgb.size)
        size = (max(self.resize, round(rgb.width * scale)), max(self.resize, round(rgb.height * scale)))
        pixels = np.array(rgb if rgb.size == size else rgb.resize(size, Image.Resampling.BILINEAR))
        return torch.from_numpy(pixels).permute(2, 0, 1)
