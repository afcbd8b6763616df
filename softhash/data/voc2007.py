"""PASCAL VOC2007."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.data.images import Files
from softhash.data.photos import PhotoDataModule

_YEAR = "VOCdevkit/VOC2007"


class VOC2007DataModule(PhotoDataModule):
    """Photos of 20 classes of objects; a class whose objects are all marked difficult does not count as present.

    Layout: ``VOCdevkit/VOC2007/JPEGImages/*.jpg`` and ``ImageSets/Main/<class>_<part>.txt``, each line an image
    and 1, 0 (difficult ones only) or -1. Classes are in alphabetical order.

    Source: Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010.

    Args:
        parts: Which lists the images come from: of ``trainval`` and ``test``.
        kwargs: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    hint = f"Unpack the VOC2007 archives there, so that it holds {_YEAR}/JPEGImages, or set data.root to where they are."

    def __init__(self, parts: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.parts = parts

    def listed(self, files: Files) -> tuple[NDArray[np.str_], NDArray[np.uint8], list[str]]:
        """Photos in the order of the parts' lists, and the lists of their classes."""
        main = f"{_YEAR}/ImageSets/Main"
        files.require([f"{main}/{part}.txt" for part in self.parts])
        classes = sorted(
            name.removeprefix(f"{main}/").removesuffix(f"_{self.parts[0]}.txt")
            for name in files.names
            if name.startswith(f"{main}/") and name.endswith(f"_{self.parts[0]}.txt")
        )
        images = [line for part in self.parts for line in files.lines(f"{main}/{part}.txt")]
        row_of = {image: row for row, image in enumerate(images)}
        labels = np.zeros((len(images), len(classes)), dtype=np.uint8)
        for column, label in enumerate(classes):
            for part in self.parts:
                name = f"{main}/{label}_{part}.txt"
                for line in files.lines(name):
                    image, _, state = line.partition(" ")
                    if image not in row_of:
                        msg = f"{name} lists {image}, which is not in {part}.txt"
                        raise ValueError(msg)
                    labels[row_of[image], column] = state.strip() == "1"
        return np.array([f"{_YEAR}/JPEGImages/{image}.jpg" for image in images]), labels, classes
