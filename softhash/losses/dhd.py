"""DHD: deep hash distillation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from softhash.functional.checks import check_at_least
from softhash.losses.base import HashLoss
from softhash.losses.proxies import random_proxies
from softhash.types import TrainingSet


class DHDLoss(HashLoss):
    r"""Classification by learned proxies of a view, which the code of another view of the image follows.

    For the first view of each image (the teacher), the ``proxy`` term is the mean cross-entropy of
    :math:`\cos(u, p_c) / \tau` with a target that is spread evenly over the classes of the image; an image without
    labels adds 0. The ``quantization`` term is :math:`\beta` times the binary cross-entropies of the bumps
    :math:`\exp(-(u - 1)^2 / 2 \sigma^2)` and :math:`\exp(-(u + 1)^2 / 2 \sigma^2)` with whether u is above 0 and
    whether it is not, each a mean over entries, where logarithms are at least -100. The ``distillation`` term is
    :math:`\alpha` times the mean of one less the cosine of the second view's code with the first's, which is a
    constant for the gradient.

    Consecutive rows of a batch are views of one image.

    Source: Jang et al., ECCV 2022; loss of the authors' code, which changes the labels in place as it goes, as here it
    does not. Differs: both views are augmented alike; theirs are, the first, weakly.

    Args:
        temperature: tau.
        distillation_weight: alpha.
        quantization_weight: beta.
        width: sigma.
        seed: Seed of the proxies.

    Raises:
        ValueError: A weight is negative, or ``temperature`` or ``width`` not above 0.
    """

    proxies: nn.Parameter
    views = 2

    def __init__(
        self,
        temperature: float = 0.2,
        distillation_weight: float = 0.1,
        quantization_weight: float = 0.1,
        width: float = 0.5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(0, distillation_weight=distillation_weight, quantization_weight=quantization_weight)
        if temperature <= 0 or width <= 0:
            msg = f"temperature and width must be above 0, got {temperature} and {width}"
            raise ValueError(msg)
        self.temperature, self.distillation_weight = temperature, distillation_weight
        self.quantization_weight, self.width, self.seed = quantization_weight, width, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the proxies."""
        self.proxies = random_proxies(train.labels.shape[1], train.bits, self.seed)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``proxy``, ``distillation`` and ``quantization``."""
        teacher, student, own = relaxed[::2], relaxed[1::2], labels[::2]
        likelihoods = (F.normalize(teacher) @ F.normalize(self.proxies).T / self.temperature).log_softmax(1)
        target = own / own.sum(1, keepdim=True).clamp(min=1)
        follows = 1 - F.cosine_similarity(student, teacher.detach())
        return {
            "proxy": -(target * likelihoods).sum(1).mean(),
            "distillation": self.distillation_weight * follows.mean(),
            "quantization": self.quantization_weight * self._bumps(teacher),
        }

    def _bumps(self, relaxed: Tensor) -> Tensor:
        """Cross-entropies of the bumps at 1 and -1 with the bits."""
        bit = (relaxed > 0).to(relaxed.dtype)
        sides: list[tuple[float, Tensor]] = [(1.0, bit), (-1.0, 1 - bit)]
        return torch.stack(
            [
                F.binary_cross_entropy((-((relaxed - side) / self.width).square() / 2).exp(), target)
                for side, target in sides
            ]
        ).sum()
