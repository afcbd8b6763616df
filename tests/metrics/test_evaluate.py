import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from softhash.ranking.counts_numpy import count_words
from torch import Tensor
from torchmetrics.retrieval import RetrievalMAP

from softhash.functional.codes import pack
from softhash.functional.hamming import hamming_distance
from softhash.metrics.average_cumulative_gain import AverageCumulativeGain
from softhash.metrics.base import TallyMetric
from softhash.metrics.evaluate import evaluate, evaluate_graded
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.mean_reciprocal_rank import MeanReciprocalRank
from softhash.metrics.normalized_discounted_cumulative_gain import NormalizedDiscountedCumulativeGain
from softhash.metrics.precision import Precision
from softhash.metrics.precision_within_radius import PrecisionWithinRadius
from softhash.metrics.r_precision import RPrecision
from softhash.metrics.recall import Recall
from softhash.metrics.scores import evaluate_scores
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision
from softhash.ranking.counts import tally


def metrics() -> list[TallyMetric]:
    return [
        MeanAveragePrecision(),
        MeanAveragePrecision(20),
        MeanAveragePrecision(20, "possible"),
        NormalizedDiscountedCumulativeGain(20),
        AverageCumulativeGain(20),
        WeightedAveragePrecision(),
        WeightedAveragePrecision(20),
        Precision(20),
        Recall(20),
        RPrecision(),
        MeanReciprocalRank(),
        PrecisionWithinRadius(2),
    ]


def problem(seed: int, bits: int, num_query: int = 30, num_database: int = 150, classes: int = 7) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    codes = [pack(torch.randn(count, bits, generator=rng)) for count in (num_query, num_database)]
    labels = [(torch.rand(count, classes, generator=rng) < 0.3).to(torch.uint8) for count in (num_query, num_database)]
    return codes[0], labels[0], codes[1], labels[1]


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99))
def test_neither_the_order_of_queries_nor_that_of_the_database_changes_a_digit(seed: int) -> None:
    query, query_labels, database, database_labels = problem(seed, 12)
    rng = torch.Generator().manual_seed(seed)
    q, d = torch.randperm(len(query), generator=rng), torch.randperm(len(database), generator=rng)

    first = evaluate(metrics(), query, query_labels, database, database_labels, 12)
    second = evaluate(metrics(), query[q], query_labels[q], database[d], database_labels[d], 12)

    for name, measure in first.measures.items():
        other = second.measures[name]
        assert (measure.expected, measure.worst, measure.best) == (other.expected, other.worst, other.best)


def test_the_block_size_does_not_change_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluate(metrics(), *problem(3, 12), 12)
    monkeypatch.setattr("softhash.metrics.evaluate._QUERY_BLOCK", 7)
    monkeypatch.setattr("softhash.ranking.counts_numpy._PAIRS", 11)

    blocks = evaluate(metrics(), *problem(3, 12), 12)

    assert torch.equal(whole.pairs, blocks.pairs)
    for name, measure in whole.measures.items():
        assert measure.expected == blocks.measures[name].expected
        assert measure.per_query.tolist() == blocks.measures[name].per_query.tolist()


def test_threads_and_arrays_do_not_change_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    query, query_labels, database, database_labels = problem(4, 12)
    monkeypatch.setattr("softhash.metrics.evaluate._QUERY_BLOCK", 7)
    threads = torch.get_num_threads()

    alone = evaluate(metrics(), query, query_labels, database, database_labels, 12)
    torch.set_num_threads(3)
    arrays = evaluate(
        {metric.name: metric for metric in metrics()},
        *(values.numpy() for values in (query, query_labels, database, database_labels)),
        12,
    )
    after = torch.get_num_threads()
    torch.set_num_threads(threads)

    assert after == 3
    for name, measure in alone.measures.items():
        assert measure.per_query.tolist() == arrays.measures[name].per_query.tolist()
    assert alone.radius_precision.tolist() == arrays.radius_precision.tolist()
    assert alone.rank_precision.tolist() == arrays.rank_precision.tolist()


def test_without_numba_the_measures_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    compiled = evaluate(metrics(), *problem(5, 33), 33)
    monkeypatch.setattr("softhash.ranking.counts.count_words", count_words)
    monkeypatch.setattr("softhash.ranking.ranking.ties_compiled", None)

    plain = evaluate(metrics(), *problem(5, 33), 33)

    assert torch.equal(compiled.pairs, plain.pairs)
    for name, measure in compiled.measures.items():
        other = plain.measures[name]
        assert (measure.expected, measure.worst, measure.best) == pytest.approx(
            (other.expected, other.worst, other.best), abs=1e-12
        )


def test_excluded_queries_leave_the_mean_but_are_counted() -> None:
    tallies = torch.tensor([[[0, 1], [1, 0]], [[1, 0], [1, 0]]])  # found first; nothing to find
    both = [MeanAveragePrecision(), MeanAveragePrecision(without_relevant="excluded")]
    for metric in both:
        metric.update(tallies)
    query = pack(torch.tensor([[1.0], [-1.0]]))
    labels = torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8)

    found = evaluate(both, query, labels, query[:1], labels[:1], 1)

    assert [metric.compute().item() for metric in both] == [0.5, 1.0]
    assert found.measures["mAP without empty queries"].expected == 1.0
    assert found.measures["mAP without empty queries"].per_query.isnan().tolist() == [False, True]
    assert (found.queries_without_relevant, found.num_queries, found.num_database) == (1, 2, 1)


def test_a_measure_carries_its_conventions() -> None:
    found = evaluate([MeanAveragePrecision(20, "possible")], *problem(3, 12), 12)

    assert found.measures["mAP(possible)@20"].conventions == {
        "top_k": 20,
        "without_relevant": "zero",
        "normalizer": "possible",
    }


def test_map_without_ties_is_that_of_torchmetrics() -> None:
    # All 10-bit codes at different distances from the query: 0, 1, ... 10 ones.
    database = pack(torch.tensor([[1.0] * d + [-1.0] * (10 - d) for d in range(11)]))
    query = pack(-torch.ones(1, 10))
    labels = torch.tensor([[1], [0], [1], [1], [0], [0], [1], [0], [0], [1], [0]], dtype=torch.uint8)

    found = evaluate([MeanAveragePrecision()], query, torch.ones(1, 1, dtype=torch.uint8), database, labels, 10)

    scores = 10 - torch.arange(11.0) + 1
    expected = RetrievalMAP()(scores, labels[:, 0].bool(), indexes=torch.zeros(11, dtype=torch.int64))
    measure = found.measures["mAP"]
    assert measure.expected == measure.worst == measure.best == pytest.approx(expected.item(), abs=1e-6)


def test_leaving_self_out_is_evaluating_each_against_the_others() -> None:
    _, _, codes, labels = problem(5, 12)

    together = evaluate(metrics(), codes, labels, codes, labels, 12, exclude_self=True)

    for i in (0, 17, 149):
        others = torch.arange(150) != i
        alone = tally(codes[[i]], codes[others], labels[[i]], labels[others], 12)
        for metric in metrics():
            assert together.measures[metric.name].per_query[i].item() == pytest.approx(metric.score(alone).item())


def test_queries_without_relevant_items_and_empty_balls_are_counted() -> None:
    query = pack(torch.tensor([[1.0] * 8, [-1.0] * 8]))
    database = pack(torch.tensor([[1.0] * 8, [1.0] * 8]))
    query_labels = torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8)
    database_labels = torch.tensor([[1, 0], [1, 0]], dtype=torch.uint8)

    found = evaluate([MeanAveragePrecision()], query, query_labels, database, database_labels, 8)

    assert found.queries_without_relevant == 1
    assert found.measures["mAP"].expected == 0.5
    assert found.empty_balls.tolist() == [0.5] * 8 + [0.0]
    assert found.ranks.tolist() == [1, 2]
    assert found.rank_precision.tolist() == [0.5, 0.5]
    assert found.radius_recall.tolist() == [0.5] * 9


GOOD = dict(zip(("query_codes", "query_labels", "database_codes", "database_labels"), problem(6, 12), strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"query_codes": torch.randn(30, 12)},
            r"query_codes must be packed codes, \(N, W\) uint8, got shape \(30, 12\) of torch.float32",
        ),
        ({"query_codes": GOOD["query_codes"][:, :1]}, "query_codes has 1 bytes a code, but 12 bits take 2"),
        (
            {"database_codes": torch.full((150, 2), 255, dtype=torch.uint8)},
            "database_codes has bits set beyond the first 12",
        ),
        (
            {"database_codes": GOOD["database_codes"][:9]},
            r"database_labels has shape \(150, 7\), but there are 9 database_codes",
        ),
        ({"query_labels": GOOD["query_labels"][:, :6]}, "query_labels has 6 classes, database_labels 7"),
        (
            {"query_labels": GOOD["query_labels"] * 3},
            "query_labels must be multi-hot, 0 or 1, got values from 0 to 3",
        ),
        (
            {"query_labels": GOOD["query_labels"] * 0},
            "none of the 30 queries has a relevant item among the 150",
        ),
        (
            {"query_codes": GOOD["query_codes"][:0], "query_labels": GOOD["query_labels"][:0]},
            "query_codes is empty",
        ),
    ],
)
def test_bad_input_is_named(changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate([MeanAveragePrecision()], **(GOOD | changes), bits=12)


def test_leaving_self_out_needs_the_queries_to_be_the_database() -> None:
    with pytest.raises(ValueError, match="exclude_self needs the queries to be the database, got 30 and 150 codes"):
        evaluate([MeanAveragePrecision()], **GOOD, bits=12, exclude_self=True)


@pytest.mark.parametrize(
    ("metric", "arguments", "message"),
    [
        (
            MeanAveragePrecision,
            {"normalizer": "top"},
            "normalizer must be one of retrieved, possible, all, got 'top'",
        ),
        (
            WeightedAveragePrecision,
            {"normalizer": "top"},
            "normalizer must be one of retrieved, possible, all, got 'top'",
        ),
        (
            NormalizedDiscountedCumulativeGain,
            {"gain": "cubic"},
            "gain must be one of exponential, linear, got 'cubic'",
        ),
        (RPrecision, {"without_relevant": "one"}, "without_relevant must be zero or excluded, got 'one'"),
        (PrecisionWithinRadius, {"radius": -1}, "radius must be at least 0, got -1"),
    ],
)
def test_an_unknown_convention_is_refused(metric: type[TallyMetric], arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric(**arguments)


def test_a_cut_off_beyond_the_database_is_refused() -> None:
    with pytest.raises(ValueError, match="mAP@151 needs a database of at least 151 items, this one has 150"):
        evaluate([MeanAveragePrecision(151)], **GOOD, bits=12)


@pytest.mark.parametrize("metric", [MeanAveragePrecision, Precision, AverageCumulativeGain])
def test_a_cut_off_below_one_is_refused(metric: type[TallyMetric]) -> None:
    with pytest.raises(ValueError, match="top_k must be at least 1 or null, got 0"):
        metric(top_k=0)


def test_random_codes_score_the_share_of_relevant_pairs() -> None:
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(256, size=(2000, 8), dtype=np.uint8))
    labels = torch.from_numpy((rng.random((2000, 5)) < 0.2).astype(np.uint8))
    labels[:, 0] |= labels.sum(1) == 0

    found = evaluate([Precision(500)], codes[:200], labels[:200], codes[200:], labels[200:], 64)

    share = (labels[:200].long() @ labels[200:].long().T > 0).double().mean().item()
    assert found.measures["P@500"].expected == pytest.approx(share, abs=5 * 0.5 / math.sqrt(200 * 500))


@pytest.mark.parametrize("exclude_self", [False, True])
def test_a_matrix_of_shared_labels_gives_what_labels_do(exclude_self: bool) -> None:
    query, query_labels, database, database_labels = problem(5, 12)
    if exclude_self:
        query, query_labels = database, database_labels
    shared = query_labels.float() @ database_labels.float().T

    by_labels = evaluate(metrics(), query, query_labels, database, database_labels, 12, exclude_self=exclude_self)
    by_matrix = evaluate_graded(metrics(), query, database, shared, 12, exclude_self=exclude_self)

    for name, measure in by_labels.measures.items():
        found = by_matrix.measures[name]
        for order in ("expected", "worst", "best"):
            assert getattr(found, order) == pytest.approx(getattr(measure, order), rel=1e-12), (name, order)
    assert by_matrix.queries_without_relevant == by_labels.queries_without_relevant
    torch.testing.assert_close(by_matrix.pairs[:, 0], by_labels.pairs[:, 0])
    torch.testing.assert_close(by_matrix.pairs.sum(1), by_labels.pairs.sum(1))
    for curve in ("empty_balls", "radius_precision", "radius_recall", "rank_precision"):
        torch.testing.assert_close(getattr(by_matrix, curve), getattr(by_labels, curve))


def test_fractional_grades_of_codes_are_measured_as_those_of_their_scores() -> None:
    query, _, database, _ = problem(6, 9)
    rng = torch.Generator().manual_seed(6)
    grades = (torch.rand(len(query), len(database), generator=rng) * 3 - 1).clamp(min=0)
    some = [metric for metric in metrics() if not isinstance(metric, PrecisionWithinRadius)]

    found = evaluate_graded(some, query, database, grades, 9)
    expected = evaluate_scores(some, -hamming_distance(query, database), grades)

    for name, measure in expected.items():
        for order in ("expected", "worst", "best"):
            assert getattr(found.measures[name], order) == pytest.approx(getattr(measure, order), rel=1e-12)


@pytest.mark.parametrize(
    ("grades", "message"),
    [
        (torch.ones(30, 149), r"relevance has shape \(30, 149\); 30 queries and 150 items were given"),
        (torch.full((30, 150), -1.0), "relevance must be at least 0, got -1.0"),
        (torch.full((30, 150), torch.nan), "relevance has 4500 NaN values, the first for query 0"),
        (torch.zeros(30, 150), "none of the 30 queries has a relevant item among the 150"),
    ],
)
def test_grades_that_cannot_be_are_refused(grades: Tensor, message: str) -> None:
    query, _, database, _ = problem(7, 9)

    with pytest.raises(ValueError, match=message):
        evaluate_graded(metrics(), query, database, grades, 9)
