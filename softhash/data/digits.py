"""Mosaics of real handwritten digits: a multi-label data set that needs no download."""

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from softhash.data.base import SETS, RetrievalDataModule, RetrievalSet, TensorSet, Transform, each

_CELL = 8  # pixels
_POOLS = {"train": 0.45, "validation": 0.1, "query": 0.1, "database": 0.35}  # shares of the source digits


class DigitsDataModule(RetrievalDataModule):
    """Grids of 2 x 2 cells with one to four of scikit-learn's 1,797 digits (8 x 8 pixels) in random cells.

    The labels are the digits that are present, 2.25 on average. The source digits are divided among the four
    sets before any mosaic is composed, so no handwritten digit is in two sets. Equal seeds give equal
    mosaics.

    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998.

    Args:
        num_train: Mosaics to train on.
        num_validation: Mosaics to select models on.
        num_query: Queries.
        num_database: Database mosaics.
        augment: Of a training mosaic.
        num_classes: 10.
        batch_size: Images a step and process.
        num_workers: Loading processes; the mosaics are in memory, so 0 is fastest.
        seed: Of the mosaics and of the order of training images.
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
        self.sizes = dict(zip(SETS, (num_train, num_validation, num_query, num_database), strict=True))
        self.augment = augment
        self.class_names = [str(digit) for digit in range(10)]

    def load(self) -> dict[str, RetrievalSet]:
        """Compose the mosaics of the four sets."""
        digits = load_digits()
        rng = np.random.default_rng(self.seed)
        order = rng.permutation(len(digits.target))
        bounds = (np.cumsum(list(_POOLS.values())) * len(order)).round().astype(int)
        pools = dict(zip(_POOLS, np.split(order, bounds[:-1]), strict=True))
        pixels = (digits.images * 255 / 16).round().astype(np.uint8)
        sets: dict[str, RetrievalSet] = {}
        augmented = partial(each, transform=self.augment)
        start = 0
        for name in SETS:
            images, labels = compose(pixels[pools[name]], digits.target[pools[name]], self.sizes[name], rng)
            ids = np.array([f"{name}-{row:06d}" for row in range(len(images))])
            places = np.arange(start, start + len(images))
            sets[name] = TensorSet(ids, labels, places, images, augmented if name == "train" else nn.Identity())
            start += len(images)
        return sets


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
