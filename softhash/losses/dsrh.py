"""Deep semantic ranking based hashing."""

import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.means import mean_over
from softhash.functional.similarity import Similarity, count
from softhash.losses.base import PairwiseLoss
from softhash.losses.triplets import triplets


class DSRHLoss(PairwiseLoss):
    r"""Hinge of triplets, weighted by what their order is worth in discounted cumulative gain.

    With r the number of shared labels and codes :math:`x = \tanh(z / 2)`, twice a sigmoid minus 1, an image q for which
    :math:`r_p > r_n` costs

    .. math::
        \frac{2^{r_p} - 2^{r_n}}{Z_q} \max\Big(0, m + \frac{\langle x_q, x_n \rangle - \langle x_q, x_p \rangle}{2}\Big)

    where the bracket is m plus the difference of the Hamming distances of p and n, and Z is the largest gain that the
    list can have, :math:`\sum_k (2^{r_k} - 1) / \ln (1 + k)` in descending order of r. The ``balance`` term is
    :math:`\alpha / 2` times the squared length of the mean code.

    The head gives z; the loss applies the sigmoid.

    Source: Zhao, Huang, Wang and Tan, CVPR 2015, arXiv:1501.06272; weights and natural logarithms of the authors'
    code by reading, the balance term of the paper from memory.

    Differs: the list of an image is the rest of the batch, and the mean is over all triplets; the authors' code draws
    for each image one with most shared labels, one with fewer and one with none, and images of rare classes more often.
    Their hash layer sees the last two layers of AlexNet together; here it sees the features of the backbone.

    Args:
        margin: m, in bits; 5 at 64 bits in the authors' code.
        balance_weight: alpha.
        similarity: r; ``count`` is the paper's.

    Raises:
        ValueError: The margin or the weight is negative.
    """

    takes_counts = True

    def __init__(self, margin: float = 5.0, balance_weight: float = 1.0, similarity: Similarity = count) -> None:
        super().__init__(similarity)
        check_at_least(0, margin=margin, balance_weight=balance_weight)
        self.margin, self.balance_weight = margin, balance_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``triplet`` and ``balance`` from z, the output of the head."""
        codes, r = torch.tanh(relaxed / 2), self.pairs(labels, rows)
        inner = codes @ codes.T / 2
        cost = ranking_weights(r) * torch.relu(self.margin + inner[:, None, :] - inner[:, :, None])
        balance = codes.mean(0).square().sum() / 2
        return {"triplet": mean_over(cost, triplets(r)), "balance": self.balance_weight * balance}


def ranking_weights(shared: Tensor) -> Tensor:
    """Weight of each triplet; see :class:`DSRHLoss`.

    Args:
        shared: r, ``(B, B)``; what an image shares with itself does not count.

    Returns:
        ``(B, B, B)`` by image, nearer and farther one; negative where the order is the other way round.
    """
    gains = torch.exp2(shared)
    others = (gains - 1).masked_fill(torch.eye(len(shared), dtype=torch.bool, device=shared.device), 0.0)
    ranks = torch.arange(1, len(shared) + 1, dtype=shared.dtype, device=shared.device)
    best = (others.sort(1, descending=True).values / torch.log1p(ranks)).sum(1)
    return (gains[:, :, None] - gains[:, None, :]) / torch.where(best > 0, best, 1.0)[:, None, None]
