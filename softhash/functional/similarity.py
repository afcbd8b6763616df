"""How similar two images are, by their labels or by a matrix."""

import hashlib
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_ROWS = 256  # of a matrix looked at together


class SimilarityMatrix:
    """Similarities that are given, in place of labels.

    Images then have a number, ``(N, 1)``, where others have labels: their row of the matrix, counted from 1. What has
    the number 0 is similar to nothing.

    Args:
        values: ``(N, N)`` real in [0, 1], maybe mapped from a file; entry i, j is how similar j is to i.
        name: For error messages.

    Raises:
        ValueError: It is no square, or a value is NaN or outside [0, 1].
    """

    def __init__(self, values: NDArray[np.generic], name: str = "similarity") -> None:
        if values.ndim != 2 or values.shape[0] != values.shape[1]:
            msg = f"{name} should be a square matrix, (N, N), and has shape {values.shape}"
            raise ValueError(msg)
        for start in range(0, len(values), _ROWS):
            part = np.asarray(values[start : start + _ROWS], dtype=np.float32)
            wrong = ~((part >= 0) & (part <= 1))
            if wrong.any():
                row, column = np.argwhere(wrong)[0]
                msg = f"{name} should be in [0, 1]; image {start + row} has {part[row, column]} with image {column}"
                raise ValueError(msg)
        self.values = values

    def __call__(self, numbers: Tensor, others: Tensor) -> Tensor:
        """``(A, B)`` float32 similarities of images by their ``(A, 1)`` and ``(B, 1)`` numbers."""
        rows, columns = (part[:, 0].long().cpu().numpy() for part in (numbers, others))
        found = torch.from_numpy(self.values[np.ix_(rows - 1, columns - 1)].astype(np.float32))
        found[rows == 0] = 0
        found[:, columns == 0] = 0
        return found.to(numbers.device)

    def digest(self) -> str:
        """SHA-256 of the values."""
        parts = (self.values[start : start + _ROWS] for start in range(0, len(self.values), _ROWS))
        hashed = hashlib.sha256()
        for part in parts:
            hashed.update(np.ascontiguousarray(part, dtype=np.float32).tobytes())
        return hashed.hexdigest()


Similarity = Literal["share", "cosine", "jaccard", "count"] | SimilarityMatrix


def similarity(labels: Tensor, others: Tensor, kind: Similarity) -> Tensor:
    """Similarity of every row of one label matrix to every row of another.

    A row without labels has similarity 0 to every row, also to itself.

    Args:
        labels: ``(A, C)`` multi-hot float.
        others: ``(B, C)`` multi-hot float.
        kind: ``share``, 1 where a label is shared, else 0; ``cosine`` of the label vectors; ``jaccard``, shared
            labels over labels of either; ``count`` of shared labels; or a matrix that says it, by the numbers of
            the images that are there in place of labels.

    Returns:
        ``(A, B)`` of the same dtype; in [0, 1], but for ``count``.

    Raises:
        ValueError: ``kind`` is none of these.

    Example:
        >>> import torch
        >>> labels = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        >>> similarity(labels, labels, "cosine")
        tensor([[1.0000, 0.7071],
                [0.7071, 1.0000]])
    """
    if isinstance(kind, SimilarityMatrix):
        return kind(labels, others)
    shared = labels @ others.T
    if kind == "count":
        return shared
    if kind == "share":
        return (shared > 0).to(shared.dtype)
    own, theirs = labels.sum(1)[:, None], others.sum(1)[None]
    if kind == "cosine":
        return shared / (own * theirs).clamp(min=1).sqrt()
    if kind == "jaccard":
        return shared / (own + theirs - shared).clamp(min=1)
    msg = f"similarity must be share, cosine, jaccard or count, got {kind!r}"
    raise ValueError(msg)
