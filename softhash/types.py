"""What passes between the parts: a batch of a split, and how a loss sees the training set."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Batch(NamedTuple):
    """Some rows of one split.

    Attributes:
        inputs: ``(B, channels, height, width)`` uint8 images, or ``(B, D)`` float32 features of a frozen
            backbone; a tuple of them for methods with several views or modalities.
        labels: ``(B, C)`` uint8 multi-hot; of data with a matrix of similarities, ``(B, 1)`` int64 numbers of images
            (:class:`softhash.functional.similarity.SimilarityMatrix`).
        rows: ``(B,)`` int64 positions in the split.
    """

    inputs: Tensor | tuple[Tensor, ...]
    labels: Tensor
    rows: Tensor


class TrainingSet(Protocol):
    """The whole training set, as a loss sees it in ``setup`` and the epoch hooks."""

    @property
    def labels(self) -> Tensor:
        """``(N, C)`` uint8 multi-hot, in row order."""

    @property
    def bits(self) -> int:
        """Code length K."""

    def encode(self) -> tuple[Tensor, Tensor]:
        """Features ``(N, D)`` and relaxed codes ``(N, K)``, float32, in row order, without gradient.

        One inference pass over the training set without augmentation, gathered over all processes.
        Not available in ``setup``, before the network has been placed on its device.
        """
