"""NUS-WIDE."""

from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.storage.archive import Files

_LIST, _CONCEPTS, _LABELS = "ImageList/Imagelist.txt", "ConceptsList/Concepts81.txt", "Groundtruth/AllLabels"


class NUSWideDataModule(PhotoDataModule):
    r"""269,648 Flickr photos of 81 concepts. Some are no longer at Flickr: ``missing=skip`` leaves them out.

    Layout: ``Flickr/<folder>/<name>.jpg``, ``ImageList/Imagelist.txt`` with ``<folder>\<name>.jpg`` per line,
    and ``Groundtruth/AllLabels/Labels_<concept>.txt`` with 0 or 1 for each of its lines.

    Source: Chua et al., NUS-WIDE: A Real-World Web Image Database from National University of Singapore, CIVR
    2009.

    Args:
        concepts: Names of the concepts, in the order of the labels; null for those of
            ``ConceptsList/Concepts81.txt``.
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    published = MappingProxyType({"": 269_648})
    hint = (
        "Unpack the archives of NUS-WIDE there, so that it holds Flickr/actor/0001_2124494179.jpg,"
        f" {_LIST} and {_LABELS}/Labels_sky.txt, or set data.root to where they are."
    )

    def __init__(self, *, concepts: list[str] | None, **photos: Any) -> None:
        super().__init__(**photos)
        self.concepts = concepts

    def catalogue(self, files: Files) -> Catalogue:
        """Photos in the order of the image list."""
        files.require([_LIST])
        ids = np.array(["Flickr/" + line.replace("\\", "/") for line in files.lines(_LIST)])
        concepts = list(self.concepts) if self.concepts else files.lines(_CONCEPTS)
        files.require([f"{_LABELS}/Labels_{concept}.txt" for concept in concepts])
        labels = np.empty((len(ids), len(concepts)), dtype=np.uint8)
        for column, concept in enumerate(concepts):
            labels[:, column] = _column(files, f"{_LABELS}/Labels_{concept}.txt", len(ids))
        return Catalogue(ids, labels, concepts, np.full(len(ids), ""))


def _column(files: Files, name: str, count: int) -> NDArray[np.uint8]:
    """One 0 or 1 per line."""
    characters = np.frombuffer(files.read(name), dtype=np.uint8)
    values: NDArray[np.uint8] = characters[(characters == ord("0")) | (characters == ord("1"))] - ord("0")
    if len(values) != count:
        msg = f"{name} has {len(values)} lines of 0 or 1, {_LIST} has {count} images"
        raise ValueError(msg)
    return values
