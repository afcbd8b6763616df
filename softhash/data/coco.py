"""MS-COCO."""

import json
from types import MappingProxyType
from typing import Any

import numpy as np

from softhash.data.photos import PhotoDataModule
from softhash.data.protocols import Catalogue
from softhash.storage.archive import Files


class COCODataModule(PhotoDataModule):
    """Photos of 80 categories of objects, of which 123,287 in 2014.

    Layout: ``<part>/*.jpg`` and ``annotations/instances_<part>.json``. Classes are in alphabetical order,
    photos in that of the parts and, in a part, of their numbers.

    Source: Lin et al., Microsoft COCO: Common Objects in Context, ECCV 2014.

    Args:
        parts: Official splits, such as ``train2014`` and ``val2014``.
        photos: See :class:`softhash.data.photos.PhotoDataModule`.
    """

    published = MappingProxyType({"train2014": 82_783, "val2014": 40_504, "train2017": 118_287, "val2017": 5_000})

    def __init__(self, *, parts: list[str], **photos: Any) -> None:
        super().__init__(**photos)
        self.parts = parts
        self.hint = (
            f"Unpack the images and annotations of {' and '.join(parts)} there, so that it holds"
            f" {parts[0]}/*.jpg and annotations/instances_{parts[0]}.json, or set data.root to their place."
        )

    def catalogue(self, files: Files) -> Catalogue:
        """Photos, with the categories of their objects."""
        names = [f"annotations/instances_{part}.json" for part in self.parts]
        files.require(names)
        ids: list[str] = []
        parts: list[str] = []
        present: list[set[int]] = []
        categories: dict[int, str] = {}
        for part, name in zip(self.parts, names, strict=True):
            try:
                stored = json.loads(files.read(name))
                categories |= {category["id"]: category["name"] for category in stored["categories"]}
                images = {image["id"]: image["file_name"] for image in stored["images"]}
                objects: dict[int, set[int]] = {image: set() for image in images}
                for box in stored["annotations"]:
                    objects[box["image_id"]].add(box["category_id"])
            except (ValueError, KeyError, TypeError) as error:
                msg = f"{name} is broken, or annotates an image that it does not list: {error!r}"
                raise ValueError(msg) from error
            ids += [f"{part}/{images[image]}" for image in sorted(images)]
            parts += [part] * len(images)
            present += [objects[image] for image in sorted(images)]
        order = sorted(categories, key=lambda category: categories[category])
        column_of = {category: column for column, category in enumerate(order)}
        labels = np.zeros((len(ids), len(order)), dtype=np.uint8)
        for place, categories_there in enumerate(present):
            labels[place, [column_of[category] for category in categories_there]] = 1
        return Catalogue(np.array(ids), labels, [categories[category] for category in order], np.array(parts))
