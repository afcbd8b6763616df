"""MIRFLICKR-25K."""

import re
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.data.tags import multi_hot
from softhash.storage.archive import Files
from softhash.text import first_few

_ANNOTATIONS = "mirflickr25k_annotations_v080/"
_TAGS = "mirflickr/meta/tags/tags"
_FREQUENT = 20  # photos that must have a tag


class MirFlickr25KDataModule(PhotoDataModule):
    """25,000 Flickr photos with 24 potential labels or, with the 14 stricter ``_r1`` ones as well, 38.

    Layout: ``mirflickr/im1.jpg`` to ``im25000.jpg`` and ``mirflickr25k_annotations_v080/*.txt``, each a class
    with the numbers of its photos. Classes are in alphabetical order, photos by number.

    Where ``data.tags`` is a folder, or the archive mirflickr25k.zip, tags are the words in
    ``mirflickr/meta/tags/tags1.txt`` and so on that at least 20 photos have, in alphabetical order: 1,386 in all.

    Source: Huiskes and Lew, MIR 2008.

    Args:
        relevant_labels: Also use the 14 ``_r1`` lists, of photos that annotators found relevant to the class.
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    published = MappingProxyType({"": 25_000})
    hint = (
        "Unpack mirflickr25k.zip and mirflickr25k_annotations_v080.zip there, so that it holds"
        f" mirflickr/im1.jpg and {_ANNOTATIONS}sky.txt, or set data.root to where they are."
    )

    def __init__(self, *, relevant_labels: bool, **photos: Any) -> None:
        super().__init__(**photos)
        self.relevant_labels = relevant_labels

    def catalogue(self, files: Files) -> Catalogue:
        """Photos by number, and the lists of their classes."""
        names = files.names()
        there = (re.fullmatch(r"mirflickr/im(\d+)\.jpg", name) for name in names)
        lists = sorted(name for name in names if re.fullmatch(rf"{_ANNOTATIONS}(?!README)\w+\.txt", name))
        lists = [name for name in lists if self.relevant_labels or not name.endswith("_r1.txt")]
        if not lists:
            files.require([f"{_ANNOTATIONS}sky.txt"])
        annotated = [_numbers(files, name) for name in lists]
        numbers = sorted({int(photo[1]) for photo in there if photo}.union(*annotated))
        place_of = {number: place for place, number in enumerate(numbers)}
        labels = np.zeros((len(numbers), len(lists)), dtype=np.uint8)
        for column, photos in enumerate(annotated):
            labels[[place_of[number] for number in photos], column] = 1
        class_names = [name.removeprefix(_ANNOTATIONS).removesuffix(".txt") for name in lists]
        ids = np.array([f"mirflickr/im{number}.jpg" for number in numbers])
        return Catalogue(ids, labels, class_names, np.full(len(ids), ""))

    def read_tags(self, path: str, ids: NDArray[np.str_]) -> NDArray[np.generic]:
        """Tags ``(N, T)`` of the photos, from an npy file, or of words from the lists of the data set.

        Raises:
            FileNotFoundError: There is no such file, or no list of a photo.
            ValueError: It is no npy file, or no archive.
        """
        if Path(path).suffix == ".npy":
            return super().read_tags(path, ids)
        files = Files(path, "data.tags", f"Unpack mirflickr25k.zip there, so that it holds {_TAGS}1.txt.")
        lists = [name.replace("mirflickr/im", _TAGS).replace(".jpg", ".txt") for name in ids.tolist()]
        files.require(lists)
        texts = (files.read(name).decode(errors="replace") for name in lists)
        return multi_hot([set(text.split()) for text in texts], at_least=_FREQUENT)


def _numbers(files: Files, name: str) -> list[int]:
    lines = files.lines(name)
    wrong = [line for line in lines if not line.isdecimal()]
    if wrong:
        msg = f"{name} should have one number of a photo per line, found {first_few([repr(line) for line in wrong])}"
        raise ValueError(msg)
    return [int(line) for line in lines]
