"""SDC: similarity distribution calibration."""

from functools import lru_cache

import torch.nn.functional as F
from scipy.special import betaincinv
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.losses.base import HashLoss
from softhash.losses.greedyhash import cosine_of_halves


class SDCLoss(HashLoss):
    r"""Cosines of codes in the order of those of features, but spread out over a range of their own.

    Each image of the first half of a batch is paired with one of the second (the last image of an odd batch is left
    out). The pair whose features have the k-th smallest cosine of n should have the cosine
    :math:`2 F^{-1}((k - 1/2) / n) - 1`, where F is the distribution function of a beta distribution with both
    parameters :math:`\beta`, or 0 where that is negative. The ``similarity`` term is the mean absolute difference, the
    ``quantization`` term :math:`\lambda` times the mean of :math:`1 - \cos(u, \mathrm{sign}\, u)`. Labels are not read.

    Source: Ng et al., BMVC 2023; loss and values of the authors' code, which has a contrastive term as an option.

    Args:
        beta: Both parameters of the beta distribution.
        orthogonal: No pair is drawn apart further than a right angle.
        quantization_weight: lambda.

    Raises:
        ValueError: The weight is negative, or ``beta`` not above 0.
    """

    learns_from = "nothing"

    def __init__(self, beta: float = 5.0, orthogonal: bool = True, quantization_weight: float = 1.0) -> None:
        super().__init__()
        check_at_least(0, quantization_weight=quantization_weight)
        if beta <= 0:
            msg = f"beta must be above 0, got {beta}"
            raise ValueError(msg)
        self.beta, self.orthogonal, self.quantization_weight = beta, orthogonal, quantization_weight

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor, features: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        """Compute ``similarity`` and ``quantization``."""
        cosines = cosine_of_halves(relaxed)[cosine_of_halves(features.detach()).argsort(stable=True)]
        target = cosines.new_tensor(beta_quantiles(len(cosines), self.beta))
        difference = (cosines - (target.relu() if self.orthogonal else target)).abs()
        quantization = (1 - F.cosine_similarity(relaxed, signs(relaxed))).mean()
        return {
            "similarity": difference.sum() / max(1, len(difference)),
            "quantization": self.quantization_weight * quantization,
        }


@lru_cache(maxsize=8)
def beta_quantiles(count: int, beta: float) -> tuple[float, ...]:
    """Ascending quantiles at (k - 1/2) / count of a beta distribution with equal parameters, stretched to [-1, 1].

    Example:
        >>> [round(quantile, 3) for quantile in beta_quantiles(3, beta=1.0)]  # a uniform distribution
        [-0.667, 0.0, 0.667]
    """
    return tuple(2 * float(betaincinv(beta, beta, (k + 0.5) / count)) - 1 for k in range(count))
