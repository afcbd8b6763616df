import math

import pytest
import torch

from softhash.metrics.base import mean, refuse_nan
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.ranking.ranking import Ranking

FOUND_AND_NOTHING_TO_FIND = Ranking.of_counts(torch.tensor([[[0, 1], [1, 0]], [[1, 0], [1, 0]]]))


def test_the_mean_is_rounded_once() -> None:
    scores = torch.tensor([1e16, 1.0, -1e16, 1.0], dtype=torch.float64)

    assert mean(scores) == 0.5
    assert math.isnan(mean(scores[:0]))


def test_a_query_without_relevant_items_counts_as_zero_or_not_at_all() -> None:
    zero, excluded = MeanAveragePrecision(), MeanAveragePrecision(without_relevant="excluded")

    assert zero.scores(FOUND_AND_NOTHING_TO_FIND).tolist() == [1.0, 0.0]
    assert excluded.scores(FOUND_AND_NOTHING_TO_FIND).isnan().tolist() == [False, True]
    assert [metric.mean(metric.scores(FOUND_AND_NOTHING_TO_FIND)) for metric in (zero, excluded)] == [0.5, 1.0]


def test_scores_that_are_no_numbers_are_refused() -> None:
    refuse_nan("mAP", torch.tensor([0.5, 0.0]))
    with pytest.raises(ValueError, match="mAP is NaN for 2 of 3 queries"):
        refuse_nan("mAP", torch.tensor([torch.nan, 0.0, torch.nan]))


def test_a_nan_that_was_not_excluded_stays_in_the_mean() -> None:
    scores = torch.tensor([1.0, torch.nan])

    assert math.isnan(MeanAveragePrecision().mean(scores))
    assert MeanAveragePrecision(without_relevant="excluded").mean(scores) == 1.0


def test_scores_are_where_the_codes_are() -> None:
    metric = MeanAveragePrecision()
    metric.update(FOUND_AND_NOTHING_TO_FIND)

    assert metric.compute().device == FOUND_AND_NOTHING_TO_FIND.device


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_without_queries_there_is_no_number() -> None:
    metric = MeanAveragePrecision()
    metric.update(Ranking.of_counts(torch.zeros(0, 3, 2, dtype=torch.int64)))

    assert metric.compute().isnan()
