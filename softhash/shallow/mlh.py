"""Minimal loss hashing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from softhash.functional.checks import check_at_least
from softhash.shallow.base import HashEstimator
from softhash.shallow.blocks import mean_of, unit_rows
from softhash.shallow.pairs import sampled_pairs


class MLH(HashEstimator):
    r"""Hyperplanes by which similar images are within a Hamming radius and dissimilar ones outside of it.

    The loss of a pair at distance m is :math:`\max(0, m - \rho + 1) / (K - \rho + 1)` if it shares a label, else
    :math:`\max(0, \rho - m + 1) / (\rho + 1)`. Its bound is that of structured prediction: codes that score high and
    lose much are found exactly (:func:`loss_adjusted_codes`), and the gradient step moves the hyperplanes from those
    to the codes that they give. Rows are centred and scaled to unit length.

    Similarity: 1 where a label is shared.

    Source: Norouzi and Fleet, ICML 2011. Confidence: high, their code.
    Differs: 30 epochs of 10,000 pairs, where theirs are up to 2000 of 100,000; the radius is a share of the bits, and
    not chosen by validation. Weight decay is 0.01, the largest that theirs chooses from: with 0.0001, and far more
    features than bits, training images are learnt by heart. As in their code and not in the paper, it holds the norms.
    Similar pairs are drawn by row and label, so labels count alike whatever their size.
    Cost: pairs (D K + K log K) to fit, D K per row. Memory: D K + C N.

    Args:
        bits: Code length K.
        radius_fraction: :math:`\rho` as a share of K, below 1.
        num_epochs: Epochs; the rate falls linearly to 0 over them.
        pairs_per_epoch: Pairs.
        batch_size: Pairs per gradient step.
        learning_rate: First rate.
        momentum: Of the steps.
        weight_decay: Of the hyperplanes.
        positive_fraction: Least share of similar pairs in a batch.
        random_state: Seed of hyperplanes and pairs.

    Attributes:
        mean_: ``(D,)`` float64.
        hyperplanes_: ``(D, K)`` float64.
    """

    learns_from = "classes"

    def __init__(
        self,
        bits: int,
        radius_fraction: float = 0.125,
        num_epochs: int = 30,
        pairs_per_epoch: int = 10_000,
        batch_size: int = 100,
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        weight_decay: float = 0.01,
        positive_fraction: float = 0.5,
        random_state: int | None = None,
    ) -> None:
        self.bits, self.radius_fraction, self.num_epochs = bits, radius_fraction, num_epochs
        self.pairs_per_epoch, self.batch_size, self.learning_rate = pairs_per_epoch, batch_size, learning_rate
        self.momentum, self.weight_decay, self.positive_fraction = momentum, weight_decay, positive_fraction
        self.random_state = random_state

    def learn(self, features: NDArray[Any], labels: NDArray[np.float64], rng: np.random.Generator) -> None:
        """Draw hyperplanes, and move them pair by pair."""
        check_at_least(0, radius_fraction=self.radius_fraction, weight_decay=self.weight_decay)
        if self.radius_fraction >= 1:
            msg = f"radius_fraction must be below 1, got {self.radius_fraction}"
            raise ValueError(msg)
        self.mean_ = mean_of(features)
        planes = 0.1 * rng.standard_normal((features.shape[1], self.bits))
        losses = distance_losses(self.bits, self.radius_fraction * self.bits)
        velocity = np.zeros_like(planes)
        for epoch in range(self.num_epochs):
            rate = self.learning_rate * (1 - epoch / self.num_epochs)
            drawn = sampled_pairs(labels, self.pairs_per_epoch, self.positive_fraction, rng)
            for start in range(0, self.pairs_per_epoch, self.batch_size):
                first, second, similar = (part[start : start + self.batch_size] for part in drawn)
                rows = np.concatenate([first, second])
                inputs = unit_rows(features[rows].astype(np.float64) - self.mean_)
                values = inputs @ planes
                near, far = np.split(values, 2)
                wrong = loss_adjusted_codes(near, far, losses[similar.astype(int)])
                gradient = inputs.T @ (np.where(values > 0, 1.0, -1.0) - np.concatenate(wrong)) / len(first)
                velocity = self.momentum * velocity + rate * (gradient - self.weight_decay * planes)
                planes += velocity
        self.hyperplanes_ = planes

    def relax(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distances to the hyperplanes, times their norms."""
        return unit_rows(features - self.mean_) @ self.hyperplanes_


def distance_losses(bits: int, radius: float) -> NDArray[np.float64]:
    """``(2, K + 1)`` losses of pairs at each Hamming distance: of dissimilar pairs, and of similar ones.

    Example:
        >>> distance_losses(4, 1.0)
        array([[1.  , 0.5 , 0.  , 0.  , 0.  ],
               [0.  , 0.25, 0.5 , 0.75, 1.  ]])
    """
    distances = np.arange(bits + 1)
    dissimilar = np.maximum(0, radius - distances + 1) / (radius + 1)
    similar = np.maximum(0, distances - radius + 1) / (bits - radius + 1)
    return np.stack([dissimilar, similar])


def loss_adjusted_codes(
    first: NDArray[np.float64], second: NDArray[np.float64], losses: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Codes h, g in plus and minus one that maximise <h, a> + <g, b> + loss at their distance; exact.

    Args:
        first: ``(n, K)`` values a of one image of each pair.
        second: ``(n, K)``, b.
        losses: ``(n, K + 1)`` losses by distance.
    """
    both, between = first + second, first - second
    gains = np.abs(between) - np.abs(both)  # of differing in a bit
    order = np.argsort(-gains, axis=1, kind="stable")
    sums = np.cumsum(np.take_along_axis(gains, order, 1), axis=1)
    count = (np.hstack([np.zeros((len(gains), 1)), sums]) + losses).argmax(1)
    differs = np.argsort(order, axis=1) < count[:, None]
    code = np.where(np.where(differs, between, both) > 0, 1.0, -1.0)
    return code, np.where(differs, -code, code)
