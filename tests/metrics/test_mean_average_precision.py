import pytest
import torch

from softhash.metrics.mean_average_precision import MeanAveragePrecision, average_precision
from softhash.ranking.ranking import Ranking

# Shared labels in ranked order 2, then 0 and 1 at one distance, then 2, 0, 1.
RANKING = Ranking.of_counts(torch.tensor([[[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]]))


def test_it_is_the_mean_precision_at_relevant_ranks() -> None:
    # Relevant ranks are 1, 4, 6 and 2 or 3: precisions 1, 3/4, 4/6, and 2/2 or 2/3.
    scores = [average_precision(RANKING, order=order).item() for order in ("expected", "worst", "best")]

    worst, best = ((1 + at_two + 3 / 4 + 4 / 6) / 4 for at_two in (2 / 3, 1))
    assert scores == pytest.approx([(worst + best) / 2, worst, best])


@pytest.mark.parametrize(("normalizer", "divisor"), [("retrieved", 2), ("possible", 3), ("all", 4)])
def test_a_cut_off_changes_the_divisor(normalizer: str, divisor: int) -> None:
    scores = [average_precision(RANKING, 3, normalizer, order).item() for order in ("worst", "best")]

    assert scores == pytest.approx([(1 + 2 / 3) / divisor, (1 + 1) / divisor])


def test_one_relevant_item_more_in_the_top_can_make_it_smaller() -> None:
    # One relevant item, then three irrelevant and one relevant at one distance, cut after rank 4.
    ranking = Ranking.of_counts(torch.tensor([[[0, 1], [3, 1], [1, 0]]]))

    scores = [average_precision(ranking, 4, order=order).item() for order in ("expected", "worst", "best")]

    values = [(1 + 2 / rank) / 2 for rank in (2, 3, 4)] + [1.0]  # at rank 5 it is not in the top
    assert scores == pytest.approx([sum(values) / 4, (1 + 2 / 4) / 2, 1.0])


def test_normaliser_and_cut_off_stand_in_the_name() -> None:
    metrics = MeanAveragePrecision(), MeanAveragePrecision(20), MeanAveragePrecision(20, "possible", "excluded")

    assert [m.name for m in metrics] == ["mAP", "mAP@20", "mAP(possible)@20 without empty queries"]


def test_an_unknown_normaliser_is_refused() -> None:
    with pytest.raises(ValueError, match="normalizer must be one of retrieved, possible, all, got 'top'"):
        MeanAveragePrecision(normalizer="top")
