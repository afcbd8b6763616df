"""CIFAR-10."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torchvision.datasets import CIFAR10
from torchvision.transforms.v2.functional import resize

from softhash.data.base import RetrievalDataModule, Split, TensorSplit, Transform, each
from softhash.data.protocols import Catalogue, RetrievalProtocol, divide


class CIFAR10DataModule(RetrievalDataModule):
    """60,000 pictures of 32 x 32 pixels, each of one of 10 classes; official splits ``train`` and ``test``.

    Layout: ``cifar-10-batches-py``, as the official archive unpacks.

    Source: Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009.

    Args:
        root: Folder that holds ``cifar-10-batches-py``.
        protocol: Which pictures are trained on, queries and database.
        num_validation: Number of images to select models on, cut from the training images.
        image_size: Side in pixels that the pictures are resized to.
        augment: From a resized training picture to what the network sees.
        num_classes: 10.
        batch_size: Images per step and process.
        num_workers: Number of loading processes; the pictures are in memory, so 0 is fast.
        seed: Seed of the validation images and of the order of training images.
    """

    def __init__(
        self,
        *,
        root: str,
        protocol: RetrievalProtocol,
        num_validation: int,
        image_size: int,
        augment: Transform,
        num_classes: int,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(num_classes, batch_size, num_workers, seed)
        self.root = root
        self.protocol = protocol
        self.num_validation = num_validation
        self.image_size = image_size
        self.augment = augment

    def load(self) -> dict[str, Split]:
        """Read and divide the pictures.

        Raises:
            FileNotFoundError: They are not below ``root``.
        """
        try:
            parts = {part: CIFAR10(self.root, train=part == "train") for part in ("train", "test")}
        except RuntimeError as error:
            msg = (
                f"CIFAR-10 not found: data.root={self.root!r} has no complete cifar-10-batches-py.\n"
                "  Unpack cifar-10-python.tar.gz there, or set data.root to where it is."
            )
            raise FileNotFoundError(msg) from error
        self.class_names = parts["train"].classes
        images = torch.from_numpy(np.concatenate([part.data for part in parts.values()])).permute(0, 3, 1, 2)
        targets = np.concatenate([part.targets for part in parts.values()])
        names = np.array([f"{name}-{row:05d}" for name, part in parts.items() for row in range(len(part))])
        origin = np.array([name for name, part in parts.items() for _ in range(len(part))])
        multi_hot = np.eye(len(self.class_names), dtype=np.uint8)[targets]
        catalogue = Catalogue(names, multi_hot, self.class_names, origin)
        plain = partial(_scale, side=self.image_size, then=None)
        augmented = partial(_scale, side=self.image_size, then=partial(each, transform=self.augment))
        return {
            name: TensorSplit(names[places], labels, places, images, augmented if name == "train" else plain)
            for name, (places, labels) in divide(catalogue, self.protocol, self.num_validation, self.seed).items()
        }


def _scale(images: Tensor, side: int, then: Callable[[Tensor], Tensor] | None) -> Tensor:
    """Resize pictures, and maybe go on from there."""
    if images.shape[-1] != side:
        images = resize(images, [side, side], antialias=True)
    return then(images) if then else images
