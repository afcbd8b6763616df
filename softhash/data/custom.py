"""Photos of your own: a table, list files, or a folder for each label."""

import csv
import io
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.data.decode import Files, some
from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.ranking.relevance import check_matrix

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
_SPLITS = ("train", "query", "database")


class TableDataModule(PhotoDataModule):
    """Photos listed in a CSV file with a header.

    Columns: ``path`` below the root; ``split`` (may be left out where the protocol samples) with ``train``,
    ``query``, ``database`` or, for a training image that is searched as well, ``train database``; and either
    ``labels`` with names separated by ``;``, or one column of 0 and 1 for each class. Classes in ``labels``
    are in alphabetical order, columns in theirs. With a matrix of similarities neither is read.

    Args:
        table: Path of the CSV file below the root.
        similarity: npy file of a matrix ``(N, N)`` of real values in [0, 1], in the order of the table: entry i, j is
            how similar j is to i; null to learn from labels.
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    def __init__(self, *, table: str, similarity: str | None = None, **photos: Any) -> None:
        super().__init__(**photos)
        self.table, self.similarity_file = table, similarity
        self.hint = f"Put {table} and the photos that it lists there, or set data.root or data.table."

    def catalogue(self, files: Files) -> Catalogue:
        """Photos in the order of the table."""
        reader = csv.DictReader(io.StringIO(files.read(self.table).decode("utf-8-sig")))
        columns = list(reader.fieldnames or [])
        if "path" not in columns:
            msg = f"{self.table} needs a header with a column path, found {', '.join(columns) or 'nothing'}"
            raise ValueError(msg)
        rows = list(reader)
        ids = np.array([row["path"].strip() for row in rows])
        parts = np.array([(row.get("split") or "").strip() for row in rows])
        if self.similarity_file is not None:
            self.matrix = _matrix(self.similarity_file, len(ids), self.table)
            return Catalogue(ids, np.zeros((len(ids), 0), dtype=np.uint8), [], parts)
        if "labels" in columns:
            names = [{name.strip() for name in (row["labels"] or "").split(";")} - {""} for row in rows]
            classes = sorted(set().union(*names))
            labels = [[label in found for label in classes] for found in names]
        else:
            classes = [column for column in columns if column not in {"path", "split"}]
            wrong = [row["path"] for row in rows if any(row[label] not in {"0", "1"} for label in classes)]
            if wrong:
                msg = f"{self.table} should have 0 or 1 in the columns of classes; it has not for {some(wrong)}"
                raise ValueError(msg)
            labels = [[row[label] == "1" for label in classes] for row in rows]
        return Catalogue(ids, np.array(labels, dtype=np.uint8).reshape(len(ids), len(classes)), classes, parts)


def _matrix(file: str, count: int, table: str) -> NDArray[np.generic]:
    """Map a matrix of similarities.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no npy file, or of another number of images.
    """
    path = Path(file).expanduser()
    if not path.is_file():
        msg = f"data.similarity={file!r} does not exist"
        raise FileNotFoundError(msg)
    matrix: NDArray[np.generic] = np.load(path, mmap_mode="r")
    check_matrix(matrix, f"data.similarity={file!r}")
    if len(matrix) != count:
        msg = f"data.similarity={file!r} is of {len(matrix)} images, {table} lists {count}"
        raise ValueError(msg)
    return matrix


class ListsDataModule(PhotoDataModule):
    """Photos in list files of lines ``path 0 1 0 ...``, as HashNet's and other hashing code has them.

    A photo may be in several lists, with the same labels; a path may have spaces.

    Args:
        lists: Paths of the list files below the root, by ``train``, ``query`` and ``database``.
        class_names: Path below the root of a file with a name a line; null names the classes by their
            numbers.
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    def __init__(self, *, lists: dict[str, str], class_names: str | None, **photos: Any) -> None:
        super().__init__(**photos)
        self.lists, self.names_file = dict(lists), class_names
        self.hint = "Put the list files and the photos that they list there, or set data.root to where they are."

    def catalogue(self, files: Files) -> Catalogue:
        """Photos in the order of the lists."""
        files.require(list(self.lists.values()))
        labels: dict[str, tuple[int, ...]] = {}
        parts: dict[str, str] = {}
        for part, name in self.lists.items():
            for line in files.lines(name):
                words = line.rsplit(maxsplit=self.num_classes)
                if len(words) != self.num_classes + 1 or not set(words[1:]) <= {"0", "1"}:
                    msg = (
                        f"{name} should have a path and {self.num_classes} times 0 or 1 a line"
                        f" (data.num_classes), found {line!r}"
                    )
                    raise ValueError(msg)
                found = tuple(int(word) for word in words[1:])
                if labels.setdefault(words[0], found) != found:
                    msg = f"{words[0]} has other labels in {name} than in a list before it"
                    raise ValueError(msg)
                parts[words[0]] = f"{parts[words[0]]} {part}" if words[0] in parts else part
        classes = files.lines(self.names_file) if self.names_file else [str(i) for i in range(self.num_classes)]
        values = np.array(list(labels.values()), dtype=np.uint8).reshape(len(labels), self.num_classes)
        return Catalogue(np.array(list(labels)), values, classes, np.array(list(parts.values())))


class FoldersDataModule(PhotoDataModule):
    """Photos in a folder for each label: ``<label>/*.jpg``, or ``train/<label>/*.jpg`` and so on.

    Each photo has one label, the name of its folder. The second form is taken where every photo lies below
    ``train``, ``query`` or ``database``; the first needs a protocol that samples. Classes and photos are in
    alphabetical order.

    Args:
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    hint = "Put a folder for each label there, with its photos, or set data.root to where they are."

    def __init__(self, **photos: Any) -> None:
        super().__init__(**photos)

    def catalogue(self, files: Files) -> Catalogue:
        """Photos by their paths.

        Raises:
            FileNotFoundError: There are none.
        """
        paths = sorted((PurePosixPath(name) for name in files.names), key=str)
        paths = [path for path in paths if path.suffix.lower() in _SUFFIXES and len(path.parts) > 1]
        if not paths:
            msg = f"data.root={self.root!r} has no folders with photos.\n  {self.hint}"
            raise FileNotFoundError(msg)
        divided = all(path.parts[0] in _SPLITS and len(path.parts) > 2 for path in paths)
        names = [path.parts[1 if divided else 0] for path in paths]
        classes = sorted(set(names))
        labels = np.array([[name == label for label in classes] for name in names], dtype=np.uint8)
        parts = np.array([path.parts[0] if divided else "" for path in paths])
        return Catalogue(np.array([str(path) for path in paths]), labels, classes, parts)
