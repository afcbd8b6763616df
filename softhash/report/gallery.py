"""Pictures of some queries and of what they find."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2.functional import center_crop, resize

from softhash.functional.hamming import hamming_distance
from softhash.runs.folder import read_arrays, write_arrays

_QUERIES, _NEIGHBOURS, _SIDE = 8, 10, 96


def write_gallery(folder: Path, row: str, query: Any, database: Any) -> None:
    """Write ``gallery.npz``: thumbnails of evenly spaced queries and of their nearest database images.

    Equal distances keep the order of the database.

    Args:
        folder: Run folder.
        row: Whose codes.
        query: Set of queries; ``image(row)`` gives ``(3, height, width)`` uint8.
        database: Set of database images.
    """
    codes = read_arrays(folder / "codes" / f"{row}.npz")
    rows = np.linspace(0, len(query) - 1, min(_QUERIES, len(query)), dtype=np.int64)
    distances = hamming_distance(torch.from_numpy(codes["query"][rows]), torch.from_numpy(codes["database"])).numpy()
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :_NEIGHBOURS]
    write_arrays(
        folder / "gallery.npz",
        query_rows=rows,
        neighbour_rows=nearest,
        query_images=np.stack([_thumbnail(query.image(i)) for i in rows]),
        neighbour_images=np.stack([[_thumbnail(database.image(i)) for i in found] for found in nearest]),
        distances=np.take_along_axis(distances, nearest, axis=1),
    )


def _thumbnail(image: Tensor) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A small square of the centre; pixels of a smaller picture stay sharp."""
    image = center_crop(image, [min(image.shape[-2:])])
    mode = InterpolationMode.BILINEAR if min(image.shape[-2:]) > _SIDE else InterpolationMode.NEAREST
    small: Tensor = resize(image, [_SIDE, _SIDE], interpolation=mode)
    return small.numpy()
