import pytest
import torch

from softhash.metrics.r_precision import RPrecision, r_precision
from softhash.ranking.ranking import Ranking

# Shared labels in ranked order 2, then 0 and 1 at one distance, then 2, 0, 1.
RANKING = Ranking.of_counts(torch.tensor([[[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]]))


def test_it_is_the_precision_at_as_many_ranks_as_there_are_relevant_items() -> None:
    assert r_precision(RANKING).item() == pytest.approx(3 / 4)


def test_ties_at_that_rank_matter() -> None:
    ranking = Ranking.of_counts(torch.tensor([[[1, 0], [1, 2]]]))  # rank 2 is one of a tie with two relevant of three

    scores = [RPrecision().score(ranking, order).item() for order in ("expected", "worst", "best")]

    assert scores == pytest.approx([2 / 3 / 2, 0, 1 / 2])
