"""Bit-scalable deep hashing with regularised similarity learning."""

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.means import mean_over
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss
from softhash.losses.dnnh import hinge, squared_distances
from softhash.losses.triplets import triplets


class DRSCHLoss(PairwiseLoss):
    r"""Hinge of triplets, and a graph Laplacian, on codes whose bits have weights.

    With weighted codes v, an image that is more similar to p than to n costs
    :math:`\max(0, m + \lVert v - v_p \rVert^2 - \lVert v - v_n \rVert^2)`; the mean is over the triplets of the batch.
    The margin m grows with the steps. The ``graph`` term is :math:`\beta \operatorname{tr} V^\top L V` with the
    Laplacian L of the similarities: :math:`\beta / 2` times the sum over pairs of
    :math:`s \lVert v_i - v_j \rVert^2`.

    The weights are those of :class:`softhash.hashers.drsch.WeightedEncoder`.

    Source: Zhang, Lin, Zhang, Zuo and Zhang, IEEE TIP 2015; the authors' Caffe code, by reading. Its gradient of the
    ``graph`` term is half of ours.

    Differs: shorter codes from the bits with the largest weights are not here. Similar images share a label and others
    do not, which is ours for images of several labels.

    Args:
        margin: m of the first steps.
        margin_growth: How much m grows each time.
        every: Steps between two changes of m.
        graph_weight: beta.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: An argument is negative, or ``every`` below 1.
    """

    takes_counts = True
    margin: Tensor

    def __init__(
        self,
        margin: float = 5.0,
        margin_growth: float = 0.1,
        every: int = 10000,
        graph_weight: float = 0.001,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, margin=margin, margin_growth=margin_growth, graph_weight=graph_weight)
        check_at_least(1, every=every)
        self.first_margin, self.margin_growth, self.every = margin, margin_growth, every
        self.graph_weight = graph_weight
        self.register_buffer("margin", torch.tensor(float(margin)))

    def on_step(self, step: int, total: int) -> None:
        """Set the margin before an optimisation step."""
        self.margin.fill_(self.first_margin + self.margin_growth * (step // self.every))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``triplet`` and ``graph`` from weighted codes."""
        s, distances = self.pairs(labels, rows), squared_distances(relaxed)
        triplet = mean_over(hinge(distances, self.margin.item()), triplets(s))
        return {"triplet": triplet, "graph": self.graph_weight * (s * distances).sum() / 2}
