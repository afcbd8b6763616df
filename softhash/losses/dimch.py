"""DIMCH: triplets weighted by what they add to a discounted gain."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, count
from softhash.losses.base import PairwiseLoss


class DIMCHLoss(PairwiseLoss):
    r"""A hinge for triplets, each weighted by the gain of its similar image.

    With r the number of shared labels and :math:`d = \max(1 - \cos, 0)`, an image i, one j with :math:`r_{ij} > 0` and
    one k with :math:`r_{ik} = 0` cost :math:`\max(0, w_{ij} (d_{ij} - d_{ik} + m))` with

    .. math::
        w_{ij} = \frac{2^{r_{ij}} - 1}{Z_i}, \qquad Z_i = \sum_p \frac{2^{r_{(p)}} - 1}{\log_2 (p + 1)},

    where the r of an image are sorted, so that Z is the best discounted gain that the batch allows. The ``triplet``
    term is the mean over triplets that cost anything. Each image is similar to itself; the order among similar images
    is not asked for.

    Source: IEEE TIP 2025 (ieeexplore 10974482); formula of the authors' code, for images alone. Differs: without the
    terms on sets of tokens, on discrepancy of modalities, on uniformity and on quantisation (1/50 of this one).

    Args:
        margin: m.
        similarity: Compares label vectors; ``count`` is the paper's.

    Raises:
        ValueError: ``margin`` is negative.

    Example:
        >>> labels = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        >>> DIMCHLoss()(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), labels, torch.arange(2))["triplet"]  # 1 apart
        tensor(0.)
    """

    takes_counts = True

    def __init__(self, margin: float = 0.3, similarity: Similarity = count) -> None:
        super().__init__(similarity)
        check_at_least(0, margin=margin)
        self.margin = margin

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``triplet``."""
        codes = F.normalize(relaxed)
        return {"triplet": weighted_triplets(codes @ codes.T, self.pairs(labels, rows), self.margin)}


def weighted_triplets(cosines: Tensor, similarity: Tensor, margin: float) -> Tensor:
    """The term of :class:`DIMCHLoss`, 0-d.

    Args:
        cosines: ``(A, B)`` of codes.
        similarity: ``(A, B)``, at least 0.
        margin: m.
    """
    distance = (1 - cosines).relu()
    gain = torch.exp2(similarity) - 1
    discount = torch.arange(2, gain.shape[1] + 2, device=gain.device, dtype=gain.dtype).log2()
    ideal = (gain.sort(1, descending=True).values / discount).sum(1, keepdim=True)
    weight = gain / ideal.where(ideal > 0, 1.0)
    hinge = (distance[:, :, None] - distance[:, None] + margin).relu()
    cost = weight[:, :, None] * (similarity == 0)[:, None] * hinge
    return cost.sum() / (cost > 1e-16).sum().clamp(min=1)
