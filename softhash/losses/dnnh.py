"""Simultaneous feature learning and hash coding with deep neural networks."""

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.means import mean_over
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss
from softhash.losses.triplets import triplets


class DNNHLoss(PairwiseLoss):
    r"""Hinge of the squared distances of triplets.

    With codes :math:`F = (u + 1) / 2` in [0, 1], an image that is more similar to p than to n costs
    :math:`\max(0, m + \lVert F - F_p \rVert^2 - \lVert F - F_n \rVert^2)`. For binary codes the squared distance is the
    Hamming distance, so with m = 1 the similar image should be nearer. The mean is over the triplets of the batch.

    Source: Lai, Pan, Liu and Yan, CVPR 2015, also known as NINH; formula from memory, and from caffe-dnnh, a
    re-implementation, by reading. It has a margin of 2 at 12 bits and twice the gradient.

    Differs: all triplets of the batch, where the paper draws them beforehand. Similar images share a label and
    others do not, which is ours for images of several labels.

    Args:
        margin: m.
        similarity: Compares label vectors; with ``share``, similar images are those that share a label. Only its order
            counts.

    Raises:
        ValueError: ``margin`` is negative.
    """

    takes_counts = True

    def __init__(self, margin: float = 1.0, similarity: Similarity = share) -> None:
        super().__init__(similarity)
        check_at_least(0, margin=margin)
        self.margin = margin

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``triplet`` from relaxed codes in [-1, 1]."""
        cost = hinge(squared_distances(relaxed) / 4, self.margin)
        return {"triplet": mean_over(cost, triplets(self.pairs(labels, rows)))}


def squared_distances(relaxed: Tensor) -> Tensor:
    """``(B, B)`` squared Euclidean distances of ``(B, K)`` codes."""
    squares = relaxed.square().sum(1)
    return (squares[:, None] + squares[None] - 2 * relaxed @ relaxed.T).clamp(min=0)


def hinge(distances: Tensor, margin: float) -> Tensor:
    """Cost of each triplet: ``(B, B)`` distances to ``(B, B, B)`` by image, similar one and other."""
    return torch.relu(margin + distances[:, :, None] - distances[:, None, :])
