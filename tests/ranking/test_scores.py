from collections.abc import Callable
from itertools import pairwise, permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score
from torch import Tensor

from softhash.functional.codes import pack
from softhash.functional.hamming import hamming_distance
from softhash.ranking.counts import tally
from softhash.ranking.ranking import (
    average_cumulative_gain,
    average_precision,
    normalized_discounted_cumulative_gain,
    precision,
    reciprocal_rank,
    weighted_average_precision,
)
from softhash.ranking.scores import tally_scores

pairs = st.lists(
    st.tuples(st.sampled_from([-1.5, 0.25, 3.0]), st.sampled_from([0.0, 0.5, 1.0, 2.5])),
    min_size=1,
    max_size=6,
)


def slow_wap(ranked: list[float], k: int) -> float:
    found = [sum(ranked[:rank]) / rank for rank in range(1, k + 1) if ranked[rank - 1] > 0]
    return float(np.mean(found)) if found else 0.0


def slow_ndcg(ranked: list[float], k: int) -> float:
    def dcg(grades: list[float]) -> float:
        return sum((2**r - 1) / np.log2(rank + 1) for rank, r in enumerate(grades[:k], start=1))

    ideal = dcg(sorted(ranked, reverse=True))
    return dcg(ranked) / ideal if ideal else 0.0


@pytest.mark.parametrize(
    ("fast", "slow"),
    [
        (weighted_average_precision, slow_wap),
        (average_precision, lambda ranked, k: slow_wap([float(r > 0) for r in ranked], k)),
        (normalized_discounted_cumulative_gain, slow_ndcg),
        (average_cumulative_gain, lambda ranked, k: sum(ranked[:k]) / k),
        (precision, lambda ranked, k: sum(r > 0 for r in ranked[:k]) / k),
    ],
)
@settings(deadline=None, max_examples=60)
@given(found=pairs, data=st.data())
def test_graded_relevance_and_tied_scores_are_averaged_over_all_orders(
    fast: Callable[..., Tensor],
    slow: Callable[[list[float], int], float],
    found: list[tuple[float, float]],
    data: st.DataObject,
) -> None:
    k = data.draw(st.integers(1, len(found)))
    orders = [[r for _, r in p] for p in permutations(found) if all(a[0] >= b[0] for a, b in pairwise(p))]
    values = [slow(ranked, k) for ranked in orders]
    scores, relevance = (torch.tensor([column], dtype=torch.float64) for column in zip(*found, strict=True))

    counts, grades = tally_scores(scores, relevance)
    actual = [fast(counts, k, order=order, grades=grades).item() for order in ("expected", "worst", "best")]

    assert actual == pytest.approx([np.mean(values), min(values), max(values)], abs=1e-12)


def test_hamming_distances_as_scores_measure_like_codes() -> None:
    rng = torch.Generator().manual_seed(0)
    query, database = (pack(torch.randn(n, 16, generator=rng)) for n in (20, 300))
    query_labels, database_labels = ((torch.rand(n, 6, generator=rng) < 0.3).long() for n in (20, 300))

    counts = tally(query, database, query_labels, database_labels, 16)
    scored, grades = tally_scores(-hamming_distance(query, database), query_labels @ database_labels.T)

    for order in ("expected", "worst", "best"):
        for measure in (
            weighted_average_precision,
            normalized_discounted_cumulative_gain,
            average_cumulative_gain,
        ):
            torch.testing.assert_close(
                measure(scored, 40, order=order, grades=grades),
                measure(counts, 40, order=order),
                rtol=0,
                atol=1e-12,
            )
        torch.testing.assert_close(reciprocal_rank(scored, order, grades), reciprocal_rank(counts, order))


def test_real_scores_measure_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores, grades = rng.normal(size=(5, 200)), rng.random((5, 200)) * (rng.random((5, 200)) < 0.4)

    counts, values = tally_scores(torch.from_numpy(scores), torch.from_numpy(grades))

    linear = normalized_discounted_cumulative_gain(counts, 50, "linear", grades=values)
    assert linear.mean().item() == pytest.approx(ndcg_score(grades, scores, k=50), abs=1e-12)
    each = [average_precision_score(g > 0, s) for g, s in zip(grades, scores, strict=True)]
    assert average_precision(counts, grades=values).tolist() == pytest.approx(each, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "relevance", "message"),
    [
        (
            torch.tensor([[1.0, torch.nan]]),
            torch.ones(1, 2),
            "scores has 1 NaN values, the first for query 0",
        ),
        (torch.ones(1, 2), torch.tensor([[torch.nan, 1.0]]), "relevance has 1 NaN values"),
        (torch.ones(1, 2), torch.tensor([[-1.0, 1.0]]), "relevance must be at least 0, got -1.0"),
        (torch.ones(1, 2), torch.ones(1, 3), r"must both be \(Q, N\), got \(1, 2\) and \(1, 3\)"),
        (torch.ones(0, 2), torch.ones(0, 2), r"scores are empty: \(0, 2\)"),
    ],
)
def test_bad_scores_are_named(scores: Tensor, relevance: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tally_scores(scores, relevance)
