"""Reads files from a folder, or from a zip or tar archive without unpacking it."""

import os
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from softhash.text import first_few

_LARGEST = 2**30  # bytes of a member of an archive; annotations of MS-COCO have half as many


class Files:
    """Files below a folder or in an archive, by their path there with forward slashes, or by their position.

    Positions are those among all paths, sorted. They are looked up once for many files, so that reading one of them
    looks nothing up.

    Args:
        root: The folder, or a zip or uncompressed tar archive.
        option: What sets ``root``, for messages, such as ``data.root``.
        hint: What to do where ``root`` or something in it is missing.

    Raises:
        FileNotFoundError: ``root`` does not exist.
        ValueError: ``root`` is a file but no such archive, or only half of one.
    """

    def __init__(self, root: str | Path, option: str, hint: str) -> None:
        self.root, self.option, self.hint = Path(root).expanduser(), option, hint
        if not (self.root.is_dir() or self.root.is_file()):
            msg = f"{option}={str(root)!r} does not exist.\n  {hint}"
            raise FileNotFoundError(msg)
        self._source = _archive(self.root) if self.root.is_file() else Folder(self.root)

    def names(self) -> list[str]:
        """All paths, sorted."""
        return [_text(name) for name in self._source.names.tolist()]

    def name(self, position: int) -> str:
        """The path at a position."""
        return _text(bytes(self._source.names[position]))

    def missing(self, names: Sequence[str]) -> list[str]:
        """Which of some files are not there; a path that leads out of ``root`` never is."""
        return [name for name, there in zip(names, self._find(names)[1].tolist(), strict=True) if not there]

    def positions(self, names: Sequence[str]) -> NDArray[np.int64]:
        """``(N,)`` positions of N files.

        Raises:
            FileNotFoundError: Names the first files that are missing, and says how many are.
        """
        positions, there = self._find(names)
        if not there.all():
            missing = [name for name, found in zip(names, there.tolist(), strict=True) if not found]
            msg = (
                f"{self.option}={str(self.root)!r} lacks {len(missing)} of {len(names)} files: {first_few(missing)}.\n"
                f"  {self.hint}"
            )
            raise FileNotFoundError(msg)
        return positions

    def require(self, names: Sequence[str]) -> None:
        """Refuse to go on without all of some files; see :meth:`positions`."""
        self.positions(names)

    def read(self, name: str) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It is not there.
            ValueError: Its part of the archive is damaged.
        """
        positions, there = self._find([name])
        if not there.all():
            raise self._gone(name)
        return self.read_at(int(positions[0]))

    def read_at(self, position: int) -> bytes:
        """Content of the file at a position; raises as :meth:`read` does."""
        try:
            return self._source.read(position)
        except FileNotFoundError as error:
            raise self._gone(self.name(position)) from error

    def text(self, name: str) -> str:
        """Content of a text file, without a byte-order mark.

        Raises:
            FileNotFoundError: It is not there.
            ValueError: It is not text in UTF-8.
        """
        try:
            return self.read(name).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            msg = f"{name} in {self.root} is not text in UTF-8 ({error}); save it again in this encoding"
            raise ValueError(msg) from error

    def lines(self, name: str) -> list[str]:
        """Lines of a text file that are not empty, without white space around them; raises as :meth:`text` does."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]

    def fingerprints(self, names: Sequence[str]) -> list[str]:
        """What changes when a file does: its checksum in a zip archive, else its size and time of change."""
        return [self._source.fingerprint(position) for position in self.positions(names).tolist()]

    def _find(self, names: Sequence[str]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Positions of files, and which are there."""
        known = self._source.names
        if not len(known) or not len(names):
            return np.zeros(len(names), dtype=np.int64), np.zeros(len(names), dtype=bool)
        sought = np.array([_bytes(name) for name in names])
        positions = np.searchsorted(known, sought).clip(max=len(known) - 1)
        return positions, known[positions] == sought

    def _gone(self, name: str) -> FileNotFoundError:
        return FileNotFoundError(f"{self.option}={str(self.root)!r} has no {first_few([name])}.\n  {self.hint}")


class Folder:
    """Regular files below a folder: no devices, no pipes, whatever a link leads to.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = os.fsencode(path)

    @cached_property
    def names(self) -> NDArray[np.bytes_]:
        """Sorted paths, as when they were first asked for."""
        start = os.stat(self.path)  # noqa: PTH116 - paths are bytes here, as names may be no text
        return np.array(sorted(_walk(self.path, b"", ((start.st_dev, start.st_ino),))), dtype=np.bytes_)

    def read(self, position: int) -> bytes:
        """Content of a file.

        Raises:
            FileNotFoundError: It is no longer there.
        """
        return Path(os.fsdecode(self._place(position))).read_bytes()

    def fingerprint(self, position: int) -> str:
        """Size and time of change."""
        stat = os.stat(self._place(position))  # noqa: PTH116 - a third of Path's time
        return f"{stat.st_size}-{stat.st_mtime_ns}"

    def _place(self, position: int) -> bytes:
        return os.path.join(self.path, bytes(self.names[position]))  # noqa: PTH118 - paths are bytes here


def _walk(folder: bytes, prefix: bytes, above: tuple[tuple[int, int], ...]) -> Iterator[bytes]:
    """Paths of regular files. Links to folders are followed, but not to one that they lie in (device and inode)."""
    try:
        entries = list(os.scandir(folder))
    except PermissionError:  # such as lost+found
        return
    for entry in entries:
        try:
            if entry.is_file():
                yield prefix + entry.name
            elif entry.is_dir():
                stat = entry.stat()
                place = (stat.st_dev, stat.st_ino)
                if place not in above:
                    yield from _walk(entry.path, prefix + entry.name + b"/", (*above, place))
        except OSError:  # a link that leads to itself, or where we may not look
            continue


class Archive:
    """Files in a zip archive, stored or deflated, or in an uncompressed tar archive.

    Members are read with ``os.pread`` at the offsets in the archive's index. No file position is shared between
    loading processes, and the index is two arrays, which forked processes share.

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
            members = sorted(_zip_members(path) if self.zipped else _tar_members(path))
        except (zipfile.BadZipFile, tarfile.TarError, NotImplementedError, EOFError, ValueError) as error:
            msg = (
                f"{str(path)!r} is not a complete zip archive or uncompressed tar archive ({error}); get it again, or"
                " unpack it and take the folder"
            )
            raise ValueError(msg) from error
        self.names = np.array([name for name, *_ in members], dtype=np.bytes_)
        # By columns: where the member starts (in a tar archive, its data), its size as stored and as read, how it is
        # compressed, and what changes with its content.
        self._places = np.array([place for _, *place in members], dtype=np.int64).reshape(-1, 5)

    def read(self, position: int) -> bytes:
        """Content of a file.

        Raises:
            ValueError: It is damaged, or too large to be read at once.
        """
        start, stored, size, compression, checksum = self._places[position].tolist()
        if size > _LARGEST:
            raise self._unreadable(position, f"it has {size / 1e9:.1f} GB, more than a photo or a list can have")
        if self._file is None:
            self._file = os.open(self.path, os.O_RDONLY)
        if not self.zipped:
            return os.pread(self._file, size, start)
        header = os.pread(self._file, 30, start)
        start += 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        content = os.pread(self._file, stored, start)
        if compression:
            try:  # what claims to be small may inflate without end
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
            except zlib.error as error:
                raise self._unreadable(position, f"{error}; get the archive again") from error
        if len(content) != size or zlib.crc32(content) != checksum:
            raise self._unreadable(position, "its size or checksum is wrong; get the archive again")
        return content

    def fingerprint(self, position: int) -> str:
        """Size as stored, and checksum (zip) or time of change (tar)."""
        _, stored, _, _, changes = self._places[position].tolist()
        return f"{stored}-{changes}"

    def _unreadable(self, position: int, reason: str) -> ValueError:
        return ValueError(f"cannot read {_text(bytes(self.names[position]))} in {self.path}: {reason}")

    def __getstate__(self) -> dict[str, object]:
        """All but the open file, for loading processes that are spawned."""
        return self.__dict__ | {"_file": None}


def _archive(path: Path) -> Archive:
    now = path.stat()
    return _indexed(path, (now.st_ino, now.st_size, now.st_mtime_ns))


@lru_cache(maxsize=1)  # the jobs of a multirun read one archive; its index takes a second where it is long
def _indexed(path: Path, _state: tuple[int, int, int]) -> Archive:
    return Archive(path)


_Member = tuple[bytes, int, int, int, int, int]


def _zip_members(path: Path) -> list[_Member]:
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
    end = path.stat().st_size
    for member in members:
        if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} or member.flag_bits & 1:
            msg = f"members are encrypted or neither stored nor deflated, such as {member.filename}"
            raise zipfile.BadZipFile(msg)
        if member.header_offset + member.compress_size > end:
            msg = f"{member.filename} goes beyond its end"
            raise zipfile.BadZipFile(msg)
    return [
        (_bytes(m.filename), m.header_offset, m.compress_size, m.file_size, m.compress_type, m.CRC) for m in members
    ]


def _tar_members(path: Path) -> list[_Member]:
    with tarfile.open(path, "r:") as archive:
        members = [member for member in archive.getmembers() if member.isreg()]
    return [(_bytes(m.name.removeprefix("./")), m.offset_data, m.size, m.size, 0, int(m.mtime)) for m in members]


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
