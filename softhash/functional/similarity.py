"""How similar images are, by their labels. A row without labels is not similar to any, also not to itself."""

from typing import Protocol

import torch
from torch import Tensor


class Similarity(Protocol):
    """What compares images by their labels."""

    def __call__(self, labels: Tensor, others: Tensor) -> Tensor:
        """``(A, C)`` and ``(B, C)`` multi-hot float to ``(A, B)`` of the same dtype, at least 0."""


def share(labels: Tensor, others: Tensor) -> Tensor:
    """1 where a label is shared, else 0; ``(A, C)`` and ``(B, C)`` multi-hot float to ``(A, B)``."""
    return (labels @ others.T > 0).to(labels.dtype)


def cosine(labels: Tensor, others: Tensor) -> Tensor:
    """Cosine of the label vectors, in [0, 1]; ``(A, C)`` and ``(B, C)`` multi-hot float to ``(A, B)``.

    Example:
        >>> labels = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
        >>> cosine(labels, labels)
        tensor([[1.0000, 0.7071],
                [0.7071, 1.0000]])
    """
    sizes, other_sizes = labels.sum(1).clamp(min=1)[:, None], others.sum(1).clamp(min=1)[None]
    return labels @ others.T / (sizes * other_sizes).sqrt()


def jaccard(labels: Tensor, others: Tensor) -> Tensor:
    """Shared labels over labels of either, in [0, 1]; ``(A, C)`` and ``(B, C)`` multi-hot float to ``(A, B)``."""
    shared = labels @ others.T
    return shared / (labels.sum(1)[:, None] + others.sum(1)[None] - shared).clamp(min=1)


def check_bounded(similarity: Similarity, user: str) -> None:
    """Refuse a similarity that is above 1 for two images with the same two labels, as a count is.

    Args:
        similarity: Compares label vectors.
        user: Name of the loss that needs similarities in [0, 1].

    Raises:
        ValueError: Names the similarity and the loss.
    """
    value = similarity(torch.ones(1, 2), torch.ones(1, 2)).item()
    if value > 1:
        name = getattr(getattr(similarity, "func", similarity), "__name__", repr(similarity))
        msg = (
            f"similarity={name} is {value:g} for two images with the same two labels; {user} needs similarities in"
            " [0, 1], such as share, cosine or jaccard"
        )
        raise ValueError(msg)


def count(labels: Tensor, others: Tensor) -> Tensor:
    """Number of shared labels, not bounded by 1; ``(A, C)`` and ``(B, C)`` multi-hot float to ``(A, B)``."""
    return labels @ others.T
