"""Which images of a batch should be nearer to an image than which others."""

import torch
from torch import Tensor


def triplets(similarity: Tensor, *, with_itself: bool = False) -> Tensor:
    """Say for each image which of two others is more similar to it.

    With a similarity of 0 and 1 these are the triplets of an image, one that is similar and one that is not.

    Args:
        similarity: ``(A, B)`` real; square if images do not compare with themselves. An entry that is NaN is in no
            triplet.
        with_itself: Whether an image is among the others of itself.

    Returns:
        ``(A, B, B)`` bool; a, p, n is true where p is more similar to a than n is.

    Example:
        >>> triplets(torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])).nonzero().tolist()
        [[0, 1, 2], [1, 0, 2]]
    """
    if not with_itself:
        similarity = similarity.clone().fill_diagonal_(torch.nan)
    return similarity[:, :, None] > similarity[:, None, :]
