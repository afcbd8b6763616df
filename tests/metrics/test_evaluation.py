import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.retrieval import RetrievalMAP

from softhash.functional.codes import pack, unpack
from softhash.functional.hamming import hamming_distance
from softhash.functional.tally import tally
from softhash.metrics.average_cumulative_gain import AverageCumulativeGain
from softhash.metrics.base import TallyMetric
from softhash.metrics.evaluation import evaluate
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.normalized_discounted_cumulative_gain import NormalizedDiscountedCumulativeGain
from softhash.metrics.precision import Precision
from softhash.metrics.precision_within_radius import PrecisionWithinRadius
from softhash.metrics.r_precision import RPrecision
from softhash.metrics.recall import Recall
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision


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
        PrecisionWithinRadius(2),
    ]


def problem(seed: int, bits: int, num_query: int = 30, num_database: int = 150, classes: int = 7) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    codes = [pack(torch.randn(count, bits, generator=rng)) for count in (num_query, num_database)]
    labels = [(torch.rand(count, classes, generator=rng) < 0.3).to(torch.uint8) for count in (num_query, num_database)]
    return codes[0], labels[0], codes[1], labels[1]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 99), bits=st.sampled_from([1, 7, 8, 12, 33, 64, 100, 1024]))
def test_a_tally_is_the_count_over_all_pairs(seed: int, bits: int) -> None:
    query, query_labels, database, database_labels = problem(seed, bits, 4, 30)

    counts = tally(query, database, query_labels, database_labels, bits)

    distance = (unpack(query, bits)[:, None] != unpack(database, bits)[None]).sum(2)
    shared = query_labels.long() @ database_labels.long().T
    expected = torch.zeros_like(counts)
    for i in range(4):
        for j in range(30):
            expected[i, distance[i, j], shared[i, j]] += 1
    assert torch.equal(counts, expected)
    assert torch.equal(hamming_distance(query, database), distance)


def test_a_tally_of_many_labels_and_long_codes_does_not_overflow() -> None:
    query, _, database, _ = problem(0, 1024, 2, 20)
    everything = torch.ones(2, 1000, dtype=torch.uint8), torch.ones(20, 1000, dtype=torch.uint8)

    counts = tally(query, database, *everything, bits=1024)

    assert counts.shape == (2, 1025, 1001)
    assert counts[:, :, 1000].sum(1).tolist() == [20, 20]


def test_tallies_of_parts_of_a_database_add_up() -> None:
    query, query_labels, database, database_labels = problem(1, 16)

    whole = tally(query, database, query_labels, database_labels, 16)
    parts = [tally(query, database[p], query_labels, database_labels[p], 16) for p in (slice(0, 40), slice(40, None))]

    assert torch.equal(parts[0] + parts[1], whole)


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
    monkeypatch.setattr("softhash.metrics.evaluation._QUERY_BLOCK", 7)
    monkeypatch.setattr("softhash.functional.tally._DATABASE_BLOCK", 11)

    blocks = evaluate(metrics(), *problem(3, 12), 12)

    assert torch.equal(whole.pairs, blocks.pairs)
    for name, measure in whole.measures.items():
        assert measure.expected == blocks.measures[name].expected
        assert measure.per_query.tolist() == blocks.measures[name].per_query.tolist()


def test_the_torchmetrics_classes_give_the_same_in_batches_and_share_a_tally() -> None:
    query, query_labels, database, database_labels = problem(4, 12)
    collection = MetricCollection({metric.name: metric for metric in metrics()})

    for rows in torch.arange(len(query)).split(7):
        collection.update(tally(query[rows], database, query_labels[rows], database_labels, 12))

    found = evaluate(metrics(), query, query_labels, database, database_labels, 12)
    assert {name: value.item() for name, value in collection.compute().items()} == pytest.approx(
        {name: measure.expected for name, measure in found.measures.items()}
    )


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
        ({"query_codes": torch.randn(30, 12)}, r"query_codes must be packed codes, \(N, W\) uint8, got shape \(30, 12\) of torch.float32"),
        ({"query_codes": GOOD["query_codes"][:, :1]}, "query_codes has 1 bytes a code, but 12 bits take 2"),
        ({"database_codes": torch.full((150, 2), 255, dtype=torch.uint8)}, "database_codes has bits set beyond the first 12"),
        ({"database_codes": GOOD["database_codes"][:9]}, r"database_labels has shape \(150, 7\), but there are 9 database_codes"),
        ({"query_labels": GOOD["query_labels"][:, :6]}, "query_labels has 6 classes, database_labels 7"),
        ({"query_labels": GOOD["query_labels"] * 3}, "query_labels must be multi-hot, 0 or 1, got values from 0 to 3"),
        ({"query_labels": GOOD["query_labels"] * 0}, "none of the 30 queries shares a label with any of the 150"),
        ({"query_codes": GOOD["query_codes"][:0], "query_labels": GOOD["query_labels"][:0]}, "query_codes is empty"),
    ],
)
def test_bad_input_is_named(changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate([MeanAveragePrecision()], **(GOOD | changes), bits=12)


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
