"""Mean ranks of several methods, and how far apart they must be: functions of numbers alone.

Source: Demsar, Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 2006.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


class Friedman(NamedTuple):
    """Whether all methods could be equal.

    Attributes:
        chi_square: Friedman's statistic, corrected for ties.
        f: That of Iman and Davenport, which is less conservative; infinite where all blocks have the same order.
        p: Of ``f``.
    """

    chi_square: float
    f: float
    p: float


def mean_ranks(values: Floats) -> Floats:
    """Mean rank of each method: ``(blocks, methods)`` to ``(methods,)``; 1 is highest, equal values share their ranks.

    Example:
        >>> mean_ranks(np.array([[0.3, 0.2, 0.1], [0.5, 0.5, 0.1]])).tolist()
        [1.25, 1.75, 3.0]
    """
    ranks: Floats = stats.rankdata(-values, axis=1).mean(0)
    return ranks


def friedman(values: Floats) -> Friedman:
    """Friedman's test over ``(blocks, methods)``, at least 2 and 3, in the form of Iman and Davenport."""
    blocks, methods = values.shape
    if (values == values[:, :1]).all():
        return Friedman(0.0, 0.0, 1.0)
    chi_square = float(stats.friedmanchisquare(*values.T).statistic)
    rest = blocks * (methods - 1) - chi_square
    if rest < 1e-9 * blocks:
        return Friedman(chi_square, np.inf, 0.0)
    f = (blocks - 1) * chi_square / rest
    return Friedman(chi_square, f, float(stats.f.sf(f, methods - 1, (methods - 1) * (blocks - 1))))


def critical_difference(methods: int, blocks: int, level: float = 0.05) -> float:
    """How far apart two mean ranks must be to differ, by Nemenyi's test of all pairs.

    Example:
        >>> round(critical_difference(methods=4, blocks=14), 2)  # the example of the source
        1.25
    """
    quantile = stats.studentized_range.ppf(1 - level, methods, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(methods * (methods + 1) / (6 * blocks)))


def cliques(ranks: Floats, difference: float) -> list[tuple[int, int]]:
    """Longest stretches of sorted mean ranks that do not differ: first and last position of each, two at least.

    Example:
        >>> cliques(np.array([1.0, 1.5, 2.5, 4.0]), difference=1.2)
        [(0, 1), (1, 2)]
    """
    stretches: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = int(np.searchsorted(ranks, ranks[first] + difference, side="right")) - 1
        if last > first and (not stretches or last > stretches[-1][1]):
            stretches.append((first, last))
    return stretches
