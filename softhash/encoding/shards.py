"""Codes of many photos, kept on disk while they are computed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from softhash.encoding.photos import Photos, stacked
from softhash.storage.cache import ArrayCache

Encode = Callable[[Tensor], Tensor]  # (B, channels, height, width) uint8 images to (B, W) packed codes


def shards(folder: Path, photos: Photos, about: Mapping[str, str], processes: int) -> list[ArrayCache]:
    """Where the codes of consecutive photos lie while not all are there, a part for each process; empty parts are none.

    A row is a code and a byte that is 1 where the photo could not be read. What was made of other photos, by another
    encoder or with another number of processes is begun anew.

    Args:
        folder: Holds nothing else.
        photos: All of them.
        about: What made the codes.
        processes: At least 1.
    """
    bounds = [len(photos) * part // processes for part in range(processes + 1)]
    made_of = dict(about) | {"photos": photos.fingerprint(), "preprocessing": repr(photos.preprocessing)}
    return [
        ArrayCache(folder / f"{start}-{end}", made_of, end - start, "uint8", option="out")
        for start, end in pairwise(bounds)
        if end > start
    ]


def fill(
    shard: ArrayCache,
    photos: Photos,
    encode: Encode,
    *,
    skip: bool,
    batch_size: int,
    num_workers: int,
    progress: Callable[[int], None],
) -> None:
    """Encode the photos of a part that are not encoded yet.

    Args:
        shard: One of :func:`shards`, whose folder names its first and last photo.
        photos: All of them.
        encode: Images to packed codes.
        skip: Leave photos out that cannot be read; else stop at the first one.
        batch_size: Photos that are encoded at once.
        num_workers: Number of loading processes.
        progress: Called with the number of photos of this part that are done.

    Raises:
        ValueError: A photo cannot be read, and is not to be left out.
        OSError: The disk is full. What was encoded is kept.
    """
    first, last = map(int, shard.folder.name.split("-"))

    def rows(start: int) -> Iterator[Sequence[Tensor]]:
        progress(start)
        rest = Subset(photos, range(first + start, last))
        together = partial(stacked, like=photos.preprocessing)
        loader: DataLoader[Tensor | None] = DataLoader(
            rest,
            batch_size,
            num_workers=num_workers,
            collate_fn=together,
        )
        for images, unreadable in loader:
            if unreadable.any() and not skip:
                row = first + start + int(unreadable.argmax())
                msg = (
                    f"{photos.problem(row)}\n  Mend the photo and go on with the same command, or set unreadable=skip."
                )
                raise ValueError(msg)
            codes = encode(images).cpu()
            yield list(torch.cat([codes, unreadable[:, None].byte()], dim=1))
            start += len(images)
            progress(start)

    shard.build(rows)


def merged(parts: Sequence[ArrayCache]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Codes ``(N, W)`` of whole parts, and ``(N,)`` which photos could not be read."""
    rows = np.concatenate([part.stacked().numpy() for part in parts])
    return rows[:, :-1], rows[:, -1] > 0
