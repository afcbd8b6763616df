import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics.retrieval import RetrievalMAP

from softhash.functional.codes import pack
from softhash.functional.hamming import hamming_distance
from softhash.metrics.average_cumulative_gain import AverageCumulativeGain
from softhash.metrics.base import CodeMetric, RankingMetric
from softhash.metrics.evaluate import Evaluation, evaluate
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.mean_reciprocal_rank import MeanReciprocalRank
from softhash.metrics.normalized_discounted_cumulative_gain import NormalizedDiscountedCumulativeGain
from softhash.metrics.precision import Precision
from softhash.metrics.precision_within_radius import PrecisionWithinRadius
from softhash.metrics.r_precision import RPrecision
from softhash.metrics.recall import Recall
from softhash.metrics.scores import evaluate_scores
from softhash.metrics.transfer_accuracy import TransferAccuracy
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision
from softhash.ranking.counts import Database
from softhash.ranking.ranking import Order, Ranking
from softhash.ranking.relevance import LabelRelevance, MatrixRelevance, Relevance


def metrics() -> list[RankingMetric]:
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


def evaluated(
    metrics: list[RankingMetric],
    query: Tensor,
    query_labels: Tensor,
    database: Tensor,
    database_labels: Tensor,
    bits: int,
    *,
    exclude_self: bool = False,
) -> Evaluation:
    relevance = LabelRelevance(query_labels, database_labels)
    return evaluate(metrics, query, database, relevance, bits, exclude_self=exclude_self)


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 99))
def test_neither_the_order_of_queries_nor_that_of_the_database_changes_a_digit(seed: int) -> None:
    query, query_labels, database, database_labels = problem(seed, 12)
    rng = torch.Generator().manual_seed(seed)
    q, d = torch.randperm(len(query), generator=rng), torch.randperm(len(database), generator=rng)

    first = evaluated(metrics(), query, query_labels, database, database_labels, 12)
    second = evaluated(metrics(), query[q], query_labels[q], database[d], database_labels[d], 12)

    for name, measure in first.metrics.items():
        other = second.metrics[name]
        assert (measure.expected, measure.worst, measure.best) == (other.expected, other.worst, other.best)


def test_the_block_size_does_not_change_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = evaluated(metrics(), *problem(3, 12), 12)
    monkeypatch.setattr("softhash.metrics.evaluate._QUERIES", 7)

    blocks = evaluated(metrics(), *problem(3, 12), 12)

    for name, curve in whole.curves().items():
        np.testing.assert_array_equal(blocks.curves()[name], curve)
    for name, measure in whole.metrics.items():
        assert measure.expected == blocks.metrics[name].expected
        assert measure.per_query.tolist() == blocks.metrics[name].per_query.tolist()


def test_threads_and_arrays_do_not_change_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    query, query_labels, database, database_labels = problem(4, 12)
    monkeypatch.setattr("softhash.metrics.evaluate._QUERIES", 7)
    threads = torch.get_num_threads()

    alone = evaluated(metrics(), query, query_labels, database, database_labels, 12)
    torch.set_num_threads(3)
    arrays = evaluate(
        {metric.name: metric for metric in metrics()},
        query.numpy(),
        database.numpy(),
        LabelRelevance(query_labels, database_labels),
        12,
    )
    torch.set_num_threads(threads)

    for name, measure in alone.metrics.items():
        assert measure.per_query.tolist() == arrays.metrics[name].per_query.tolist()
    for name, curve in alone.curves().items():
        np.testing.assert_array_equal(arrays.curves()[name], curve)


@pytest.mark.parametrize("threads", [1, 3, 12])
def test_torch_has_as_many_threads_as_before(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        evaluated([MeanAveragePrecision()], *problem(4, 12), 12)
        with pytest.raises(ValueError, match="none of the 30 queries"):
            evaluated([MeanAveragePrecision()], **(GOOD | {"query_labels": GOOD["query_labels"] * 0}), bits=12)
        after = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)

    assert after == threads


def test_excluded_queries_leave_the_mean_but_are_counted() -> None:
    tallies = torch.tensor([[[0, 1], [1, 0]], [[1, 0], [1, 0]]])  # found first; nothing to find
    both = [MeanAveragePrecision(), MeanAveragePrecision(without_relevant="excluded")]
    for metric in both:
        metric.update(Ranking.of_counts(tallies))
    query = pack(torch.tensor([[1.0], [-1.0]]))
    labels = torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8)

    found = evaluated(both, query, labels, query[:1], labels[:1], 1)

    assert [metric.compute().item() for metric in both] == [0.5, 1.0]
    assert found.metrics["mAP without empty queries"].expected == 1.0
    assert found.metrics["mAP without empty queries"].per_query.isnan().tolist() == [False, True]
    assert (found.queries_without_relevant, found.num_queries, found.num_database) == (1, 2, 1)


def test_a_measure_carries_its_conventions() -> None:
    found = evaluated([MeanAveragePrecision(20, "possible")], *problem(3, 12), 12)

    assert found.metrics["mAP(possible)@20"].conventions == {
        "top_k": 20,
        "without_relevant": "zero",
        "normalizer": "possible",
    }


def test_map_without_ties_is_that_of_torchmetrics() -> None:
    # All 10-bit codes at different distances from the query: 0, 1, ... 10 ones.
    database = pack(torch.tensor([[1.0] * d + [-1.0] * (10 - d) for d in range(11)]))
    query = pack(-torch.ones(1, 10))
    labels = torch.tensor([[1], [0], [1], [1], [0], [0], [1], [0], [0], [1], [0]], dtype=torch.uint8)

    found = evaluated([MeanAveragePrecision()], query, torch.ones(1, 1, dtype=torch.uint8), database, labels, 10)

    scores = 10 - torch.arange(11.0) + 1
    expected = RetrievalMAP()(scores, labels[:, 0].bool(), indexes=torch.zeros(11, dtype=torch.int64))
    measure = found.metrics["mAP"]
    assert measure.expected == measure.worst == measure.best == pytest.approx(expected.item(), abs=1e-6)


def test_leaving_self_out_is_evaluating_each_against_the_others() -> None:
    _, _, codes, labels = problem(5, 12)

    together = evaluated(metrics(), codes, labels, codes, labels, 12, exclude_self=True)

    for i in (0, 17, 149):
        others = torch.arange(150) != i
        alone = Database(codes[others], labels[others], 12).rank(codes[[i]], labels[[i]])
        for metric in metrics():
            assert together.metrics[metric.name].per_query[i].item() == pytest.approx(metric.score(alone).item())


def test_queries_without_relevant_items_and_empty_balls_are_counted() -> None:
    query = pack(torch.tensor([[1.0] * 8, [-1.0] * 8]))
    database = pack(torch.tensor([[1.0] * 8, [1.0] * 8]))
    query_labels = torch.tensor([[1, 0], [0, 1]], dtype=torch.uint8)
    database_labels = torch.tensor([[1, 0], [1, 0]], dtype=torch.uint8)

    found = evaluated([MeanAveragePrecision()], query, query_labels, database, database_labels, 8)

    assert found.queries_without_relevant == 1
    assert found.metrics["mAP"].expected == 0.5
    assert found.empty_balls.tolist() == [0.5] * 8 + [0.0]
    assert found.ranks.tolist() == [1, 2]
    assert found.rank_precision.tolist() == [0.5, 0.5]
    assert found.radius_recall.tolist() == [0.5] * 9


GOOD = dict(zip(("query", "query_labels", "database", "database_labels"), problem(6, 12), strict=True))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"query": torch.randn(30, 12)},
            r"query_codes must be packed codes, \(N, W\) uint8, got shape \(30, 12\) of torch.float32",
        ),
        ({"query": GOOD["query"][:, :1]}, "query_codes has 1 bytes per code, but 12 bits take 2"),
        (
            {"database": torch.full((150, 2), 255, dtype=torch.uint8)},
            "database_codes has bits set beyond the first 12",
        ),
        (
            {"database": GOOD["database"][:9]},
            "relevance is that of 30 queries and 150 items, but there are 30 query_codes and 9 database_codes",
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
            {"query": GOOD["query"][:0], "query_labels": GOOD["query_labels"][:0]},
            "query_codes is empty",
        ),
    ],
)
def test_bad_input_is_named(changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluated([MeanAveragePrecision()], **(GOOD | changes), bits=12)


def test_leaving_self_out_of_other_queries_is_refused() -> None:
    _, _, codes, labels = problem(5, 12)
    others, their_labels = problem(8, 12, num_database=150)[2:]

    with pytest.raises(ValueError, match="exclude_self needs the queries to be the database, in its order"):
        evaluated(metrics(), others, their_labels, codes, labels, 12, exclude_self=True)


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
        (
            RPrecision,
            {"without_relevant": "one"},
            "without_relevant must be one of zero, excluded, got 'one'",
        ),
    ],
)
def test_an_unknown_convention_is_refused(metric: type[RankingMetric], arguments: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metric(**arguments)


def test_a_cut_off_beyond_the_database_is_refused() -> None:
    with pytest.raises(ValueError, match="mAP@151 needs a database of at least 151 items, this one has 150"):
        evaluated([MeanAveragePrecision(151)], **GOOD, bits=12)


@pytest.mark.parametrize("top_k", [10.5, 5.0, True, "5"])
@pytest.mark.parametrize("metric", [MeanAveragePrecision, Precision, Recall])
def test_a_cut_off_that_is_no_whole_number_is_refused(metric: type[RankingMetric], top_k: int) -> None:
    with pytest.raises(ValueError, match="top_k must be a whole number, got "):
        metric(top_k)


def test_a_cut_off_of_numpy_is_stored_as_a_plain_number() -> None:
    metric = Precision(np.int64(20))

    assert metric.name == "P@20"
    assert type(metric.conventions["top_k"]) is int


@pytest.mark.parametrize("metric", [MeanAveragePrecision, Precision, AverageCumulativeGain])
def test_a_cut_off_below_one_is_refused(metric: type[RankingMetric]) -> None:
    with pytest.raises(ValueError, match="top_k must be at least 1 or null, got 0"):
        metric(top_k=0)


def test_random_codes_score_the_share_of_relevant_pairs() -> None:
    rng = np.random.default_rng(0)
    codes = torch.from_numpy(rng.integers(256, size=(2000, 8), dtype=np.uint8))
    labels = torch.from_numpy((rng.random((2000, 5)) < 0.2).astype(np.uint8))
    labels[:, 0] |= labels.sum(1) == 0

    found = evaluated([Precision(500)], codes[:200], labels[:200], codes[200:], labels[200:], 64)

    share = (labels[:200].long() @ labels[200:].long().T > 0).double().mean().item()
    assert found.metrics["P@500"].expected == pytest.approx(share, abs=5 * 0.5 / math.sqrt(200 * 500))


@pytest.mark.parametrize("exclude_self", [False, True])
def test_a_matrix_of_shared_labels_gives_what_labels_do(exclude_self: bool) -> None:
    query, query_labels, database, database_labels = problem(5, 12)
    if exclude_self:
        query, query_labels = database, database_labels
    shared = MatrixRelevance((query_labels.float() @ database_labels.float().T).numpy())

    by_labels = evaluated(metrics(), query, query_labels, database, database_labels, 12, exclude_self=exclude_self)
    by_matrix = evaluate(metrics(), query, database, shared, 12, exclude_self=exclude_self)

    for name, value in by_labels.values().items():
        assert by_matrix.values()[name] == pytest.approx(value, rel=1e-12), name
    assert by_matrix.queries_without_relevant == by_labels.queries_without_relevant
    pairs = by_matrix.curves()["pairs"], by_labels.curves()["pairs"]
    np.testing.assert_array_equal(pairs[0][:, 0], pairs[1][:, 0])
    np.testing.assert_array_equal(pairs[0].sum(1), pairs[1].sum(1))
    for name, curve in by_labels.curves().items():
        if name != "pairs":
            np.testing.assert_allclose(by_matrix.curves()[name], curve, rtol=1e-12)


def test_fractional_grades_of_codes_are_measured_as_those_of_their_scores() -> None:
    query, _, database, _ = problem(6, 9)
    rng = torch.Generator().manual_seed(6)
    grades = (torch.rand(len(query), len(database), generator=rng) * 3 - 1).clamp(min=0)
    some = [metric for metric in metrics() if not metric.needs_distances]

    found = evaluate(some, query, database, MatrixRelevance(grades.numpy()), 9)
    expected = evaluate_scores(some, -hamming_distance(query, database), grades)

    for name, value in expected.items():
        assert found.values()[name] == pytest.approx(
            {"expected": value.expected, "worst": value.worst, "best": value.best}, rel=1e-12
        )


@pytest.mark.parametrize("exclude_self", [False, True])
def test_tables_of_hamming_distances_give_what_codes_do_but_for_what_needs_a_radius(exclude_self: bool) -> None:
    query, query_labels, database, database_labels = problem(7, 12)
    if exclude_self:
        query, query_labels = database, database_labels
    relevance = LabelRelevance(query_labels, database_labels)
    every = torch.arange(256, dtype=torch.uint8)[:, None]
    tables = -torch.stack([hamming_distance(query[:, byte, None], every) for byte in range(2)], dim=1).float()
    both: list[RankingMetric | CodeMetric] = [*metrics(), TransferAccuracy()]

    by_codes = evaluate(both, query, database, relevance, 12, exclude_self=exclude_self)
    by_tables = evaluate(both, tables, database, relevance, 12, exclude_self=exclude_self)

    assert set(by_codes.values()) - set(by_tables.values()) == {"P@H<=2", "transfer accuracy"}
    for name, scores in by_tables.per_query().items():
        np.testing.assert_allclose(scores, by_codes.per_query()[name], rtol=1e-12)
    for name, value in by_tables.values().items():
        assert value == pytest.approx(by_codes.values()[name], rel=1e-12)
    assert list(by_tables.curves()) == ["ranks", "rank_precision"]
    np.testing.assert_allclose(by_tables.curves()["rank_precision"], by_codes.curves()["rank_precision"], rtol=1e-12)


def test_metrics_of_codes_stand_beside_those_of_rankings_in_the_order_asked_for() -> None:
    query, query_labels, database, database_labels = problem(8, 12)
    both: list[RankingMetric | CodeMetric] = [MeanAveragePrecision(), TransferAccuracy(), Precision(5)]

    found = evaluate(both, query, database, LabelRelevance(query_labels, database_labels), 12)

    assert list(found.values()) == list(found.per_query()) == ["mAP", "transfer accuracy", "P@5"]
    share = TransferAccuracy().score(query, query_labels, database, database_labels, 12).mean().item()
    assert found.values()["transfer accuracy"] == dict.fromkeys(("expected", "worst", "best"), share)
    assert found.metrics["transfer accuracy"].conventions == {"inverse_regularization": "1.0"}


def test_metrics_of_codes_need_labels() -> None:
    query, _, database, _ = problem(8, 12)

    with pytest.raises(ValueError, match="transfer accuracy needs labels, and these data have a matrix"):
        evaluate([TransferAccuracy()], query, database, MatrixRelevance(np.ones((30, 150))), 12)


class Broken(RankingMetric):
    """A metric that is no number for one query."""

    def score(self, ranking: Ranking, order: Order = "expected") -> Tensor:
        scores = torch.ones(len(ranking), dtype=torch.float64)
        scores[3] = torch.nan
        return scores


@pytest.mark.parametrize("without_relevant", ["zero", "excluded"])
def test_a_score_that_is_no_number_does_not_vanish_from_the_mean(without_relevant: str) -> None:
    with pytest.raises(ValueError, match=r"broken.* is NaN for 1 of \d+ queries that were scored together"):
        evaluated([Broken("broken", None, without_relevant)], *problem(9, 12), 12)


@pytest.mark.parametrize(
    ("relevance", "message"),
    [
        (MatrixRelevance(np.ones((30, 149))), "relevance is that of 30 queries and 149 items"),
        (MatrixRelevance(np.full((30, 150), -1.0)), "at least 0, got -1.0 for query 0 and item 0"),
        (MatrixRelevance(np.full((30, 150), np.nan)), "finite and at least 0, got nan for query 0 and item 0"),
        (MatrixRelevance(np.full((30, 150), np.inf)), "finite and at least 0, got inf for query 0 and item 0"),
        (MatrixRelevance(np.zeros((30, 150))), "none of the 30 queries has a relevant item among the 150"),
        (MatrixRelevance(np.full((30, 150), 1100.0)), "gain=exponential takes grades up to 1000, got 1100"),
    ],
)
def test_grades_that_cannot_be_are_refused(relevance: Relevance, message: str) -> None:
    query, _, database, _ = problem(7, 9)

    with pytest.raises(ValueError, match=message):
        evaluate(metrics(), query, database, relevance, 9)


def test_arrays_of_other_byte_orders_and_directions_are_read() -> None:
    query, query_labels, database, database_labels = problem(9, 12)
    expected = evaluated(metrics(), query, query_labels, database, database_labels, 12).values()
    turned = np.asfortranarray(query.numpy()[::-1].copy())[::-1]

    found = evaluate(metrics(), turned, database.numpy(), LabelRelevance(query_labels, database_labels), 12)

    assert found.values() == expected
