"""An index: a folder with the codes of named images, and an engine that searches them.

In Python::

    index = Index.open("photos.index")
    for neighbours in index.search(codes, top_k=20):
        print(neighbours.names, neighbours.distances)
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fnmatch import translate
from pathlib import Path
from re import compile as pattern_of
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from torch import Tensor

from softhash.functional.checks import whole_number
from softhash.functional.codes import check_codes
from softhash.functional.tables import check_tables
from softhash.runs.build import build
from softhash.search.collection import Collection
from softhash.search.engine import Engine, Filter, Hits
from softhash.storage.atomic import atomic_folder
from softhash.text import first_few

_FILE = "index.json"


@dataclass(frozen=True)
class Neighbours:
    """What one query finds, nearest first; equal distances in the order of the index.

    Attributes:
        names: Of n images.
        distances: ``(n,)`` int64 in bits; or float64 by a method with a distance of its own, comparable for one query.
        labels: Names of the labels of each image; empty where they are not known.
        rows: ``(n,)`` int64 positions in the index.
    """

    names: list[str]
    distances: NDArray[np.int64] | NDArray[np.float64]
    labels: list[list[str]]
    rows: NDArray[np.int64]


class Index:
    """Named codes that are searched.

    Attributes:
        collection: The codes, their names, code length and encoder, and labels.
        engine: What searches them.
    """

    def __init__(self, folder: Path, collection: Collection, engine: Engine) -> None:
        self.folder, self.collection, self.engine = folder, collection, engine
        self._searcher = engine.open(collection, folder)

    @classmethod
    def open(cls, folder: str | Path, *, trust: bool = False) -> "Index":
        """Open what :func:`write_index` wrote; arrays are mapped into memory.

        Args:
            folder: Of the index.
            trust: Also run an engine that is no part of softhash, such as one of a project of your own.

        Raises:
            FileNotFoundError: It is not the folder of an index.
            ValueError: A file of it is damaged, or the engine is to be trusted first.
            OSError: The server of the engine cannot be reached.
        """
        collection, engine = _read(Path(folder), trust)
        return cls(Path(folder), collection, engine)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.collection)

    def search(
        self, queries: NDArray[Any] | Tensor, top_k: int = 20, *, label: str | None = None, name: str | None = None
    ) -> list[Neighbours]:
        """The nearest images of each query.

        Args:
            queries: What an encoder gives as ``codes.query``: ``(Q, W)`` packed uint8, or ``(Q, W, 256)`` tables.
            top_k: How many to find for each; fewer come where a filter leaves fewer, or the engine is approximate.
            label: Search among images with this label only.
            name: Search among names that match a pattern only, such as ``holiday/*``.

        Returns:
            Q lists of neighbours.

        Raises:
            ValueError: Queries of another code length, ``top_k`` above the number of images, no such label, or a search
                that the engine has not.
            OSError: The server of the engine cannot be reached.
        """
        top_k = whole_number("top_k", top_k)
        if not 1 <= top_k <= len(self):
            msg = f"top_k must be at least 1 and at most {len(self)}, the number of images in the index, got {top_k}"
            raise ValueError(msg)
        return self._named(self._searcher.nearest(self._checked(queries), top_k, Filter(label, name)))

    def within(
        self, queries: NDArray[Any] | Tensor, radius: int, *, label: str | None = None, name: str | None = None
    ) -> list[Neighbours]:
        """All images within a radius of each query, in bits; for the rest see :meth:`search`."""
        radius = whole_number("radius", radius)
        if radius < 0:
            msg = f"radius must be at least 0, got {radius}"
            raise ValueError(msg)
        return self._named(self._searcher.within(self._checked(queries), radius, Filter(label, name)))

    def _checked(self, queries: NDArray[Any] | Tensor) -> NDArray[Any]:
        tensor = torch.as_tensor(queries).cpu()
        if tensor.ndim == 3:
            check_tables(tensor, torch.empty(0, self.collection.codes.shape[1], dtype=torch.uint8))
        else:
            check_codes(tensor, self.collection.bits, "queries")
        return tensor.numpy()

    def _named(self, found: list[Hits]) -> list[Neighbours]:
        return [
            Neighbours(
                [self.collection.names[row] for row in hits.rows.tolist()],
                hits.distances,
                [self.collection.labels_of(row) for row in hits.rows.tolist()],
                hits.rows,
            )
            for hits in found
        ]


def write_index(collection: Collection, engine: Engine, folder: Path) -> None:
    """Make an index of a collection.

    The folder appears when all is there. Where the engine keeps codes on a server, what a killed process has brought
    there stays, and the same call completes it.

    Raises:
        ValueError: There is something at ``folder`` already, names are not unique, or the engine cannot hold the codes.
        OSError: The disk is full, or the server cannot be reached.
    """
    collection.check_names()
    with _locked(folder):
        if folder.exists():
            msg = f"out={folder} is there already; change it by add=... or delete=..., or choose another folder"
            raise ValueError(msg)
        with _written(folder, collection, engine) as aside:
            engine.build(collection, aside)


def add_to_index(folder: Path, new: Collection, *, trust: bool = False) -> Collection:
    """Add images after those of an index; gives all of them.

    Raises:
        ValueError: They do not compare with those of the index, or a name is there already.
        OSError: The disk is full, or the server cannot be reached; the index is as it was.
    """
    with _locked(folder):
        old, engine = _read(folder, trust)
        collection = old.joined(new)
        with _written(folder, collection, engine) as aside:
            engine.add(collection, len(old), aside)
    return collection


def delete_from_index(folder: Path, names: Sequence[str], *, trust: bool = False) -> Collection:
    """Delete images from an index; gives those that are left.

    Args:
        folder: Of the index.
        names: Names, or patterns such as ``holiday/*``; an image of exactly that name goes before a pattern.
        trust: As in :meth:`Index.open`.

    Raises:
        ValueError: A name or pattern is not there, or nothing would be left.
        OSError: The disk is full, or the server cannot be reached; the same call goes on.
    """
    with _locked(folder):
        old, engine = _read(folder, trust)
        gone = _chosen(old, names)
        if gone.all():
            msg = f"delete=... would leave nothing of the {len(old)} images; delete the folder {folder} instead"
            raise ValueError(msg)
        collection = old.take(np.flatnonzero(~gone))
        with _written(folder, collection, engine) as aside:
            engine.delete(collection, [old.names[row] for row in np.flatnonzero(gone).tolist()], aside)
    return collection


def _chosen(collection: Collection, wanted: Sequence[str]) -> NDArray[np.bool_]:
    """``(N,)`` which images some names or patterns mean."""
    rows = {name: row for row, name in enumerate(collection.names)}
    chosen = np.zeros(len(collection), dtype=bool)
    missing = []
    for text in wanted:
        matches = pattern_of(translate(text)).match
        found = [rows[text]] if text in rows else [row for name, row in rows.items() if matches(name)]
        chosen[found] = True
        missing += [] if found else [text]
    if missing:
        msg = f"the index has no {first_few(missing)}; nothing was deleted"
        raise ValueError(msg)
    return chosen


def _read(folder: Path, trust: bool) -> tuple[Collection, Engine]:
    path = folder / _FILE
    if not path.is_file():
        msg = f"{folder} is not the folder of an index: it has no {_FILE}; softhash index codes=... out=... makes one"
        raise FileNotFoundError(msg)
    try:
        engine = build(_mapping(path), trust=trust)
    except (TypeError, ValueError) as error:
        msg = f"{path} is damaged, or names an engine that is not there: {error}"
        raise ValueError(msg) from error
    if not isinstance(engine, Engine):
        msg = f"{path} is damaged: it describes a {type(engine).__name__} and no engine"
        raise ValueError(msg)  # noqa: TRY004 - a value of a file, not a type in code
    return Collection.read(folder), engine


def _mapping(path: Path) -> Mapping[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        msg = "it holds no object"
        raise ValueError(msg)  # noqa: TRY004 - as above
    return content


@contextmanager
def _written(folder: Path, collection: Collection, engine: Engine) -> Iterator[Path]:
    """Give a folder aside with all but what the engine adds; it takes the place of the index when the block ends.

    The class and the options of the engine are noted as :func:`softhash.runs.build.build` makes it again.
    """
    target = f"{type(engine).__module__}.{type(engine).__qualname__}"
    content = {"_target_": target, **asdict(engine)}  # type: ignore[call-overload]
    with atomic_folder(folder) as aside:
        collection.write_files(aside)
        (aside / _FILE).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        yield aside


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Be the only process that changes an index."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.with_name(f".{folder.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        msg = f"another process changes {folder}; wait for it"
        raise OSError(msg) from error
    try:
        yield
    finally:
        lock.release()
