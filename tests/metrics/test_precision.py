import pytest
import torch

from softhash.metrics.precision import Precision, precision
from softhash.ranking.ranking import Ranking

# Shared labels in ranked order 2, then 0 and 1 at one distance, then 2, 0, 1.
RANKING = Ranking.of_counts(torch.tensor([[[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]]))


def test_it_is_the_share_of_relevant_items_in_the_top() -> None:
    assert [precision(RANKING, k).item() for k in (1, 3, 6)] == pytest.approx([1, 2 / 3, 4 / 6])


def test_a_cut_off_in_a_tie_takes_each_of_its_items_with_equal_chance() -> None:
    scores = [precision(RANKING, 2, order).item() for order in ("expected", "worst", "best")]

    assert scores == pytest.approx([1.5 / 2, 1 / 2, 2 / 2])


def test_queries_may_have_a_cut_off_each_and_of_nothing_it_is_zero() -> None:
    ranking = Ranking.of_counts(torch.tensor([[[0, 1], [1, 0]]] * 3))

    assert precision(ranking, torch.tensor([0, 1, 2])).tolist() == [0.0, 1.0, 0.5]


def test_the_cut_off_stands_in_the_name() -> None:
    assert Precision(20).name == "P@20"
