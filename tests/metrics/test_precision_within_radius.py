import pytest
import torch

from softhash.metrics.precision_within_radius import PrecisionWithinRadius, precision_within_radius
from softhash.ranking.ranking import Ranking
from softhash.ranking.scores import rank_scores


def test_it_is_the_share_of_relevant_items_in_the_ball() -> None:
    ranking = Ranking.of_counts(torch.tensor([[[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0]]]))

    assert [precision_within_radius(ranking, radius).item() for radius in (0, 1, 2, 3, 99)] == pytest.approx(
        [1, 2 / 3, 3 / 4, 3 / 5, 3 / 5]
    )


def test_an_empty_ball_scores_zero() -> None:
    far = Ranking.of_counts(torch.tensor([[[0, 0], [0, 0], [0, 0], [0, 5]]]))

    assert precision_within_radius(far, 2).item() == 0.0
    assert precision_within_radius(far, 3).item() == 1.0


def test_scores_have_no_radius() -> None:
    with pytest.raises(ValueError, match="a Hamming radius needs rankings by Hamming distance, not by scores"):
        precision_within_radius(rank_scores(torch.rand(2, 5), torch.ones(2, 5)), 2)


@pytest.mark.parametrize(
    ("radius", "message"),
    [(-1, "radius must be at least 0, got -1"), (2.5, "radius must be a whole number, got 2.5"), (True, "got True")],
)
def test_a_radius_that_cannot_be_is_refused(radius: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PrecisionWithinRadius(radius)
