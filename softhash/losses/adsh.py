"""Asymmetric deep supervised hashing."""

import numpy as np
import torch
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.codes import signs
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet

_ROWS = 256  # compared with all training images at once


class ADSHLoss(PairwiseLoss):
    r"""Inner products of codes that a network gives with free binary codes of the training images, the database.

    An outer iteration takes a sample of the training images and trains the network on it for some epochs; then the
    codes V of all training images are computed, one bit after the other. Both minimise

    .. math:: \sum_{ij} (u_i^\top v_j - K s_{ij})^2 + \gamma \sum_{i} \lVert v_i - u_i \rVert^2

    with i in the sample and j in the training set, where u comes from a network that ends in tanh, and s is 1 for
    similar images and -r for others; r is the ratio of similar to other pairs. The terms ``pair`` and
    ``quantization`` are divided by the number of pairs.

    V has been computed from the labels of the images that it encodes. Results with V as codes of a database
    (:class:`softhash.hashers.adsh.ADSHHasher`) are therefore not comparable with those of methods that encode the
    database from its images alone.

    Source: Jiang and Li, AAAI 2018; values of the authors' code.
    Differs: V is random at first, in their code zeros, which teach the network nothing during the first sample; what V
    is computed from is encoded again after the last epoch, in their code it is what came up during that epoch.

    Args:
        num_samples: Size of a sample, or all training images where there are fewer.
        epochs_per_sample: How many epochs the network is trained on a sample.
        quantization_weight: gamma.
        seed: Seed of the first codes and of the samples.
        similarity: Compares label vectors; ``share`` is the paper's. A graded s becomes s - r (1 - s).

    Attributes:
        codes: V, ``(N, K)`` float32 in plus and minus one.

    Raises:
        ValueError: ``quantization_weight`` is negative, or a count below 1.
    """

    codes: Tensor
    ratio: Tensor
    labels: Tensor
    rows: Tensor

    def __init__(
        self,
        num_samples: int = 2000,
        epochs_per_sample: int = 3,
        quantization_weight: float = 200.0,
        seed: int = 0,
        similarity: Similarity = share,
    ) -> None:
        super().__init__(similarity)
        check_at_least(1, num_samples=num_samples, epochs_per_sample=epochs_per_sample)
        check_at_least(0, quantization_weight=quantization_weight)
        self.num_samples, self.epochs_per_sample = num_samples, epochs_per_sample
        self.quantization_weight, self.seed = quantization_weight, seed

    def setup(self, train: TrainingSet) -> None:
        """Draw the first codes."""
        super().setup(train)
        num_images, rng = len(train.labels), torch.Generator().manual_seed(self.seed)
        self.register_buffer("codes", 2.0 * torch.randint(2, (num_images, train.bits), generator=rng) - 1)
        self.register_buffer("ratio", torch.ones(()))
        self.register_buffer("labels", train.labels.float(), persistent=False)
        self.register_buffer("rows", torch.arange(num_images), persistent=False)

    def sample(self, epoch: int) -> Tensor:
        """``(n,)`` ascending rows to train on in an epoch."""
        rng = np.random.default_rng([self.seed, epoch // self.epochs_per_sample])
        size = min(self.num_samples, len(self.codes))
        return torch.from_numpy(np.sort(rng.choice(len(self.codes), size, replace=False)))

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Compute the ratio of similar pairs of a new sample."""
        if epoch % self.epochs_per_sample == 0:
            sample = self.sample(epoch).to(self.rows.device)
            similar = sum(float(self._similar(self.labels[rows], rows).sum()) for rows in sample.split(_ROWS))
            self.ratio.fill_(similar / max(len(sample) * len(self.codes) - similar, 1.0))

    def on_epoch_end(self, epoch: int, train: TrainingSet) -> None:
        """Compute the codes, after the last epoch on a sample."""
        if (epoch + 1) % self.epochs_per_sample == 0:
            sample = self.sample(epoch)
            relaxed = train.encode(sample)[1]
            sample = sample.to(relaxed.device)
            parts = zip(sample.split(_ROWS), relaxed.split(_ROWS), strict=True)
            agreement = torch.zeros_like(self.codes)
            for rows, part in parts:
                agreement += self._targets(self.labels[rows], rows).T @ part
            self.codes[:] = fit_codes(self.codes, relaxed, sample, agreement, self.quantization_weight)

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``pair`` and ``quantization``."""
        target = relaxed.shape[1] * self._targets(labels, rows)
        pair = (relaxed @ self.codes.T - target).square().mean()
        quantization = (self.codes[rows] - relaxed).square().sum() / target.numel()
        return {"pair": pair, "quantization": self.quantization_weight * quantization}

    def _similar(self, labels: Tensor, rows: Tensor) -> Tensor:
        """``(n, N)`` similarities of some training images to all."""
        return self.pairs(labels, rows, self.labels.to(labels.dtype), self.rows)

    def _targets(self, labels: Tensor, rows: Tensor) -> Tensor:
        """``(n, N)`` s of some training images and all."""
        similar = self._similar(labels, rows)
        return similar - self.ratio * (1 - similar)


def fit_codes(codes: Tensor, relaxed: Tensor, rows: Tensor, agreement: Tensor, quantization_weight: float) -> Tensor:
    r"""Minimise the objective of :class:`ADSHLoss` over the codes V, one bit of all images after the other.

    Args:
        codes: V as it is, ``(N, K)``.
        relaxed: U, ``(n, K)``, of a sample.
        rows: ``(n,)`` positions of the sample in the training set.
        agreement: :math:`S^\top U`, ``(N, K)``.
        quantization_weight: gamma.

    Returns:
        The new V, ``(N, K)`` in plus and minus one.
    """
    bits = codes.shape[1]
    target = bits * agreement
    target[rows] += quantization_weight * relaxed
    gram = relaxed.T @ relaxed
    fitted = codes.clone()
    for bit in range(bits):
        others = fitted @ gram[:, bit] - fitted[:, bit] * gram[bit, bit]
        fitted[:, bit] = signs(target[:, bit] - others)
    return fitted
