"""MIRFLICKR-25K."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.data.images import Files
from softhash.data.photos import PhotoDataModule

_ANNOTATIONS = "mirflickr25k_annotations_v080/"


class MirFlickr25KDataModule(PhotoDataModule):
    """25,000 Flickr photos with 24 potential labels or, with the 14 stricter ``_r1`` ones as well, 38.

    Layout: ``mirflickr/im1.jpg`` to ``im25000.jpg`` and ``mirflickr25k_annotations_v080/*.txt``, each a class
    with the numbers of its photos. Classes are in alphabetical order.

    Source: Huiskes and Lew, MIR 2008.

    Args:
        relevant_labels: Also use the 14 ``_r1`` lists, of photos that annotators found relevant to the class.
        kwargs: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    hint = (
        "Unpack mirflickr25k.zip and mirflickr25k_annotations_v080.zip there, so that it holds mirflickr/im1.jpg and"
        f" {_ANNOTATIONS}sky.txt, or set data.root to where they are."
    )

    def __init__(self, relevant_labels: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.relevant_labels = relevant_labels

    def listed(self, files: Files) -> tuple[NDArray[np.str_], NDArray[np.uint8], list[str]]:
        """Photos by number, and the lists of their classes."""
        numbers = sorted(int(found[1]) for name in files.names if (found := re.fullmatch(r"mirflickr/im(\d+)\.jpg", name)))
        lists = sorted(name for name in files.names if name.startswith(_ANNOTATIONS) and name.endswith(".txt"))
        lists = [name for name in lists if self.relevant_labels or not name.endswith("_r1.txt")]
        lists = [name for name in lists if not name.endswith("README.txt")]
        if not lists:
            files.require([f"{_ANNOTATIONS}sky.txt"])
        row_of = {number: row for row, number in enumerate(numbers)}
        labels = np.zeros((len(numbers), len(lists)), dtype=np.uint8)
        for column, name in enumerate(lists):
            annotated = [int(line) for line in files.lines(name)]
            files.require([f"mirflickr/im{number}.jpg" for number in annotated])
            labels[[row_of[number] for number in annotated], column] = 1
        names = [name.removeprefix(_ANNOTATIONS).removesuffix(".txt") for name in lists]
        return np.array([f"mirflickr/im{number}.jpg" for number in numbers]), labels, names
