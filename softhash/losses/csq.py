"""Central similarity quantization."""

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet

_TRIES = 20  # of random centres, as in the authors' code


class CSQLoss(HashLoss):
    r"""Cross-entropy of each bit with the bit of a hash centre.

    Each class has a binary centre; the centre of an image is the majority of those of its classes, and where
    they are split, a random bit that is drawn once. With :math:`u = \tanh z` and t a centre in plus and minus
    one, the ``center`` term is the mean binary cross-entropy of :math:`(u + 1) / 2` with :math:`(t + 1) / 2`,
    and the quantisation term :math:`\lambda` times the mean of :math:`(|u| - 1)^2`.

    The head is linear: the cross-entropy is computed from z, where it cannot overflow.

    Source: Yuan et al., CVPR 2020, arXiv:1908.00347; authors' code. Their optional pairwise term has weight 0 in
    all published commands and is left out.
    Centres are rows of a Hadamard matrix and of its negative where the code length is a power of two and at
    least half the number of classes, else random ones that are far apart: 12, 24, 36 and 48 bits are random.

    Args:
        quantization_weight: lambda.
        seed: Of random centres and of the random bits for ties.

    Raises:
        ValueError: ``quantization_weight`` is negative.
    """

    centers: Tensor
    tie: Tensor

    def __init__(self, quantization_weight: float = 1e-4, seed: int = 0) -> None:
        super().__init__()
        check_at_least(0, quantization_weight=quantization_weight)
        self.quantization_weight, self.seed = quantization_weight, seed

    def setup(self, train: TrainingSet) -> None:
        """Choose a centre for each class, and the bits for ties."""
        rng = torch.Generator().manual_seed(self.seed)
        self.register_buffer("centers", hash_centers(train.labels.shape[1], train.bits, rng))
        self.register_buffer("tie", _random_signs((train.bits,), rng))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``center`` and ``quantization`` from z, the output of a linear head."""
        votes = labels @ self.centers.to(labels.dtype)
        target = torch.where(votes == 0, self.tie.to(labels.dtype), votes.sign())
        center = F.binary_cross_entropy_with_logits(2 * relaxed, (target + 1) / 2)  # (tanh z + 1) / 2 = sigmoid 2z
        quantization = (relaxed.tanh().abs() - 1).square().mean()
        return {"center": center, "quantization": self.quantization_weight * quantization}


def hash_centers(num_classes: int, bits: int, rng: torch.Generator) -> Tensor:
    """``(C, K)`` centres in plus and minus one, float32; see :class:`CSQLoss` for how they are chosen.

    Random centres have as many ones as minus ones (one more minus one for an odd K). Of 20 draws, the first is
    taken whose centres are at least K/4 apart and K/2 on average, else the one whose nearest two are farthest apart.
    """
    if bits & (bits - 1) == 0 and num_classes <= 2 * bits:
        rows = torch.ones(1, 1)
        while len(rows) < bits:  # Sylvester's construction
            rows = torch.cat([torch.cat([rows, rows], 1), torch.cat([rows, -rows], 1)])
        return torch.cat([rows, -rows])[:num_classes]
    candidates = []
    for _ in range(_TRIES):
        ranks = torch.rand(num_classes, bits, generator=rng).argsort(1).argsort(1)
        centers = torch.where(ranks < bits // 2, 1.0, -1.0)
        distances = (bits - centers @ centers.T)[~torch.eye(num_classes, dtype=torch.bool)] / 2
        nearest = distances.min().item() if num_classes > 1 else float(bits)
        if num_classes == 1 or (nearest > bits / 4 and distances.mean().item() >= bits / 2):
            return centers
        candidates.append((nearest, centers))
    return max(candidates, key=lambda candidate: candidate[0])[1]


def _random_signs(shape: tuple[int, ...], rng: torch.Generator) -> Tensor:
    return torch.randint(2, shape, generator=rng).float() * 2 - 1
