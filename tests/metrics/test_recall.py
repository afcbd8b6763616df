import pytest
import torch

from softhash.metrics.recall import Recall, recall
from softhash.ranking.ranking import Ranking

# Shared labels in ranked order 2, then 0 and 1 at one distance, then 2, 0, 1.
RANKING = Ranking.of_counts(torch.tensor([[[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]]))


def test_it_is_the_share_of_the_relevant_items_that_are_in_the_top() -> None:
    assert [recall(RANKING, k).item() for k in (1, 3, 6)] == pytest.approx([1 / 4, 2 / 4, 1])


def test_a_cut_off_in_a_tie_takes_each_of_its_items_with_equal_chance() -> None:
    scores = [recall(RANKING, 2, order).item() for order in ("expected", "worst", "best")]

    assert scores == pytest.approx([1.5 / 4, 1 / 4, 2 / 4])


def test_the_cut_off_stands_in_the_name() -> None:
    assert Recall(20).name == "R@20"
