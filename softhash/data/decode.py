"""Photos and lists in a folder or, unpacked by nobody, in a zip or tar archive."""

import io
import os
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.io import ImageReadMode, decode_jpeg
from torchvision.transforms.v2.functional import resize as resize_image

_SHOWN = 5  # names in an error message
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"

DECODER = "torchvision-antialias-1"  # named in caches: another way to decode needs another name


class Files:
    """Files below a folder or in an archive, by their path there with forward slashes.

    Archives are read at the places that their directory gives, without a position that processes could move
    for each other, and with arrays instead of objects, so that loading processes share what they know.

    Args:
        root: The folder, or a zip or uncompressed tar archive.
        hint: What to do where ``root`` or something in it is missing.

    Raises:
        FileNotFoundError: ``root`` does not exist.
        ValueError: ``root`` is a file but no such archive, or only half of one.
    """

    def __init__(self, root: str | Path, hint: str) -> None:
        self.root, self.hint = Path(root).expanduser(), hint
        if not self.root.exists():
            msg = f"data.root={str(root)!r} does not exist.\n  {hint}"
            raise FileNotFoundError(msg)
        self._archive = Archive(self.root) if self.root.is_file() else None

    @cached_property
    def names(self) -> frozenset[str]:
        """All paths."""
        if self._archive:
            return frozenset(self._archive.names())
        below: set[str] = set()
        for folder, _, files in os.walk(self.root):
            prefix = Path(folder).relative_to(self.root).as_posix()
            below.update(files if prefix == "." else (f"{prefix}/{name}" for name in files))
        return frozenset(below)

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It is not there.
            ValueError: Its part of the archive is damaged.
        """
        try:
            return self._archive.read(name) if self._archive else (self.root / name).read_bytes()
        except (KeyError, FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            msg = f"data.root={str(self.root)!r} has no {name}.\n  {self.hint}"
            raise FileNotFoundError(msg) from error

    def lines(self, name: str) -> list[str]:
        """Lines of a text file that are not empty; Windows line ends and a byte-order mark are taken off."""
        try:
            text = self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            msg = f"{name} in {self.root} is not text in UTF-8: {error}"
            raise ValueError(msg) from error
        return [line.strip() for line in text.splitlines() if line.strip()]

    def missing(self, names: Sequence[str]) -> list[str]:
        """Which of some files are not there; a path that leads out of ``root`` never is."""
        return [name for name in names if name not in self.names]

    def require(self, names: Sequence[str]) -> None:
        """Refuse to go on without all of some files.

        Raises:
            FileNotFoundError: Names the first that are missing, and says how many are.
        """
        missing = self.missing(names)
        if missing:
            msg = (
                f"data.root={str(self.root)!r} lacks {len(missing)} of {len(names)} files: {some(missing)}.\n"
                f"  {self.hint}"
            )
            raise FileNotFoundError(msg)

    def fingerprints(self, names: Sequence[str]) -> list[str]:
        """What changes when a file does: its checksum in a zip archive, else its size and time of change."""
        if self._archive:
            return [self._archive.fingerprint(name) for name in names]
        stats = (os.stat(self.root / name) for name in names)  # noqa: PTH116 - a third of Path's time
        return [f"{stat.st_size}-{stat.st_mtime_ns}" for stat in stats]

    def __getstate__(self) -> dict[str, object]:
        """All but the names, for loading processes that are spawned."""
        return {key: value for key, value in self.__dict__.items() if key != "names"}


class Archive:
    """Files in a zip archive, stored or deflated, or in an uncompressed tar archive.

    Args:
        path: The archive.

    Raises:
        ValueError: It is none, or not complete.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        try:
            self.zipped = zipfile.is_zipfile(path) or path.suffix == ".zip"
            members = _zip_members(path) if self.zipped else _tar_members(path)
        except (zipfile.BadZipFile, tarfile.TarError) as error:
            msg = (
                f"data.root={str(path)!r} is not a complete zip archive or uncompressed tar archive"
                f" ({error}); get it again, or unpack it and set data.root to the folder"
            )
            raise ValueError(msg) from error
        members.sort()
        self._names = np.array([name.encode() for name, *_ in members])
        # By columns: where the member starts (in a tar archive, its data), its size as stored, how it is
        # compressed, and what changes with its content.
        self._places = np.array([place for _, *place in members], dtype=np.int64).reshape(-1, 4)

    def names(self) -> list[str]:
        """All paths, sorted."""
        return [name.decode() for name in self._names.tolist()]

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            KeyError: It is not there.
            ValueError: It is damaged, or compressed in another way.
        """
        start, size, compression, checksum = self._place(name)
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
        if not self.zipped:
            return os.pread(self._file, size, start)
        header = os.pread(self._file, 30, start)
        start += 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        data = os.pread(self._file, size, start)
        try:
            content = zlib.decompress(data, -zlib.MAX_WBITS) if compression else data
        except zlib.error as error:
            msg = f"cannot read {name} in {self.path}: {error}; get the archive again"
            raise ValueError(msg) from error
        if zlib.crc32(content) != checksum:
            msg = f"cannot read {name} in {self.path}: its checksum is wrong; get the archive again"
            raise ValueError(msg)
        return content

    def fingerprint(self, name: str) -> str:
        """Size, and checksum (zip) or time of change (tar)."""
        _, size, _, changes = self._place(name)
        return f"{size}-{changes}"

    def _place(self, name: str) -> list[int]:
        sought = name.encode()
        row = int(np.searchsorted(self._names, sought))
        if row == len(self._names) or self._names[row] != sought:
            raise KeyError(name)
        place: list[int] = self._places[row].tolist()
        return place

    def __getstate__(self) -> dict[str, object]:
        """All but the open file, for loading processes that are spawned."""
        return self.__dict__ | {"_file": None}


def _zip_members(path: Path) -> list[tuple[str, int, int, int, int]]:
    with zipfile.ZipFile(path) as archive:
        found = [member for member in archive.infolist() if not member.is_dir()]
    odd = [member.filename for member in found if member.compress_type not in {0, 8} or member.flag_bits & 1]
    if odd:
        msg = f"members are encrypted or neither stored nor deflated, such as {odd[0]}"
        raise zipfile.BadZipFile(msg)
    return [(m.filename, m.header_offset, m.compress_size, m.compress_type, m.CRC) for m in found]


def _tar_members(path: Path) -> list[tuple[str, int, int, int, int]]:
    with tarfile.open(path, "r:") as archive:
        found = [member for member in archive.getmembers() if member.isreg()]
    return [(m.name.removeprefix("./"), m.offset_data, m.size, 0, int(m.mtime)) for m in found]


class Photos:
    """Decodes photos: RGB, upright, resized.

    Args:
        files: Where they are.
        resize: Short side in pixels.
        squash: Make the long side as short, instead of keeping the proportions.
    """

    def __init__(self, files: Files, resize: int, squash: bool = False) -> None:
        self.files, self.resize, self.squash = files, resize, squash

    def __call__(self, name: str) -> Tensor:
        """``(3, height, width)`` uint8.

        Raises:
            ValueError: The file is broken, or no picture at all; names it.
        """
        return shorten(self.decode(name), self.resize, self.squash)

    def decode(self, name: str) -> Tensor:
        """``(3, height, width)`` uint8 in the size of the file.

        Raises:
            ValueError: The file is broken, or no picture at all; names it.
        """
        data = self.files.read(name)
        try:
            return decode(data)
        except ValueError as error:
            msg = f"cannot decode {name} in {self.files.root} ({len(data)} bytes): {error}"
            raise ValueError(msg) from error

    def broken(self, name: str) -> str | None:
        """Why a file cannot be decoded, or None.

        A JPEG that starts and ends as one is taken to be whole, which is much faster than decoding it.
        """
        data = self.files.read(name)
        if data.startswith(_JPEG_START) and data.endswith(_JPEG_END):
            return None
        try:
            decode(data)
        except ValueError as error:
            return str(error)
        return None


def decode(data: bytes) -> Tensor:
    """Decode a JPEG, or what else Pillow reads: ``(3, height, width)`` uint8, RGB and upright.

    The first frame of an animation; transparent pixels as they are stored.

    Raises:
        ValueError: ``data`` is broken, or no picture; says what it looks like.
    """
    if data.startswith(_JPEG_START):
        try:
            # Deprecated for TorchCodec, an extra package; two thirds of Pillow's time, to the same pixels.
            encoded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            jpeg: Tensor = decode_jpeg(encoded, mode=ImageReadMode.RGB, apply_exif_orientation=True)
        except RuntimeError:
            pass  # Pillow reads a few more kinds, and says what is wrong
        else:
            return jpeg
    if not data:
        msg = "the file is empty"
        raise ValueError(msg)
    if data.lstrip()[:1] == b"<":
        msg = "it is a web page, not a picture; probably the photo is no longer there"
        raise ValueError(msg)
    try:
        with Image.open(io.BytesIO(data)) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I;16"):  # Pillow would cut, not scale, 16 bits
                upright = Image.fromarray((np.asarray(upright) // 257).astype(np.uint8))
            pixels = np.array(upright.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    return torch.from_numpy(pixels).permute(2, 0, 1)


def shorten(image: Tensor, resize: int, squash: bool = False) -> Tensor:
    """Resize ``(3, height, width)`` uint8 to a short side, or both, of ``resize`` pixels; antialiased."""
    height, width = image.shape[1:]
    scale = 0 if squash else resize / min(height, width)
    size = [max(resize, round(height * scale)), max(resize, round(width * scale))]
    if size == [height, width]:
        return image
    small: Tensor = resize_image(image, size, antialias=True)
    return small


def some(names: Sequence[str]) -> str:
    """The first few names, and a sign that there are more."""
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
