"""Mosaics of real handwritten digits: a multi-label data set that needs no download."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from softhash.data.base import RetrievalDataModule, Split, TensorSplit, Transform, each
from softhash.data.protocols import SPLITS

_CELL = 8  # pixels
_WORDS, _USED, _WRONG = 3, 0.5, 0.05  # tags for each digit, and how often one of its, and of others, is given
_POOLS = {"train": 0.45, "validation": 0.1, "query": 0.1, "database": 0.35}  # shares of the source digits


class DigitsDataModule(RetrievalDataModule):
    """Grids of 2 x 2 cells with one to four of scikit-learn's 1,797 digits (8 x 8 pixels) in random cells.

    The labels are the digits that are present, 2.25 on average. The source digits are divided among the four
    splits before any mosaic is composed, so no handwritten digit is in two splits. Equal seeds give equal
    mosaics.

    There are 30 tags, made up to try methods that learn from images and tags: three words for each digit, of which a
    mosaic has each of a digit that is present half the time, and each of another digit one time in twenty.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.

    Args:
        num_train: Number of mosaics to train on.
        num_validation: Number of mosaics to select models on.
        num_query: Number of queries.
        num_database: Number of mosaics to search.
        augment: From a training mosaic to what the network sees.
        num_classes: 10.
        batch_size: Images per step and process.
        num_workers: Number of loading processes; the mosaics are in memory, so 0 is fastest.
        seed: Seed of the mosaics and of the order of training images.
    """

    def __init__(
        self,
        *,
        num_train: int,
        num_validation: int,
        num_query: int,
        num_database: int,
        augment: Transform,
        num_classes: int,
        batch_size: int,
        num_workers: int,
        seed: int,
    ) -> None:
        super().__init__(num_classes, batch_size, num_workers, seed)
        self.sizes = dict(zip(SPLITS, (num_train, num_validation, num_query, num_database), strict=True))
        self.augment = augment
        self.class_names = [str(digit) for digit in range(10)]

    def load(self) -> dict[str, Split]:
        """Compose the mosaics of the four splits."""
        digits = load_digits()
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(digits.target))
        bounds = (np.cumsum(list(_POOLS.values())) * len(order)).round().astype(int)
        pools = dict(zip(_POOLS, np.split(order, bounds[:-1]), strict=True))
        pixels = (digits.images * 255 / 16).round().astype(np.uint8)
        mosaics = [compose(pixels[pools[name]], digits.target[pools[name]], self.sizes[name], rng) for name in SPLITS]
        images, augmented = torch.cat([images for images, _ in mosaics]), partial(each, transform=self.augment)
        self.tags = describe(torch.cat([labels for _, labels in mosaics]), np.random.default_rng([self.seed, 1]))
        splits: dict[str, Split] = {}
        start = 0
        for name, (_, labels) in zip(SPLITS, mosaics, strict=True):
            ids = np.array([f"{name}-{row:06d}" for row in range(len(labels))])
            places = np.arange(start, start + len(labels))
            splits[name] = TensorSplit(ids, labels, places, images, augmented if name == "train" else nn.Identity())
            start += len(labels)
        return splits


def compose(
    pixels: NDArray[np.uint8], targets: NDArray[np.int64], count: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Put one to four random digits into random cells, each cell at most one.

    Args:
        pixels: ``(S, 8, 8)`` source digits.
        targets: ``(S,)`` which digit each is.
        count: N.
        rng: Source of randomness.

    Returns:
        ``(N, 1, 16, 16)`` uint8 images and ``(N, 10)`` uint8 labels.
    """
    filled = rng.random((count, 4)).argsort(1) < rng.integers(1, 5, (count, 1))
    chosen = rng.integers(0, len(pixels), (count, 4))
    cells = pixels[chosen] * filled[:, :, None, None].astype(np.uint8)
    images = cells.reshape(count, 2, 2, _CELL, _CELL).swapaxes(2, 3).reshape(count, 1, 2 * _CELL, 2 * _CELL)
    labels = np.zeros((count, 10), dtype=np.uint8)
    mosaic, cell = filled.nonzero()
    labels[mosaic, targets[chosen[mosaic, cell]]] = 1
    return torch.from_numpy(images), torch.from_numpy(labels)


def describe(labels: Tensor, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Tags of mosaics with ``(N, 10)`` labels, ``(N, 30)`` of 0 and 1; columns 0 to 2 are words for the digit 0."""
    right = labels.numpy().repeat(_WORDS, axis=1) > 0
    return (rng.random(right.shape) < np.where(right, _USED, _WRONG)).astype(np.uint8)
