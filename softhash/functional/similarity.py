"""How similar two images are, by their labels."""

from typing import Literal

from torch import Tensor

Similarity = Literal["share", "cosine", "jaccard", "count"]


def similarity(labels: Tensor, others: Tensor, kind: Similarity) -> Tensor:
    """Similarity of every row of one label matrix to every row of another.

    A row without labels has similarity 0 to every row, also to itself.

    Args:
        labels: ``(A, C)`` multi-hot float.
        others: ``(B, C)`` multi-hot float.
        kind: ``share``, 1 where a label is shared, else 0; ``cosine`` of the label vectors; ``jaccard``, shared
            labels over labels of either; ``count`` of shared labels.

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
