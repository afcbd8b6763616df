"""Codes that are learnt bit by bit from a classifier of them, and a kernel map that gives them for new rows."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from softhash.shallow.regression import KernelMap


class Classification(NamedTuple):
    """Linear classifier of codes, and what it should give: targets less the offset.

    Attributes:
        classifier: ``(K, C)``.
        offset: ``(C,)``.
        targets: ``(N, C)``.
    """

    classifier: NDArray[np.float64]
    offset: NDArray[np.float64]
    targets: NDArray[np.float64]


def learn_map(
    kernel_map: KernelMap,
    codes: NDArray[np.float64],
    targets: NDArray[np.float64],
    classify: Callable[[NDArray[np.float64], NDArray[np.float64]], Classification],
    map_weight: float,
    rounds: int,
) -> NDArray[np.float64]:
    """``(M, K)`` weights of a kernel map whose codes a classifier tells apart; all are learnt by turns.

    Args:
        kernel_map: Fits a map to codes.
        codes: ``(N, K)`` of plus and minus one, where to begin.
        targets: ``(N, C)`` targets of the first classifier.
        classify: Classifier of codes, given them and the targets of the round before.
        map_weight: How much codes stay where the map has them.
        rounds: At most; it ends when the map does not move.
    """
    weights = kernel_map.fit(codes)
    for _ in range(rounds):
        classifier, offset, targets = classify(codes, targets)
        pull = map_weight * kernel_map.values(weights) + (targets - offset) @ classifier.T
        codes = discrete_step(codes, pull, classifier)
        before, weights = weights, kernel_map.fit(codes)
        if np.linalg.norm(weights - before) < 1e-5 * np.linalg.norm(before):
            break
    return weights


def random_codes(shape: tuple[int, int], rng: np.random.Generator) -> NDArray[Any]:
    """Codes of plus and minus one."""
    return np.where(rng.standard_normal(shape) > 0, 1.0, -1.0)


def discrete_step(
    codes: NDArray[np.float64], pull: NDArray[np.float64], classifier: NDArray[np.float64], passes: int = 10
) -> NDArray[np.float64]:
    """Codes B of a lower |B W|^2 - 2 <B, Q>, each bit in turn as good as it can be, until none changes.

    Args:
        codes: ``(N, K)`` of plus and minus one, where to begin.
        pull: ``(N, K)``, Q.
        classifier: ``(K, C)``, W.
        passes: Most passes over the bits.
    """
    codes = codes.copy()
    gram = classifier @ classifier.T
    for _ in range(passes):
        before = codes.copy()
        for bit in range(codes.shape[1]):
            others = codes @ gram[:, bit] - codes[:, bit] * gram[bit, bit]
            codes[:, bit] = np.where(pull[:, bit] - others > 0, 1.0, -1.0)
        if np.array_equal(before, codes):
            break
    return codes
