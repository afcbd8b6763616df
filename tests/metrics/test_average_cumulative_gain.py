import pytest
import torch

from softhash.metrics.average_cumulative_gain import AverageCumulativeGain, average_cumulative_gain
from softhash.ranking.ranking import Ranking

# Shared labels in ranked order 2, then 0 and 1 at one distance, then 2, 0, 1.
RANKING = Ranking.of_counts(torch.tensor([[[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]]))


def test_it_is_the_mean_grade_of_the_top() -> None:
    assert average_cumulative_gain(RANKING, 3).item() == pytest.approx((2 + 0 + 1) / 3)
    assert average_cumulative_gain(RANKING, 6).item() == pytest.approx((2 + 0 + 1 + 2 + 0 + 1) / 6)


def test_a_cut_off_in_a_tie_takes_each_of_its_items_with_equal_chance() -> None:
    scores = [average_cumulative_gain(RANKING, 2, order).item() for order in ("expected", "worst", "best")]

    assert scores == pytest.approx([(2 + 0.5) / 2, 2 / 2, 3 / 2])


def test_the_cut_off_stands_in_the_name() -> None:
    assert AverageCumulativeGain(20).name == "ACG@20"
