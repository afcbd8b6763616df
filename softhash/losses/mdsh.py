"""MDSH: hash centres a minimal distance apart."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, share
from softhash.losses.bank import MemoryBank
from softhash.losses.base import PairwiseLoss
from softhash.losses.csq import hash_centers
from softhash.types import TrainingSet

_SWEEPS = 20  # over the centres, each of which may flip a bit


class MDSHLoss(PairwiseLoss):
    r"""Towards hash centres that are far apart, and towards similar images as a slower network sees them.

    With :math:`h_c` the centre of a class and :math:`p_{ic} = \mathrm{softmax}_c(\sqrt{q} \cos(u_i, h_c))`, the
    ``center`` term is the mean over images and classes of :math:`-y \log p - (1 - y) \log(1 - p)`. The ``pair`` term is
    the mean over similar pairs of :math:`\log(1 + e^{(1 - \cos(u_i, U_j)) / 2})`, where U holds the codes of the
    training images by a moving average of the network, as they were when last seen; it starts with epoch
    ``pair_epoch`` and is at least log 2. Quantisation is :math:`\lambda` times the mean of :math:`(|u| - 1)^2`.

    The moving average is that of :class:`softhash.hashers.mdsh.MDSHHasher`, which writes the bank.

    Source: Wang et al., CVPR 2023; formula of copies of the authors' loss, the paper was not read. Images that share a
    label are similar. Differs: for the search of centres see :func:`separate`.

    Args:
        pair_weight: Weight of pairs.
        pair_epoch: First epoch with pairs.
        quantization_weight: lambda.
        seed: Seed of random centres.
        similarity: Compares label vectors; ``share`` is the paper's.

    Raises:
        ValueError: A weight or ``pair_epoch`` is negative.
    """

    learns_from = "classes"  # of centres
    bank: MemoryBank
    centers: Tensor
    paired: Tensor

    def __init__(
        self,
        pair_weight: float = 1.0,
        pair_epoch: int = 9,
        quantization_weight: float = 1e-4,
        seed: int = 0,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_at_least(0, pair_weight=pair_weight, pair_epoch=pair_epoch, quantization_weight=quantization_weight)
        self.pair_weight, self.pair_epoch = pair_weight, pair_epoch
        self.quantization_weight, self.seed = quantization_weight, seed
        self.register_buffer("paired", torch.zeros(()))

    def setup(self, train: TrainingSet) -> None:
        """Choose a centre for each class, and make the memory bank."""
        super().setup(train)
        rng = torch.Generator().manual_seed(self.seed)
        self.register_buffer("centers", separate(hash_centers(train.labels.shape[1], train.bits, rng)))
        self.bank = MemoryBank(train.labels, train.bits)

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Let pairs count from an epoch on."""
        self.paired.fill_(float(epoch >= self.pair_epoch))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``center``, ``pair`` and ``quantization``."""
        codes, q = F.normalize(relaxed), relaxed.shape[1]
        likelihoods = (q**0.5 * codes @ F.normalize(self.centers.to(relaxed.dtype)).T).log_softmax(1)
        unlikelihoods = torch.log1p(-likelihoods.exp().clamp(max=1 - 1e-6))
        center = -(labels * likelihoods + (1 - labels) * unlikelihoods).mean()
        s = self.pairs(labels, rows, self.bank.labels.to(labels.dtype), self.bank.rows)
        cosines = codes @ F.normalize(self.bank.relaxed.to(relaxed.dtype)).T
        pair = (s * F.softplus((1 - cosines) / 2)).sum() / s.sum().clamp(min=1)
        quantization = (relaxed.abs() - 1).square().mean()
        return {
            "center": center,
            "pair": self.pair_weight * self.paired.to(relaxed.dtype) * pair,
            "quantization": self.quantization_weight * quantization,
        }


def separate(centers: Tensor) -> Tensor:
    """Move centres apart until all are as far from each other as the Gilbert-Varshamov bound promises.

    Each centre in turn flips the bit that most raises the smallest of its distances to the others plus their mean less
    their variance, if there is one. This goes on until the promised distance is reached or nothing changes, for 20
    sweeps at most; the centres whose nearest two are farthest apart are given back. The paper looks for the same by
    alternating directions of multipliers.

    Args:
        centers: ``(C, K)`` in plus and minus one.

    Returns:
        ``(C, K)`` in plus and minus one.
    """
    num_classes, bits = centers.shape
    if num_classes < 2:
        return centers
    promised, centers = promised_distance(num_classes, bits), centers.clone()
    best, nearest = centers.clone(), _nearest(centers)
    for _ in range(_SWEEPS):
        changed = False
        for label in range(num_classes):
            others = torch.cat([centers[:label], centers[label + 1 :]])
            distance = (bits - others @ centers[label]) / 2
            candidates = torch.cat([distance[None], distance + (others * centers[label]).T])  # none, or one bit flipped
            score = candidates.min(1).values + candidates.mean(1) - candidates.var(1, correction=0)
            choice = int(score.argmax())
            if nearest < promised and score[choice] > score[0]:
                centers[label, choice - 1] *= -1
                changed = True
        if (now := _nearest(centers)) > nearest:
            best, nearest = centers.clone(), now
        if not changed or nearest >= promised:
            break
    return best


def promised_distance(num_codes: int, bits: int) -> int:
    """Smallest d for which so many balls of radius d - 1 fill the space: as many codes at distance d exist.

    Source: Gilbert-Varshamov bound.

    Example:
        >>> promised_distance(num_codes=2, bits=3)  # a ball of radius 1 has 4 of 8 codes
        2
    """
    size, distance = 0, 0
    while size * num_codes < 2**bits:
        size += math.comb(bits, distance)
        distance += 1
    return distance


def _nearest(centers: Tensor) -> float:
    """Smallest distance of two centres, in bits."""
    distances = (centers.shape[1] - centers @ centers.T) / 2
    return float(distances.fill_diagonal_(torch.inf).min())
