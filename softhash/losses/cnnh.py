"""Supervised hashing via image representation learning: codes from similarities first, then a network for them."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.functional.similarity import Similarity, share
from softhash.losses.base import PairwiseLoss
from softhash.types import TrainingSet

_ROWS = 256  # compared with all training images at once


class CNNHLoss(PairwiseLoss):
    r"""Cross-entropy of each bit with a code that was computed from the similarities of the training images.

    The first stage, before the first epoch, minimises :math:`\lVert T - H H^\top / K \rVert_F^2` with
    :math:`t = 2 s - 1` over H in [-1, 1] and takes signs; see :func:`factorize`. It sees no images, and takes as long
    as there are pairs of training images, times K. In the second stage, the network learns the codes: ``code`` is the
    mean over images and bits of the binary cross-entropy of the sigmoid of z with (H + 1) / 2. The head is linear.

    Source: Xia, Pan, Lai, Liu and Yan, AAAI 2014, from memory, and re-implementations by reading. CNNH+, whose network
    learns the classes too, is not here.

    Differs: entries of H are visited image by image, images in random order; the paper's order is random for entries.

    Args:
        sweeps: How often each entry of H is visited.
        seed: Seed of the first H and of the order of images.
        similarity: Compares label vectors; ``share`` is the paper's.

    Attributes:
        codes: H, ``(N, K)`` float32 in plus and minus one.

    Raises:
        ValueError: ``sweeps`` is below 1.
    """

    codes: Tensor
    labels: Tensor
    rows: Tensor

    def __init__(self, sweeps: int = 5, seed: int = 0, similarity: Similarity = share) -> None:
        super().__init__(similarity)
        check_at_least(1, sweeps=sweeps)
        self.sweeps, self.seed = sweeps, seed

    def setup(self, train: TrainingSet) -> None:
        """Make room for the codes."""
        super().setup(train)
        num_images = len(train.labels)
        self.register_buffer("codes", torch.zeros(num_images, train.bits))
        self.register_buffer("labels", train.labels.float(), persistent=False)
        self.register_buffer("rows", torch.arange(num_images), persistent=False)

    def on_epoch_start(self, epoch: int, train: TrainingSet) -> None:
        """Compute the codes before the first epoch."""
        if epoch == 0:
            rng = np.random.default_rng(self.seed)
            codes = rng.uniform(-1, 1, tuple(self.codes.shape))
            for _ in range(self.sweeps):
                factorize(codes, self._targets, rng.permutation(len(codes)))
            self.codes[:] = torch.from_numpy(np.where(codes > 0, 1.0, -1.0))

    def forward(self, relaxed: Tensor, labels: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Compute ``code`` from z, the output of a linear head."""
        return {"code": F.binary_cross_entropy_with_logits(relaxed, (self.codes[rows].to(relaxed.dtype) + 1) / 2)}

    def _targets(self, images: NDArray[np.int64]) -> NDArray[np.float64]:
        rows = torch.from_numpy(images).to(self.rows.device)
        s = self.pairs(self.labels[rows], rows, self.labels, self.rows)
        return (2 * s - 1).double().cpu().numpy()


def factorize(
    codes: NDArray[np.float64],
    targets: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    order: NDArray[np.int64],
) -> None:
    r"""Visit each entry of H once, with a Newton step of :math:`\lVert T - H H^\top / K \rVert_F^2` within [-1, 1].

    With :math:`\Lambda = H H^\top - K T`, the derivatives of K squared times the objective are
    :math:`4 \langle \Lambda_i, H_k \rangle` and :math:`4 (\lVert H_k \rVert^2 + H_{ik}^2 + \Lambda_{ii})`. Neither
    Lambda nor T is ever whole in memory. For a few images, the second derivative may be below 0, and the objective then
    grows for a step.

    Args:
        codes: H, ``(N, K)``, changed in place.
        targets: Rows of T, which is symmetric: ``(n,)`` images to ``(n, N)``.
        order: ``(N,)`` images in the order of their visits; the entries of an image come in order.
    """
    bits = codes.shape[1]
    gram = codes.T @ codes
    for block in range(0, len(order), _ROWS):
        images = order[block : block + _ROWS]
        for image, target in zip(images, targets(images), strict=True):
            code, agreement, own = codes[image], target @ codes, target[image]
            for bit in range(bits):
                slope = code @ gram[bit] - bits * agreement[bit]
                curvature = gram[bit, bit] + code[bit] ** 2 + code @ code - bits * own
                step = -slope / curvature if curvature else 0.0
                step = min(max(step, -1 - code[bit]), 1 - code[bit])
                gram[bit] += step * code
                gram[:, bit] += step * code
                gram[bit, bit] += step**2
                code[bit] += step
                agreement[bit] += step * own
