import pytest
import torch

from softhash.metrics.mean_reciprocal_rank import MeanReciprocalRank, reciprocal_rank
from softhash.ranking.ranking import Ranking

# Two irrelevant items, then one relevant among three at one distance.
RANKING = Ranking.of_counts(torch.tensor([[[2, 0], [2, 1], [0, 5]]]))


def test_the_first_relevant_item_is_at_each_place_of_its_tie_with_equal_chance() -> None:
    scores = [reciprocal_rank(RANKING, order).item() for order in ("expected", "worst", "best")]

    assert scores == pytest.approx([(1 / 3 + 1 / 4 + 1 / 5) / 3, 1 / 5, 1 / 3])


def test_of_several_relevant_items_the_first_counts() -> None:
    ranking = Ranking.of_counts(torch.tensor([[[1, 2]]]))

    # the one that is not relevant is first with chance 1/3
    assert reciprocal_rank(ranking).item() == pytest.approx(2 / 3 * 1 + 1 / 3 * 1 / 2)
    assert MeanReciprocalRank().score(ranking, "worst").item() == 0.5
