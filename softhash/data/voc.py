"""PASCAL VOC."""

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np

from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.storage.archive import Files
from softhash.text import first_few

_PUBLISHED = {
    2007: {"train": 2_501, "val": 2_510, "trainval": 5_011, "test": 4_952},
    2012: {"train": 5_717, "val": 5_823, "trainval": 11_540},
}

CLASSES = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip


class VOCDataModule(PhotoDataModule):
    """Photos of 20 classes of objects; one whose objects are all marked difficult does not count as present.

    Layout: ``VOCdevkit/VOC<year>/JPEGImages/*.jpg`` and ``ImageSets/Main/<part>.txt``, each line an image.
    Labels are those of ``ImageSets/Main/<class>_<part>.txt``, each line an image and 1, 0 (difficult ones
    only) or -1; without such files, those of the objects in ``Annotations/*.xml``. Classes are in
    alphabetical order, photos in the order of the parts.

    Source: Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 2010.

    Args:
        year: 2007 or 2012.
        parts: Official splits that the images come from: of ``train``, ``val``, ``trainval`` and ``test``.
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    def __init__(self, *, year: int, parts: list[str], **photos: Any) -> None:
        super().__init__(**photos)
        self.parts, self.folder = parts, f"VOCdevkit/VOC{year}"
        self.published = _PUBLISHED.get(year, {})
        self.hint = (
            f"Unpack the VOC{year} archives there, so that it holds {self.folder}/JPEGImages, or set"
            " data.root to where they are."
        )

    def catalogue(self, files: Files) -> Catalogue:
        """Photos in the order of the parts' lists, and the lists of their classes."""
        main = f"{self.folder}/ImageSets/Main"
        files.require([f"{main}/{part}.txt" for part in self.parts])
        part_of: dict[str, str] = {}
        for part in self.parts:
            for image in files.lines(f"{main}/{part}.txt"):
                part_of[image] = f"{part_of[image]} {part}" if image in part_of else part
        suffix = f"_{self.parts[0]}.txt"
        lists = [name for name in files.names() if name.startswith(f"{main}/") and name.endswith(suffix)]
        classes = sorted(name.removeprefix(f"{main}/").removesuffix(suffix) for name in lists)
        if not set(classes) <= set(CLASSES):
            msg = f"{main} has lists of what is no class of VOC: {first_few(sorted(set(classes) - set(CLASSES)))}"
            raise ValueError(msg)
        present = self._from_lists(files, classes, part_of) if classes else self._from_objects(files, list(part_of))
        classes = classes or sorted({label for labels in present.values() for label in labels})
        labels = np.array([[label in present[image] for label in classes] for image in part_of], dtype=np.uint8)
        ids = np.array([f"{self.folder}/JPEGImages/{image}.jpg" for image in part_of])
        return Catalogue(ids, labels, classes, np.array(list(part_of.values())))

    def _from_lists(self, files: Files, classes: list[str], part_of: dict[str, str]) -> dict[str, set[str]]:
        """Classes of each image, by the lists of classes."""
        present: dict[str, set[str]] = {image: set() for image in part_of}
        for part in self.parts:
            for label in classes:
                name = f"{self.folder}/ImageSets/Main/{label}_{part}.txt"
                for line in files.lines(name):
                    image, _, state = line.partition(" ")
                    if image not in present:
                        msg = f"{name} lists {image}, which is not in {part}.txt"
                        raise ValueError(msg)
                    if state.strip() not in {"1", "0", "-1"}:
                        msg = f"{name} should have an image and 1, 0 or -1 per line, found {line!r}"
                        raise ValueError(msg)
                    if state.strip() == "1":
                        present[image].add(label)
        return present

    def _from_objects(self, files: Files, images: list[str]) -> dict[str, set[str]]:
        """Classes of each image, by its annotated objects."""
        files.require([f"{self.folder}/Annotations/{image}.xml" for image in images])
        present: dict[str, set[str]] = {}
        broken, unknown = [], []
        for image in images:
            name = f"{self.folder}/Annotations/{image}.xml"
            try:
                # expat refuses entities that grow without end since 2.4, and reads no other file.
                objects = ET.fromstring(files.read(name)).findall("object")  # noqa: S314
            except (ET.ParseError, ValueError, LookupError) as error:  # the latter of unknown encodings
                broken.append(f"{name} ({error})")
                continue
            plain = (thing for thing in objects if thing.findtext("difficult", "0").strip() != "1")
            present[image] = {thing.findtext("name", "").strip() for thing in plain}
            unknown += [f"{name} ({label or 'no name'})" for label in sorted(present[image] - set(CLASSES))]
        if broken:
            msg = f"{len(broken)} of {len(images)} annotations are not XML: {first_few(broken)}"
            raise ValueError(msg)
        if unknown:
            msg = f"{len(unknown)} annotated objects are of no class of VOC: {first_few(unknown)}"
            raise ValueError(msg)
        return present
