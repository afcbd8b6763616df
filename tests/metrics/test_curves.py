import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from softhash.metrics.curves import curves_over_distances, precision_at_ranks, precision_recall_curve
from softhash.metrics.precision import precision
from softhash.ranking.ranking import Ranking


@settings(deadline=None, max_examples=60)
@given(found=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6))
def test_the_curve_over_ranks_is_the_precision_at_each(found: list[tuple[int, int]]) -> None:
    counts = torch.zeros(1, 4, 4, dtype=torch.int64)
    for distance, shared in found:
        counts[0, distance, shared] += 1
    ranking, ranks = Ranking.of_counts(counts), torch.arange(1, len(found) + 1)

    curve = precision_at_ranks(ranking, ranks)

    each = [precision(ranking, int(rank)).item() for rank in ranks]
    assert curve[0].tolist() == pytest.approx(each, abs=1e-12)


def test_curves_over_distances_count_all_that_is_as_near() -> None:
    # One relevant item of two at distance 1, two relevant ones at distance 3; nothing at 0 and 2.
    ranking = Ranking.of_counts(torch.tensor([[[0, 0, 0], [1, 0, 1], [0, 0, 0], [0, 2, 0]]]))

    curves = curves_over_distances(ranking)

    assert curves["radius_precision"].tolist() == [[0, 0.5, 0.5, 0.75]]
    assert curves["radius_recall"].tolist() == pytest.approx(torch.tensor([[0, 1 / 3, 1 / 3, 1]]).double().numpy())
    assert curves["empty_balls"].tolist() == [[1, 0, 0, 0]]
    assert precision_recall_curve(ranking)[0].dtype == torch.float64
