"""Photos of your own: a table, list files, or a folder for each label."""

import csv
import io
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.data.decode import SUFFIXES
from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.ranking.relevance import check_matrix
from softhash.storage.archive import Files
from softhash.storage.arrays import read_npy
from softhash.text import first_few

_SPLITS = ("train", "query", "database")


class TableDataModule(PhotoDataModule):
    """Photos listed in a CSV file with a header.

    Columns: ``path`` below the root; ``split`` (may be left out where the protocol samples) with ``train``,
    ``query``, ``database`` or, for a training image that is searched as well, ``train database``; and either
    ``labels`` with names separated by ``;``, or one column of 0 and 1 for each class. Classes in ``labels``
    are in alphabetical order, columns in theirs. With a matrix of similarities neither is read.

    Args:
        table: Path of the CSV file below the root, in UTF-8.
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
        columns, lines = self._lines(files.text(self.table))
        ids = np.array([line["path"].strip() for line in lines], dtype=np.str_)
        parts = np.array([line.get("split", "").strip() for line in lines], dtype=np.str_)
        if self.similarity_file is not None:
            self.matrix = _matrix(self.similarity_file, len(ids), self.table)
            return Catalogue(ids, np.zeros((len(ids), 0), dtype=np.uint8), [], parts)
        if "labels" in columns:
            names = [{name.strip() for name in line["labels"].split(";")} - {""} for line in lines]
            classes = sorted(set().union(*names))
            labels = [[label in present for label in classes] for present in names]
        else:
            classes = [column for column in columns if column not in {"path", "split"}]
            wrong = [line["path"] for line in lines if any(line[label] not in {"0", "1"} for label in classes)]
            if wrong:
                msg = f"{self.table} should have 0 or 1 in the columns of classes; it has not for {first_few(wrong)}"
                raise ValueError(msg)
            labels = [[line[label] == "1" for label in classes] for line in lines]
        return Catalogue(ids, np.array(labels, dtype=np.uint8).reshape(len(ids), len(classes)), classes, parts)

    def _lines(self, text: str) -> tuple[list[str], list[dict[str, str]]]:
        """Columns, and the values of each line by them.

        Raises:
            ValueError: There is no column of paths, or a line without a path or with another number of values.
        """
        reader = csv.DictReader(io.StringIO(text))
        try:
            numbered = [(reader.line_num, line) for line in reader]
        except csv.Error as error:
            msg = f"{self.table} is not a table of comma-separated values: {error} in line {reader.line_num}"
            raise ValueError(msg) from error
        columns = list(reader.fieldnames or [])
        if "path" not in columns:
            msg = f"{self.table} needs a header with a column path, found {', '.join(columns) or 'nothing'}"
            raise ValueError(msg)
        # csv keeps values that are too many under None, and gives None for those that are too few.
        uneven = [number for number, line in numbered if None in line or None in line.values()]
        if uneven:
            msg = (
                f"{self.table} should have {len(columns)} values in each line, as many as its header, and has not in"
                f" line {first_few(map(str, uneven))}; labels are separated by ';', and a value with a comma needs"
                " quotation marks"
            )
            raise ValueError(msg)
        nameless = [number for number, line in numbered if not line["path"].strip()]
        if nameless:
            msg = f"{self.table} has no path in line {first_few(map(str, nameless))}"
            raise ValueError(msg)
        return columns, [line for _, line in numbered]


def _matrix(file: str, count: int, table: str) -> NDArray[np.generic]:
    """Map a matrix of similarities.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no npy file, or of another number of images.
    """
    matrix = read_npy(Path(file).expanduser(), f"data.similarity={file!r}")
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
        class_names: Path below the root of a file with one name per line; null names the classes by their
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
                        f"{name} should have a path and {self.num_classes} times 0 or 1 in each line"
                        f" (data.num_classes), found {line!r}"
                    )
                    raise ValueError(msg)
                values = tuple(int(word) for word in words[1:])
                if labels.setdefault(words[0], values) != values:
                    msg = f"{words[0]} has other labels in {name} than in a list before it"
                    raise ValueError(msg)
                parts[words[0]] = f"{parts[words[0]]} {part}" if words[0] in parts else part
        classes = files.lines(self.names_file) if self.names_file else [str(i) for i in range(self.num_classes)]
        multi_hot = np.array(list(labels.values()), dtype=np.uint8).reshape(len(labels), self.num_classes)
        return Catalogue(np.array(list(labels)), multi_hot, classes, np.array(list(parts.values())))


class FoldersDataModule(PhotoDataModule):
    """Photos in a folder for each label: ``<label>/*.jpg``, or ``train/<label>/*.jpg`` and so on.

    Each photo has one label, the name of its folder. The second form is taken where every photo lies below
    ``train``, ``query`` or ``database``; the first needs a protocol that samples. Classes and photos are in
    alphabetical order.

    Args:
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    hint = "Put a folder for each label there, with its photos, or set data.root to where they are."

    def catalogue(self, files: Files) -> Catalogue:
        """Photos by their paths.

        Raises:
            FileNotFoundError: There are none.
        """
        paths = [PurePosixPath(name) for name in files.names()]
        paths = [path for path in paths if path.suffix.lower() in SUFFIXES and len(path.parts) > 1]
        if not paths:
            msg = f"data.root={self.root!r} has no folders with photos.\n  {self.hint}"
            raise FileNotFoundError(msg)
        divided = all(path.parts[0] in _SPLITS and len(path.parts) > 2 for path in paths)
        names = [path.parts[1 if divided else 0] for path in paths]
        classes = sorted(set(names))
        labels = np.array([[name == label for label in classes] for name in names], dtype=np.uint8)
        parts = np.array([path.parts[0] if divided else "" for path in paths])
        return Catalogue(np.array([str(path) for path in paths]), labels, classes, parts)
