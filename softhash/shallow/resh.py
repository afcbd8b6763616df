"""Reversed spectral hashing."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softhash.functional.checks import check_at_least
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import blocks, sample

_MOST_HIDDEN = 1024


class ReSH(HashEstimator):
    r"""A small network whose codes are penalised where distant images have near ones; no labels are used.

    Features are scaled to [-1, 1]. Two layers with sigmoids give :math:`y`, and over rows i and a random share of rows
    j the mean of :math:`\lVert x_i - x_j \rVert^p \exp(-\lVert y_i - y_j \rVert^2 / (2 \sigma^2))` is minimised with
    :math:`\sigma = 0.2 \sqrt K` by Rprop. The gradient goes through :math:`y_j` alone. A bit is 1 where y is above a
    half. The hidden layer is as wide as the largest power of two that is at most D and 1024.

    Source: Liu, Liu, Li, Yuan, Wang and Liu, TNNLS 2018. Confidence: medium, from a re-implementation by others, with
    its two bugs corrected (the limit of steps, the threshold of codes at 0).
    Differs: at most ``num_rows`` rows are learnt from. Where a gradient changes its sign, Rprop leaves a step out and
    does not take the one before back. The norms to the power p are divided by their mean, which Rprop does not see.
    Cost: E L P (D + K) to fit with E epochs, L rows, P partners; H (D + K) per row with H hidden units.
    Memory: L (P + D + H) + D H.

    Args:
        bits: Code length K.
        power: p.
        width_fraction: sigma as a share of the square root of K.
        pair_fraction: P as a share of the rows, drawn anew each epoch.
        num_epochs: E.
        step: First step of each weight.
        num_rows: L, or all rows if there are fewer.
        random_state: Seed of rows and weights.

    Attributes:
        center_: ``(D,)`` float64, middle of the range of each feature.
        scale_: ``(D,)`` float64, half its length; 1 where it is 0.
        hidden_weights_: ``(D, H)`` float64.
        hidden_bias_: ``(H,)`` float64.
        weights_: ``(H, K)`` float64.
        bias_: ``(K,)`` float64.
    """

    def __init__(
        self,
        bits: int,
        power: float = 8,
        width_fraction: float = 0.2,
        pair_fraction: float = 0.05,
        num_epochs: int = 70,
        step: float = 0.07,
        num_rows: int = 5000,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.power, self.width_fraction, self.pair_fraction = bits, power, width_fraction, pair_fraction
        self.num_epochs, self.step, self.num_rows, self.random_state = num_epochs, step, num_rows, random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw rows and weights, and descend."""
        check_at_least(0, power=self.power, pair_fraction=self.pair_fraction)
        low = np.min([block.min(0) for block in blocks(features)], axis=0)
        high = np.max([block.max(0) for block in blocks(features)], axis=0)
        self.center_ = (low + high) / 2
        self.scale_ = np.where(high > low, (high - low) / 2, 1)
        rows = features[sample(features, self.num_rows, rng)].astype(np.float64)
        with torch.inference_mode(False), torch.enable_grad():
            weights = self._descend((rows - self.center_) / self.scale_, rng)
        self.hidden_weights_, self.hidden_bias_, self.weights_, self.bias_ = weights

    def _descend(self, rows: NDArray[np.float64], rng: np.random.Generator) -> list[NDArray[np.float64]]:
        """Weights and biases of both layers that scaled rows give."""
        inputs = torch.from_numpy(rows)
        weights = [torch.from_numpy(array).requires_grad_() for array in first_weights(inputs.shape[1], self.bits, rng)]
        optimizer = torch.optim.Rprop(weights, lr=self.step, etas=(0.5, 1.2), step_sizes=(1e-6, 50))
        count = max(1, int(np.ceil(self.pair_fraction * len(inputs))))
        for _ in range(self.num_epochs):
            partners = torch.from_numpy(rng.choice(len(inputs), count, replace=False))
            with torch.no_grad():
                anchors = network(inputs, weights)
            optimizer.zero_grad()
            loss = reversed_loss(
                inputs, inputs[partners], anchors, network(inputs[partners], weights), self.power, self.width_fraction
            )
            loss.backward()
            optimizer.step()
        return [weight.detach().numpy() for weight in weights]

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs of the network, less a half."""
        weights = [self.hidden_weights_, self.hidden_bias_, self.weights_, self.bias_]
        inputs = torch.from_numpy((features - self.center_) / self.scale_)
        outputs: NDArray[np.float64] = network(inputs, [torch.from_numpy(weight) for weight in weights]).numpy()
        return outputs - 0.5


def first_weights(num_features: int, bits: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Weights and biases of both layers, normal with a variance of one over the inputs; biases are 0."""
    hidden = 2 ** int(np.log2(min(num_features, _MOST_HIDDEN)))
    sizes = ((num_features, hidden), (hidden, bits))
    return [part for size in sizes for part in (rng.standard_normal(size) / np.sqrt(size[0]), np.zeros(size[1]))]


def network(inputs: Tensor, weights: list[Tensor]) -> Tensor:
    """``(n, D)`` to ``(n, K)`` in (0, 1)."""
    hidden = torch.sigmoid(inputs @ weights[0] + weights[1])
    return torch.sigmoid(hidden @ weights[2] + weights[3])


def reversed_loss(
    inputs: Tensor, partners: Tensor, codes: Tensor, partner_codes: Tensor, power: float, width_fraction: float
) -> Tensor:
    """Mean of distance^p exp(-squared distance of codes / (2 sigma^2)); distances^p are divided by their mean.

    Args:
        inputs: ``(L, D)``.
        partners: ``(P, D)``.
        codes: ``(L, K)``, constants.
        partner_codes: ``(P, K)``.
        power: p.
        width_fraction: sigma as a share of the square root of K.
    """
    distances = torch.cdist(inputs, partners) ** power
    near = torch.cdist(codes, partner_codes, compute_mode="use_mm_for_euclid_dist").square()
    sigma = width_fraction * codes.shape[1] ** 0.5
    return (distances / distances.mean().clamp(min=1e-12) * torch.exp(-near / (2 * sigma**2))).mean()
