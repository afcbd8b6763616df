"""CRH: hash centres that are assigned to the classes again and again."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.losses.base import HashLoss
from softhash.types import TrainingSet


class CRHLoss(HashLoss):
    r"""Softmax over the cosines of a code with binary centres, which classes choose among while training.

    With :math:`h_c` the centre of a class, the ``class`` term is the mean cross-entropy of the logits
    :math:`s (\cos(z, h_c) - m y_c)` with a target that is spread evenly over the classes of the image, and the
    quantisation term :math:`\lambda` times the mean of :math:`(|\tanh z| - 1)^2`. An image without labels adds 0.

    Codes are cut into heads of d bits, the smallest divisor of K for which there are enough codes, and for each head
    2 C different random codes are drawn. At first a class has the code of its own number in each head. Codes are
    assigned anew before each of the first ``initial_epochs`` epochs, and then before every ``interval``-th: in each
    head, classes in random order take, of the codes not yet taken, the one that is nearest to those of their images on
    average, where an image counts for a class by one over its number of classes.

    Source: Yin et al., AAAI 2026, arXiv:2511.12162; formula of a re-implementation that cites the paper's equations,
    compared with neither the paper nor the authors' code. Differs: codes are not assigned before the first epoch, when
    the network is untrained; the scale for two classes, which would be 0, is that for three.

    Args:
        scale: s; None for sqrt(2) ln(C - 1).
        margin: m.
        quantization_weight: lambda; 0 for several labels, 0.1 for one.
        initial_epochs: Number of epochs with an assignment each.
        interval: Epochs between two assignments after that.
        seed: Seed of the codes and of the order of classes.

    Raises:
        ValueError: A number is negative, or ``interval`` below 1; in ``setup``, there are fewer codes of K bits than
            are needed.
    """

    heads: Tensor
    centers: Tensor

    def __init__(
        self,
        scale: float | None = None,
        margin: float = 0.2,
        quantization_weight: float = 0.0,
        initial_epochs: int = 20,
        interval: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_at_least(0, margin=margin, quantization_weight=quantization_weight, initial_epochs=initial_epochs)
        check_at_least(1, interval=interval)
        self.scale, self.margin, self.quantization_weight = scale, margin, quantization_weight
        self.initial_epochs, self.interval, self.seed = initial_epochs, interval, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the codes of each head, and give each class the first."""
        num_classes = train.labels.shape[1]
        heads = random_heads(2 * num_classes, train.bits, torch.Generator().manual_seed(self.seed))
        self.register_buffer("heads", heads)
        self.register_buffer("centers", heads[:, :num_classes].transpose(0, 1).flatten(1))

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Assign the codes anew, where it is time to."""
        if epoch and (epoch < self.initial_epochs or epoch % self.interval == 0):
            relaxed = train.encode()[1]
            labels = train.labels.to(relaxed)
            share = labels / labels.sum(1, keepdim=True).clamp(min=1)
            codes = signs(relaxed)
            means = share.T @ codes / share.sum(0)[:, None].clamp(min=1e-12)
            order = torch.randperm(len(means), generator=torch.Generator().manual_seed(self.seed + epoch))
            self.centers.copy_(assign(self.heads, means, order))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``class`` and ``quantization``."""
        scale = math.sqrt(2) * math.log(max(2, labels.shape[1] - 1)) if self.scale is None else self.scale
        cosines = F.normalize(relaxed) @ F.normalize(self.centers.to(relaxed.dtype)).T
        likelihoods = (scale * (cosines - self.margin * labels)).log_softmax(1)
        target = labels / labels.sum(1, keepdim=True).clamp(min=1)
        quantization = (relaxed.tanh().abs() - 1).square().mean()
        return {
            "class": -(target * likelihoods).sum(1).mean(),
            "quantization": self.quantization_weight * quantization,
        }


def random_heads(count: int, bits: int, rng: torch.Generator) -> Tensor:
    """Different random codes for each head, ``(K / d, count, d)`` in plus and minus one, with the smallest d.

    Raises:
        ValueError: There are fewer codes of K bits than ``count``.
    """
    sizes = [size for size in range(1, bits + 1) if bits % size == 0 and 2**size >= count]
    if not sizes:
        msg = f"CRH needs {count} different codes, twice as many as classes, and {bits} bits have {2**bits}; set bits"
        raise ValueError(msg)
    size, heads = sizes[0], []
    for _ in range(bits // size):
        codes: list[tuple[int, ...]] = []
        while len(codes) < count:
            drawn = torch.randint(2, (count, size), generator=rng).tolist()
            codes = list(dict.fromkeys(codes + [tuple(code) for code in drawn]))
        heads.append(codes[:count])
    return torch.tensor(heads) * 2.0 - 1


def assign(heads: Tensor, means: Tensor, order: Tensor) -> Tensor:
    """Centres ``(C, K)`` of codes of the heads, each taken by one class at most.

    Args:
        heads: ``(H, M, d)`` codes in plus and minus one.
        means: ``(C, H * d)`` mean code of the images of each class.
        order: ``(C,)`` classes in the order in which they choose.
    """
    centers = torch.empty_like(means)
    for head, (codes, wanted) in enumerate(zip(heads, means.split(heads.shape[2], dim=1), strict=True)):
        nearness = wanted @ codes.T.to(wanted.dtype)  # all codes have the same norm
        for label in order.tolist():
            chosen = int(nearness[label].argmax())
            centers[label, head * codes.shape[1] : (head + 1) * codes.shape[1]] = codes[chosen].to(centers.dtype)
            nearness[:, chosen] = -torch.inf
    return centers
