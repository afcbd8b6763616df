"""IAPR TC-12."""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.storage.archive import Files

_PARTS = ("train", "test")


class IAPRTC12DataModule(PhotoDataModule):
    """19,627 photos of the IAPR TC-12 benchmark, with 291 words of their captions as labels.

    Layout: ``images/<folder>/<number>.jpg`` of ``iaprtc12.tgz`` beside the files of the annotation archive:
    ``iaprtc12_<part>_list.txt`` with ``<folder>/<number>`` per line, ``iaprtc12_<part>_annot.hvecs`` (16-bit
    integers: for each image the number of words, then 0 or 1 for each) and ``iaprtc12_dictionary.txt`` with
    the words, for the parts ``train`` and ``test``.

    Source: Grubinger et al., The IAPR TC-12 Benchmark, OntoImage 2006; labels of Makadia et al., ECCV 2008,
    as published by Guillaumin et al., TagProp, ICCV 2009.

    Args:
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    published = MappingProxyType({"train": 17_665, "test": 1_962})
    hint = (
        "Unpack iaprtc12.tgz and the annotations iaprtc12.20091111.tar.bz2 there, so that it holds"
        " images/00/25.jpg and iaprtc12_train_list.txt, or set data.root to where they are."
    )

    def catalogue(self, files: Files) -> Catalogue:
        """Photos in the order of the lists, train first."""
        files.require([f"iaprtc12_{part}_{kind}" for part in _PARTS for kind in ("list.txt", "annot.hvecs")])
        words = files.lines("iaprtc12_dictionary.txt")
        images = {part: files.lines(f"iaprtc12_{part}_list.txt") for part in _PARTS}
        labels = [_vectors(files, f"iaprtc12_{part}_annot.hvecs", len(images[part]), len(words)) for part in _PARTS]
        ids = np.array([f"images/{image}.jpg" for part in _PARTS for image in images[part]])
        parts = np.array([part for part in _PARTS for _ in images[part]])
        return Catalogue(ids, np.concatenate(labels), words, parts)


def _vectors(files: Files, name: str, count: int, width: int) -> NDArray[np.uint8]:
    """Read ``(count, width)`` vectors that start with their length.

    Raises:
        ValueError: They are of another number or length.
    """
    values = np.frombuffer(files.read(name), dtype="<i2")
    if len(values) != count * (width + 1) or (values[:: width + 1] != width).any():
        msg = f"{name} should hold {count} vectors of {width} words, as list and dictionary say, and does not"
        raise ValueError(msg)
    return (values.reshape(count, width + 1)[:, 1:] > 0).astype(np.uint8)
