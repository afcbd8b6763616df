"""Every metric against slow definitions, over every permutation of ties, and against other libraries."""

from collections.abc import Callable
from itertools import pairwise, permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score
from torch import Tensor

from softhash.metrics.average_cumulative_gain import average_cumulative_gain
from softhash.metrics.mean_average_precision import average_precision
from softhash.metrics.mean_reciprocal_rank import reciprocal_rank
from softhash.metrics.normalized_discounted_cumulative_gain import normalized_discounted_cumulative_gain
from softhash.metrics.precision import precision
from softhash.metrics.r_precision import r_precision
from softhash.metrics.recall import recall
from softhash.metrics.weighted_average_precision import weighted_average_precision
from softhash.ranking.ranking import ORDERS, Order, Ranking
from softhash.ranking.scores import rank_scores

Items = list[tuple[int, int]]  # (distance, shared labels)
Fast = Callable[[Ranking, int, Order], Tensor]
Slow = Callable[[list[float], int], float]  # grades in ranked order, cut-off

items = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=6)
scored = st.lists(
    st.tuples(st.sampled_from([-1.5, 0.25, 3.0]), st.sampled_from([0.0, 0.5, 1.0, 2.5])), min_size=1, max_size=6
)


def ranking_of(found: Items) -> Ranking:
    counts = torch.zeros(1, 4, 4, dtype=torch.int64)
    for distance, shared in found:
        counts[0, distance, shared] += 1
    return Ranking.of_counts(counts)


def every_order(found: Items) -> list[list[float]]:
    """Shared labels in ranked order, for each order inside the ties."""
    ties = [[shared for distance, shared in found if distance == d] for d in range(4)]
    return [[r for part in parts for r in part] for parts in product(*(permutations(tie) for tie in ties))]


def slow_precision(ranked: list[float], k: int) -> float:
    return sum(r > 0 for r in ranked[:k]) / k


def slow_recall(ranked: list[float], k: int) -> float:
    relevant = sum(r > 0 for r in ranked)
    return sum(r > 0 for r in ranked[:k]) / relevant if relevant else 0.0


def slow_acg(ranked: list[float], k: int) -> float:
    return sum(ranked[:k]) / k


def slow_dcg(ranked: list[float], k: int, gain: Callable[[float], float]) -> float:
    return sum(gain(r) / np.log2(rank + 1) for rank, r in enumerate(ranked[:k], start=1))


def slow_ndcg(gain: Callable[[float], float]) -> Slow:
    def measure(ranked: list[float], k: int) -> float:
        ideal = slow_dcg(sorted(ranked, reverse=True), k, gain)
        return slow_dcg(ranked, k, gain) / ideal if ideal else 0.0

    return measure


def slow_wap(normalizer: str, graded: bool) -> Slow:
    def measure(ranked: list[float], k: int) -> float:
        gains = ranked if graded else [float(r > 0) for r in ranked]
        total = sum(sum(gains[:rank]) / rank for rank in range(1, k + 1) if ranked[rank - 1] > 0)
        everything, found = sum(r > 0 for r in ranked), sum(r > 0 for r in ranked[:k])
        divisor = {"retrieved": found, "possible": min(k, everything), "all": everything}[normalizer]
        return total / divisor if divisor else 0.0

    return measure


def slow_reciprocal_rank(ranked: list[float], k: int) -> float:
    del k
    return next((1 / rank for rank, r in enumerate(ranked, start=1) if r > 0), 0.0)


def slow_r_precision(ranked: list[float], k: int) -> float:
    del k
    relevant = sum(r > 0 for r in ranked)
    return slow_precision(ranked, relevant) if relevant else 0.0


METRICS: dict[str, tuple[Fast, Slow]] = {
    "precision": (precision, slow_precision),
    "MRR": (lambda ranking, _, order: reciprocal_rank(ranking, order), slow_reciprocal_rank),
    "R-precision": (lambda ranking, _, order: r_precision(ranking, order), slow_r_precision),
    "recall": (recall, slow_recall),
    "ACG": (average_cumulative_gain, slow_acg),
    "NDCG": (
        lambda ranking, k, order: normalized_discounted_cumulative_gain(ranking, k, order=order),
        slow_ndcg(lambda r: 2.0**r - 1),
    ),
    "linear NDCG": (
        lambda ranking, k, order: normalized_discounted_cumulative_gain(ranking, k, "linear", order),
        slow_ndcg(float),
    ),
    **{
        f"AP over {n}": (
            lambda ranking, k, order, n=n: average_precision(ranking, k, n, order),
            slow_wap(n, graded=False),
        )
        for n in ("retrieved", "possible", "all")
    },
    **{
        f"WAP over {n}": (
            lambda ranking, k, order, n=n: weighted_average_precision(ranking, k, n, order),
            slow_wap(n, graded=True),
        )
        for n in ("retrieved", "possible", "all")
    },
}


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=60)
@given(found=items, data=st.data())
def test_expected_worst_and_best_are_those_of_all_orders_of_ties(name: str, found: Items, data: st.DataObject) -> None:
    fast, slow = METRICS[name]
    k = data.draw(st.integers(1, len(found)))
    values = [slow(ranked, k) for ranked in every_order(found)]

    actual = [fast(ranking_of(found), k, order).item() for order in ORDERS]

    assert actual == pytest.approx([np.mean(values), min(values), max(values)], abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
@settings(deadline=None, max_examples=60)
@given(found=scored, data=st.data())
def test_graded_relevance_and_tied_scores_are_averaged_over_all_orders(
    name: str, found: list[tuple[float, float]], data: st.DataObject
) -> None:
    fast, slow = METRICS[name]
    k = data.draw(st.integers(1, len(found)))
    orders = [[r for _, r in p] for p in permutations(found) if all(a[0] >= b[0] for a, b in pairwise(p))]
    values = [slow(ranked, k) for ranked in orders]
    scores, relevance = (torch.tensor([column], dtype=torch.float64) for column in zip(*found, strict=True))

    actual = [fast(rank_scores(scores, relevance), k, order).item() for order in ORDERS]

    assert actual == pytest.approx([np.mean(values), min(values), max(values)], abs=1e-12)


@pytest.mark.parametrize(
    ("measure", "first", "exchanged"),
    [
        (lambda r: average_cumulative_gain(r, 3), 1.0, 1.0),
        (lambda r: average_cumulative_gain(r, 6), 1.0, 1.0),
        (lambda r: normalized_discounted_cumulative_gain(r, 5), 0.822883, 0.845366),
        (average_precision, 0.770833, 0.854167),
        (weighted_average_precision, 1.3125, 1.4375),
        (lambda r: average_precision(r, 3, "retrieved"), 0.833333, 1.0),
        (lambda r: average_precision(r, 3, "possible"), 0.555556, 0.666667),
        (lambda r: weighted_average_precision(r, 3), 1.5, 1.75),
        (lambda r: precision(r, 3), 0.666667, 0.666667),
    ],
)
def test_the_worked_example(measure: Callable[[Ranking], Tensor], first: float, exchanged: float) -> None:
    # Distances 0, 1, 1, 2, 3, 4 with 2, 0, 1, 2, 0, 1 shared labels; then the two at distance 1 exchanged.
    for at_one, value in (([0, 1], first), ([1, 0], exchanged)):
        untied = torch.zeros(1, 6, 3, dtype=torch.int64)
        for rank, shared in enumerate([2, *at_one, 2, 0, 1]):
            untied[0, rank, shared] = 1
        assert measure(Ranking.of_counts(untied)).item() == pytest.approx(value, abs=1e-6)


def test_the_worked_example_with_its_tie() -> None:
    counts = torch.zeros(1, 5, 3, dtype=torch.int64)
    for distance, shared in zip([0, 1, 1, 2, 3, 4], [2, 0, 1, 2, 0, 1], strict=True):
        counts[0, distance, shared] += 1
    tied = Ranking.of_counts(counts)

    assert normalized_discounted_cumulative_gain(tied, 5).item() == pytest.approx(0.834124, abs=1e-6)
    assert average_precision(tied).item() == pytest.approx(0.8125)
    assert weighted_average_precision(tied).item() == pytest.approx(1.375)
    assert average_cumulative_gain(tied, 2).item() == pytest.approx(1.25)


def large(seed: int, distances: int = 33) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """A database of 3,000 items with big ties: its tally, distances and shared labels."""
    rng = np.random.default_rng(seed)
    shared = rng.integers(0, 4, 3000)
    distance = rng.integers(0, distances, 3000) // 2 + (shared == 0)
    counts = torch.zeros(1, max(distances, 9), 4, dtype=torch.int64)
    np.add.at(counts.numpy(), (0, distance, shared), 1)
    return counts, distance, shared


def test_expected_ndcg_is_that_of_scikit_learn() -> None:
    counts, distance, shared = large(seed=0)

    expected = ndcg_score([2.0**shared - 1], [-distance.astype(float)], k=100)

    value = normalized_discounted_cumulative_gain(Ranking.of_counts(counts), 100)
    assert value.item() == pytest.approx(expected, abs=1e-12)


def test_ap_without_ties_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    relevant = rng.integers(0, 2, 200)
    counts = torch.zeros(1, 200, 2, dtype=torch.int64)
    counts[0, torch.arange(200), torch.from_numpy(relevant)] = 1

    value = average_precision(Ranking.of_counts(counts))

    assert value.item() == pytest.approx(average_precision_score(relevant, -np.arange(200.0)))


def test_real_scores_measure_as_in_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    scores, grades = rng.normal(size=(5, 200)), rng.random((5, 200)) * (rng.random((5, 200)) < 0.4)

    ranking = rank_scores(torch.from_numpy(scores), torch.from_numpy(grades))

    linear = normalized_discounted_cumulative_gain(ranking, 50, "linear")
    assert linear.mean().item() == pytest.approx(ndcg_score(grades, scores, k=50), abs=1e-12)
    each = [average_precision_score(g > 0, s) for g, s in zip(grades, scores, strict=True)]
    assert average_precision(ranking).tolist() == pytest.approx(each, abs=1e-12)


@pytest.mark.parametrize("cut", [1, 10, 100, 1000, 2999])
def test_expected_ap_with_big_ties_is_the_mean_over_sampled_orders(cut: int) -> None:
    counts, distance, shared = large(seed=1, distances=9)
    rng = np.random.default_rng(2)
    sampled = []
    for _ in range(400):
        order = np.lexsort((rng.random(3000), distance))[:cut]
        relevant = (shared > 0)[order]
        at = np.flatnonzero(relevant)
        sampled.append(np.mean(np.cumsum(relevant)[at] / (at + 1)) if len(at) else 0.0)

    error = np.std(sampled) / np.sqrt(len(sampled))

    value = average_precision(Ranking.of_counts(counts), cut)
    assert value.item() == pytest.approx(np.mean(sampled), abs=max(5 * error, 1e-9))


@pytest.mark.parametrize("name", [name for name in METRICS if not name.endswith("retrieved")])
def test_worst_and_best_with_big_ties_are_those_of_sorted_ties(name: str) -> None:
    # Not so for what is divided by the retrieved items: one more of them before the cut-off is not always better.
    fast, slow = METRICS[name]
    counts, distance, shared = large(seed=2, distances=9)

    actual = [fast(Ranking.of_counts(counts), 777, order).item() for order in ("worst", "best")]

    ranked = [shared[np.lexsort((sign * shared, distance))].astype(float).tolist() for sign in (1, -1)]
    assert actual == pytest.approx([slow(each, 777) for each in ranked], abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_a_query_without_relevant_items_scores_zero(name: str) -> None:
    nothing = torch.zeros(1, 3, 2, dtype=torch.int64)
    nothing[0, :, 0] = 5

    assert [METRICS[name][0](Ranking.of_counts(nothing), 7, order).item() for order in ORDERS] == [0.0] * 3


@pytest.mark.parametrize("name", METRICS)
def test_a_query_scores_the_same_to_the_last_digit_alone_or_among_others(name: str) -> None:
    counts = torch.cat([large(seed)[0] for seed in range(5)] + [large(9)[0]])
    measure = METRICS[name][0]

    for order in ORDERS:
        together = measure(Ranking.of_counts(counts), 777, order)
        alone = torch.cat([measure(Ranking.of_counts(counts[i : i + 1]), 777, order) for i in range(6)])
        assert together.tolist() == alone.tolist()
