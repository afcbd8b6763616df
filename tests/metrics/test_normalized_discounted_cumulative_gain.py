import math

import numpy as np
import pytest
import torch
from torch import Tensor

from softhash.metrics.normalized_discounted_cumulative_gain import (
    NormalizedDiscountedCumulativeGain,
    normalized_discounted_cumulative_gain,
)
from softhash.ranking.ranking import Ranking
from softhash.ranking.scores import rank_scores


def graded(*grades: float) -> Ranking:
    """Items in this order, without ties."""
    return rank_scores(-torch.arange(float(len(grades)))[None], torch.tensor([grades], dtype=torch.float64))


def test_gains_are_discounted_by_the_logarithm_of_the_rank() -> None:
    # (2^1 - 1) / log2(2) + (2^2 - 1) / log2(3), over 3 / log2(2) + 1 / log2(3)
    expected = (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3))

    assert normalized_discounted_cumulative_gain(graded(1, 2), 2).item() == pytest.approx(expected)


def test_the_ideal_is_that_of_the_whole_database() -> None:
    assert normalized_discounted_cumulative_gain(graded(1, 0, 1), 1).item() == pytest.approx(1.0)
    assert normalized_discounted_cumulative_gain(graded(0, 0, 1), 2).item() == 0.0


@pytest.mark.parametrize("scale", [1e-12, 1e-17, 1e-30])
def test_the_exponential_gain_of_tiny_grades_is_theirs_times_ln_2(scale: float) -> None:
    tiny = normalized_discounted_cumulative_gain(graded(0.3 * scale, 0, scale), 3, "exponential")
    linear = normalized_discounted_cumulative_gain(graded(0.3, 0, 1), 3, "linear")

    assert tiny.item() == pytest.approx(linear.item(), rel=1e-9)


def test_large_grades_keep_their_number_and_larger_ones_are_refused() -> None:
    # 2^1000 outweighs 2^999 twice, whatever else there is
    value = normalized_discounted_cumulative_gain(graded(999, 1000), 2)
    assert value.item() == pytest.approx((0.5 + 1 / math.log2(3)) / (1 + 0.5 / math.log2(3)))

    with pytest.raises(ValueError, match="gain=exponential takes grades up to 1000, got 1100; use gain=linear"):
        normalized_discounted_cumulative_gain(graded(1100, 1), 2)
    assert normalized_discounted_cumulative_gain(graded(1100, 1), 2, "linear").item() == 1.0


def test_integer_grades_have_exact_gains() -> None:
    gains = Ranking.of_counts(torch.ones(1, 1, 40, dtype=torch.int64)).exponential.grades

    assert gains.tolist() == [2.0**r - 1 for r in range(40)]
    assert isinstance(gains, np.ndarray)


def test_gain_and_cut_off_stand_in_the_name() -> None:
    assert NormalizedDiscountedCumulativeGain(20).name == "NDCG@20"
    assert NormalizedDiscountedCumulativeGain(20, "linear").name == "NDCG(linear)@20"


def test_scores_are_float64() -> None:
    value: Tensor = normalized_discounted_cumulative_gain(graded(1, 0), 1)

    assert value.dtype == torch.float64
