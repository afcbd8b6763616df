import pytest
import torch

from softhash.metrics.weighted_average_precision import WeightedAveragePrecision, weighted_average_precision
from softhash.ranking.ranking import Ranking

# Shared labels in ranked order 2, then 0 and 1 at one distance, then 2, 0, 1.
RANKING = Ranking.of_counts(torch.tensor([[[0, 0, 1], [1, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]]))


def test_it_is_the_mean_acg_at_relevant_ranks() -> None:
    # Relevant ranks are 1, 4, 6 and 2 or 3: ACG 2, 5/4, 6/6, and 3/2 or 3/3.
    scores = [weighted_average_precision(RANKING, order=order).item() for order in ("expected", "worst", "best")]

    worst, best = ((2 + acg + 5 / 4 + 1) / 4 for acg in (1, 3 / 2))
    assert scores == pytest.approx([(worst + best) / 2, worst, best])


@pytest.mark.parametrize(("normalizer", "divisor"), [("retrieved", 2), ("possible", 3), ("all", 4)])
def test_a_cut_off_changes_the_divisor(normalizer: str, divisor: int) -> None:
    scores = [weighted_average_precision(RANKING, 3, normalizer, order).item() for order in ("worst", "best")]

    assert scores == pytest.approx([(2 + 1) / divisor, (2 + 3 / 2) / divisor])


def test_normaliser_and_cut_off_stand_in_the_name() -> None:
    assert WeightedAveragePrecision().name == "WAP"
    assert WeightedAveragePrecision(20, "all").name == "WAP(all)@20"


def test_an_unknown_normaliser_is_refused() -> None:
    with pytest.raises(ValueError, match="normalizer must be one of retrieved, possible, all, got 'top'"):
        WeightedAveragePrecision(normalizer="top")
