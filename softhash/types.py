"""What passes between the parts: a batch of a split, its codes, and how a loss sees the training set."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Some rows of one split.

    Attributes:
        inputs: ``(B, channels, height, width)`` uint8 images, or ``(B, D)`` float32 features of a frozen
            backbone.
        labels: ``(B, C)`` uint8 multi-hot; C is 0 where a matrix gives similarities.
        rows: ``(B,)`` int64 positions in the split.
        tags: ``(B, T)`` float32, how often each image has each tag; T is 0 where the data set has no tags.
    """

    inputs: Tensor
    labels: Tensor
    rows: Tensor
    tags: Tensor = torch.empty(0, 0)


class Codes(NamedTuple):
    """What images are as queries, and as items of the database.

    Attributes:
        query: ``(B, W)`` packed uint8 codes, to be compared by Hamming distance; or ``(B, W, 256)`` float32 tables,
            where the score of an item is the sum over its bytes of what the table has for them, larger is nearer.
        database: ``(B, W)`` uint8.
        bits: Code length.
        relaxed: ``(B, K)`` float32 values before the sign, for statistics.
        relaxed_rows: ``(n,)`` int64 rows of the database that the relaxed values are of, where they are kept for n of
            them alone.
    """

    query: Tensor
    database: Tensor
    bits: int
    relaxed: Tensor
    relaxed_rows: Tensor | None = None


class TrainingSet(Protocol):
    """The whole training set, as a loss sees it in ``setup`` and the epoch hooks."""

    @property
    def labels(self) -> Tensor:
        """``(N, C)`` uint8 multi-hot, in row order; C is 0 where a matrix gives similarities."""

    @property
    def bits(self) -> int:
        """Code length K."""

    @property
    def similarity(self) -> Callable[[Tensor, Tensor], Tensor] | None:
        """Given similarities of ``(A,)`` rows to ``(B,)`` rows, ``(A, B)`` in [0, 1]; None where labels say them."""

    def encode(self, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features ``(n, D)`` and relaxed codes ``(n, K)``, float32, without gradient.

        One inference pass over the training set, or ``(n,)`` ascending rows of it, without augmentation, gathered
        over all processes. Not available in ``setup``, before the network has been placed on its device.
        """
