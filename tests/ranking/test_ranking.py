"""Measures of a tally against every permutation of ties, against other libraries, and by hand."""

from collections.abc import Callable
from itertools import permutations, product
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score
from torch import Tensor

from softhash.ranking import ranking
from softhash.ranking.ranking import (
    average_cumulative_gain,
    average_precision,
    normalized_discounted_cumulative_gain,
    num_relevant,
    precision,
    precision_at_ranks,
    precision_recall_curve,
    precision_within_radius,
    recall,
    reciprocal_rank,
    weighted_average_precision,
)

Items = list[tuple[int, int]]  # (distance, shared labels)
Slow = Callable[[list[int], int], float]  # shared labels in ranked order, cut-off

items = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6)


def tally_of(found: Items) -> Tensor:
    counts = torch.zeros(1, 4, 4, dtype=torch.int64)
    for distance, shared in found:
        counts[0, distance, shared] += 1
    return counts


def every_order(found: Items) -> list[list[int]]:
    """Shared labels in ranked order, for each order inside the ties."""
    ties = [[shared for distance, shared in found if distance == d] for d in range(4)]
    return [[r for part in parts for r in part] for parts in product(*(permutations(tie) for tie in ties))]


def slow_precision(ranked: list[int], k: int) -> float:
    return sum(r > 0 for r in ranked[:k]) / k


def slow_recall(ranked: list[int], k: int) -> float:
    relevant = sum(r > 0 for r in ranked)
    return sum(r > 0 for r in ranked[:k]) / relevant if relevant else 0.0


def slow_acg(ranked: list[int], k: int) -> float:
    return sum(ranked[:k]) / k


def slow_dcg(ranked: list[int], k: int, gain: Callable[[int], float]) -> float:
    return sum(gain(r) / np.log2(rank + 1) for rank, r in enumerate(ranked[:k], start=1))


def slow_ndcg(gain: Callable[[int], float]) -> Slow:
    def measure(ranked: list[int], k: int) -> float:
        ideal = slow_dcg(sorted(ranked, reverse=True), k, gain)
        return slow_dcg(ranked, k, gain) / ideal if ideal else 0.0

    return measure


def slow_wap(normalizer: str, graded: bool) -> Slow:
    def measure(ranked: list[int], k: int) -> float:
        gains = ranked if graded else [int(r > 0) for r in ranked]
        total = sum(sum(gains[:rank]) / rank for rank in range(1, k + 1) if ranked[rank - 1] > 0)
        everything, found = sum(r > 0 for r in ranked), sum(r > 0 for r in ranked[:k])
        divisor = {"retrieved": found, "possible": min(k, everything), "all": everything}[normalizer]
        return total / divisor if divisor else 0.0

    return measure


def slow_reciprocal_rank(ranked: list[int], k: int) -> float:
    del k
    return next((1 / rank for rank, r in enumerate(ranked, start=1) if r > 0), 0.0)


def slow_r_precision(ranked: list[int], k: int) -> float:
    del k
    relevant = sum(r > 0 for r in ranked)
    return slow_precision(ranked, relevant) if relevant else 0.0


MEASURES = {
    "precision": (precision, slow_precision),
    "MRR": (lambda tally, _, order: reciprocal_rank(tally, order), slow_reciprocal_rank),
    "R-precision": (lambda tally, _, order: precision(tally, num_relevant(tally), order), slow_r_precision),
    "recall": (recall, slow_recall),
    "ACG": (average_cumulative_gain, slow_acg),
    "NDCG": (normalized_discounted_cumulative_gain, slow_ndcg(lambda r: 2.0**r - 1)),
    "linear NDCG": (
        lambda tally, k, order: normalized_discounted_cumulative_gain(tally, k, "linear", order),
        slow_ndcg(float),
    ),
    **{
        f"AP over {n}": (
            lambda t, k, order, n=n: average_precision(t, k, n, order),
            slow_wap(n, graded=False),
        )
        for n in ("retrieved", "possible", "all")
    },
    **{
        f"WAP over {n}": (
            lambda t, k, order, n=n: weighted_average_precision(t, k, n, order),
            slow_wap(n, graded=True),
        )
        for n in ("retrieved", "possible", "all")
    },
}


@pytest.mark.parametrize("compiled", [False, True], ids=["torch", "numba"])
@pytest.mark.parametrize("name", MEASURES)
@settings(deadline=None, max_examples=60)
@given(found=items, data=st.data())
def test_expected_worst_and_best_are_those_of_all_orders_of_ties(
    name: str, compiled: bool, found: Items, data: st.DataObject
) -> None:
    fast, slow = MEASURES[name]
    k = data.draw(st.integers(1, len(found)))
    values = [slow(ranked, k) for ranked in every_order(found)]

    with patch.object(ranking, "ties_compiled", ranking.ties_compiled if compiled else None):
        actual = [fast(tally_of(found), k, order=order).item() for order in ("expected", "worst", "best")]

    assert actual == pytest.approx([np.mean(values), min(values), max(values)], abs=1e-12)


@pytest.mark.parametrize(
    ("measure", "first", "exchanged"),
    [
        (lambda t: average_cumulative_gain(t, 3), 1.0, 1.0),
        (lambda t: average_cumulative_gain(t, 6), 1.0, 1.0),
        (lambda t: normalized_discounted_cumulative_gain(t, 5), 0.822883, 0.845366),
        (average_precision, 0.770833, 0.854167),
        (weighted_average_precision, 1.3125, 1.4375),
        (lambda t: average_precision(t, 3, "retrieved"), 0.833333, 1.0),
        (lambda t: average_precision(t, 3, "possible"), 0.555556, 0.666667),
        (lambda t: weighted_average_precision(t, 3), 1.5, 1.75),
        (lambda t: precision(t, 3), 0.666667, 0.666667),
    ],
)
def test_the_worked_example(measure: Callable[[Tensor], Tensor], first: float, exchanged: float) -> None:
    # Distances 0, 1, 1, 2, 3, 4 with 2, 0, 1, 2, 0, 1 shared labels; then the two at distance 1 exchanged.
    for at_one, value in (([0, 1], first), ([1, 0], exchanged)):
        untied = torch.zeros(1, 6, 3, dtype=torch.int64)
        for rank, shared in enumerate([2, *at_one, 2, 0, 1]):
            untied[0, rank, shared] = 1
        assert measure(untied).item() == pytest.approx(value, abs=1e-6)


def test_the_worked_example_with_its_tie() -> None:
    tied = torch.zeros(1, 5, 3, dtype=torch.int64)
    for distance, shared in zip([0, 1, 1, 2, 3, 4], [2, 0, 1, 2, 0, 1], strict=True):
        tied[0, distance, shared] += 1

    assert normalized_discounted_cumulative_gain(tied, 5).item() == pytest.approx(0.834124, abs=1e-6)
    assert average_precision(tied).item() == pytest.approx(0.8125)
    assert weighted_average_precision(tied).item() == pytest.approx(1.375)
    assert average_cumulative_gain(tied, 2).item() == pytest.approx(1.25)
    assert precision_within_radius(tied, 2).item() == pytest.approx(0.75)
    assert precision_recall_curve(tied)[1][0, 2].item() == pytest.approx(0.75)


def large(seed: int, distances: int = 33) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """A database of 3,000 items with big ties: its tally, distances and shared labels."""
    rng = np.random.default_rng(seed)
    shared = rng.integers(0, 4, 3000)
    distance = rng.integers(0, distances, 3000) // 2 + (shared == 0)
    counts = torch.zeros(1, max(distances, 9), 4, dtype=torch.int64)
    np.add.at(counts.numpy(), (0, distance, shared), 1)
    return counts, distance, shared


def test_expected_ndcg_is_that_of_scikit_learn() -> None:
    tally, distance, shared = large(seed=0)

    expected = ndcg_score([2.0**shared - 1], [-distance.astype(float)], k=100)

    assert normalized_discounted_cumulative_gain(tally, 100).item() == pytest.approx(expected, abs=1e-12)


def test_ap_without_ties_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    relevant = rng.integers(0, 2, 200)
    tally = torch.zeros(1, 200, 2, dtype=torch.int64)
    tally[0, torch.arange(200), torch.from_numpy(relevant)] = 1

    assert average_precision(tally).item() == pytest.approx(average_precision_score(relevant, -np.arange(200.0)))


@pytest.mark.parametrize("name", MEASURES)
@pytest.mark.parametrize("order", ["expected", "worst", "best"])
def test_with_and_without_numba_large_ties_score_the_same(name: str, order: str) -> None:
    pytest.importorskip("numba")
    tallies = torch.cat([large(seed, distances)[0][:, :9] for seed in range(8) for distances in (2, 9)])

    compiled = MEASURES[name][0](tallies, 777, order=order)
    with patch.object(ranking, "ties_compiled", None):
        plain = MEASURES[name][0](tallies, 777, order=order)

    torch.testing.assert_close(compiled, plain, rtol=0, atol=1e-11)


@settings(deadline=None, max_examples=60)
@given(found=items)
def test_the_curve_over_ranks_is_the_precision_at_each(found: Items) -> None:
    ranks = torch.arange(1, len(found) + 1)

    curve = precision_at_ranks(tally_of(found), ranks)

    each = [precision(tally_of(found), int(rank)).item() for rank in ranks]
    assert curve[0].tolist() == pytest.approx(each, abs=1e-12)


@pytest.mark.parametrize("cut", [1, 10, 100, 1000, 2999])
def test_expected_ap_with_big_ties_is_the_mean_over_sampled_orders(cut: int) -> None:
    tally, distance, shared = large(seed=1, distances=9)
    rng = np.random.default_rng(2)
    sampled = []
    for _ in range(400):
        order = np.lexsort((rng.random(3000), distance))[:cut]
        relevant = (shared > 0)[order]
        at = np.flatnonzero(relevant)
        sampled.append(np.mean(np.cumsum(relevant)[at] / (at + 1)) if len(at) else 0.0)

    error = np.std(sampled) / np.sqrt(len(sampled))

    assert average_precision(tally, cut).item() == pytest.approx(np.mean(sampled), abs=max(5 * error, 1e-9))


def test_a_query_without_relevant_items_scores_zero() -> None:
    nothing = torch.zeros(1, 3, 2, dtype=torch.int64)
    nothing[0, :, 0] = 5

    for measure, _ in MEASURES.values():
        for order in ("expected", "worst", "best"):
            assert measure(nothing, 7, order=order).item() == 0.0


def test_an_empty_ball_scores_zero() -> None:
    far = torch.zeros(1, 4, 2, dtype=torch.int64)
    far[0, 3, 1] = 5

    assert precision_within_radius(far, 2).item() == 0.0
    assert precision_within_radius(far, 3).item() == 1.0


@pytest.mark.parametrize("name", MEASURES)
def test_a_query_scores_the_same_to_the_last_digit_alone_or_among_others(name: str) -> None:
    tallies = torch.cat([large(seed)[0] for seed in range(5)] + [large(9, distances=33)[0] * 3])
    tallies[5] = tallies[5] // 3
    measure = MEASURES[name][0]

    for order in ("expected", "worst", "best"):
        together = measure(tallies, 777, order=order)
        alone = torch.cat([measure(tallies[i : i + 1], 777, order=order) for i in range(6)])
        assert together.tolist() == alone.tolist()
