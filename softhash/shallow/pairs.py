"""Which pairs of images are similar, as classical methods want it: signed, and for a sample of the rows."""

import numpy as np
import torch
from numpy.typing import NDArray

from softhash.functional.similarity import Similarity


def similarities(labels: NDArray[np.float64], similarity: Similarity) -> NDArray[np.float64]:
    """``(n, n)`` similarities of ``(n, C)`` multi-hot labels; a row is at least at 1 with itself.

    A row without labels shares nothing with any other, and yet an image is like itself.
    """
    tensor = torch.from_numpy(labels)
    values: NDArray[np.float64] = similarity(tensor, tensor).numpy().astype(np.float64)
    np.fill_diagonal(values, np.maximum(values.diagonal(), 1))
    return values


def signed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Similarities in [-1, 1]: 2 s - 1 where none is above 1; else s / max, and -floor(max / 2) / max for 0.

    The second is for numbers of shared labels, after Shi et al., Scalable Pairwise-based Discrete Hashing, whose code
    has the same.
    """
    most = values.max()
    return 2 * values - 1 if most <= 1 else np.where(values > 0, values, -np.floor(most / 2)) / most


def sampled_pairs(
    labels: NDArray[np.float64], count: int, positive_fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Random pairs of rows, of which at least a fraction share a label.

    Most are drawn uniformly; as many are drawn from the similar ones as are missing to the fraction on average: a row
    with labels, one of them, and a row that has it. No matrix of all pairs is made.

    Returns:
        ``(count,)`` rows, ``(count,)`` rows and whether they share a label.
    """
    first, second = rng.integers(len(labels), size=(2, count))
    rate = float((labels[first] * labels[second]).any(1).mean())
    with_labels = np.flatnonzero(labels.any(1))
    chosen = np.flatnonzero(rng.random(count) < max(0.0, positive_fraction - rate))
    if len(with_labels) and len(chosen):
        first[chosen] = rng.choice(with_labels, len(chosen))
        label = (labels[first[chosen]] * rng.random((len(chosen), labels.shape[1]))).argmax(1)
        for column in np.unique(label):
            places = chosen[label == column]
            second[places] = rng.choice(np.flatnonzero(labels[:, column]), len(places))
    return first, second, (labels[first] * labels[second]).any(1) | (first == second)
