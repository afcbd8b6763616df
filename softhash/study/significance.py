"""Tests of paired differences, and their correction: functions of numbers alone."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
_RESAMPLES = 9999
_ROOM = 10_000_000  # signs in memory at once


class Effect(NamedTuple):
    """How far apart two methods are.

    Attributes:
        difference: Mean of the paired differences.
        low: Lower end of the confidence interval of the mean, by Student's t.
        high: Upper end.
        size: Mean over standard deviation of the differences (Cohen's d for pairs); 0 where all are 0, infinite where
            all are alike.
        wins: Share of pairs in which the first is higher.
        losses: Share of pairs in which it is lower; the rest is equal.
    """

    difference: float
    low: float
    high: float
    size: float
    wins: float
    losses: float


def effect(differences: Floats, confidence: float = 0.95) -> Effect:
    """Describe paired differences.

    Args:
        differences: ``(n,)``, n at least 2.
        confidence: Of the interval.

    Example:
        >>> effect(np.array([0.0, 1.0, 2.0])).size  # mean 1, standard deviation 1
        1.0
    """
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1))
    half = deviation / np.sqrt(len(differences)) * stats.t.ppf((1 + confidence) / 2, len(differences) - 1)
    size = mean / deviation if deviation else np.copysign(np.inf, mean) if mean else 0.0
    wins, losses = float((differences > 0).mean()), float((differences < 0).mean())
    return Effect(mean, mean - half, mean + half, float(size), wins, losses)


def t_test(differences: Floats) -> float:
    """Paired t test: is the mean 0? Source: Student, Biometrika 1908."""
    size = effect(differences).size
    return float(2 * stats.t.sf(abs(size) * np.sqrt(len(differences)), len(differences) - 1))


def wilcoxon_test(differences: Floats) -> float:
    """Wilcoxon's signed-rank test: are the differences symmetric around 0? Differences of 0 are left out."""
    return float(stats.wilcoxon(differences).pvalue)


def permutation_test(differences: Floats) -> float:
    """Sign-flip permutation test of the mean: exact for few pairs, else of 9,999 random flips with a fixed seed."""
    batch = max(1, _ROOM // len(differences))
    return float(
        stats.permutation_test(
            (differences,),
            np.mean,
            permutation_type="samples",
            vectorized=True,
            n_resamples=_RESAMPLES,
            batch=batch,
            rng=np.random.default_rng(0),
        ).pvalue
    )


TESTS: dict[str, Callable[[Floats], float]] = {
    "t": t_test,
    "wilcoxon": wilcoxon_test,
    "permutation": permutation_test,
}
TITLES = {"t": "paired t test", "wilcoxon": "Wilcoxon signed-rank test", "permutation": "paired permutation test"}


def p_value(differences: Floats, test: str) -> float:
    """Two-sided p value of paired differences, 1 where all are 0.

    Args:
        differences: ``(n,)``, n at least 2.
        test: One of :data:`TESTS`.
    """
    return TESTS[test](differences) if differences.any() else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p values of several tests, so that the chance of any false rejection among them stays below the level.

    Source: Holm, Scandinavian Journal of Statistics 1979: the smallest is multiplied by their number, the next by one
    less, and so on; none becomes smaller than one before it.

    Example:
        >>> holm([0.04, 0.01, 0.03])  # 0.01 * 3, 0.03 * 2, and 0.04 * 1, which may not be below 0.06
        [0.06, 0.03, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable").tolist()):
        highest = max(highest, min(1.0, p_values[place] * (len(p_values) - rank)))
        adjusted[place] = highest
    return adjusted
