"""Data sets of photos with one list of labels, split into the four sets."""

from abc import abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.transforms.v2 import CenterCrop

from softhash.data.base import RetrievalDataModule, RetrievalSet, Transform, cut_validation
from softhash.data.images import Files, Photos


class PhotoDataModule(RetrievalDataModule):
    """Photos below ``root``: sampled by seed into training, query and database images, or split by a list.

    Training images without labels are left out, as nothing can be learnt from them; queries and database
    images without labels stay, as in the published protocols, and are relevant to nothing.

    Args:
        root: Folder as the official archives unpack, or a zip archive of it.
        split_file: npz with an array ``split`` in the order of the images: 0 database, 1 train, 2 query. None
            samples the split by ``seed``.
        num_train: Training images, those for validation included.
        num_query: Queries; what is left is the database.
        num_validation: Images to select models on, cut from the training images.
        resize: Short side in pixels.
        image_size: Side of the square that is cut out of the resized photo.
        augment: Of a resized training photo, to a square of ``image_size``.
        num_classes: C.
        batch_size: Images a step and process.
        num_workers: Loading processes.
        seed: Of sampled splits and of the order of training images.
    """

    hint: str

    def __init__(
        self,
        root: str,
        split_file: str | None,
        num_train: int,
        num_query: int,
        num_validation: int,
        resize: int,
        image_size: int,
        augment: Transform,
        num_classes: int,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(num_classes, batch_size, num_workers, seed)
        if resize < image_size:
            msg = f"data.resize={resize} is smaller than image_size={image_size}, which is cut out of the resized photo"
            raise ValueError(msg)
        self.root, self.split_file = root, split_file
        self.num_train, self.num_query, self.num_validation = num_train, num_query, num_validation
        self.resize, self.image_size, self.augment = resize, image_size, augment

    @abstractmethod
    def listed(self, files: Files) -> tuple[NDArray[np.str_], NDArray[np.uint8], list[str]]:
        """Paths of all photos ``(N,)``, their labels ``(N, C)``, and the names of the classes."""

    def load(self) -> dict[str, RetrievalSet]:
        """Read the lists, check that every photo is there, and split."""
        files = Files(self.root, self.hint)
        ids, labels, self.class_names = self.listed(files)
        files.require(ids.tolist())
        train, query, database = self.split(len(ids))
        train = train[labels[train].any(1)]
        train, validation = cut_validation(train, self.num_validation, self.seed)
        photos, centre = Photos(files, self.resize), CenterCrop(self.image_size)
        rows = {"train": train, "validation": validation, "query": query, "database": database}
        return {
            name: RetrievalSet(
                ids[chosen], torch.from_numpy(labels[chosen]), photos, self.augment if name == "train" else centre
            )
            for name, chosen in rows.items()
        }

    def split(self, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows of training, query and database images, sorted.

        Raises:
            ValueError: There are fewer images than asked for, or another number than in the split file.
        """
        if self.split_file is not None:
            with np.load(self.split_file) as stored:
                split = stored["split"]
            if len(split) != size:
                msg = f"data.split_file={self.split_file!r} splits {len(split)} images, data.root has {size}"
                raise ValueError(msg)
            return np.flatnonzero(split == 1), np.flatnonzero(split == 2), np.flatnonzero(split == 0)
        if self.num_train + self.num_query >= size:
            msg = f"{self.num_train} training images and {self.num_query} queries leave no database: there are {size} images"
            raise ValueError(msg)
        order = np.random.default_rng(self.seed).permutation(size)
        parts = np.split(order, [self.num_train, self.num_train + self.num_query])
        train, query, database = (np.sort(part) for part in parts)
        return train, query, database
