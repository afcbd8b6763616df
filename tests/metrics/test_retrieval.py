import socket
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch import distributed as dist
from torch import multiprocessing as mp
from torchmetrics import MetricCollection

from softhash.functional.codes import pack
from softhash.functional.distributed import gather_rows, own_rows
from softhash.metrics.average_cumulative_gain import AverageCumulativeGain
from softhash.metrics.base import RankingMetric
from softhash.metrics.evaluate import evaluate
from softhash.metrics.mean_average_precision import MeanAveragePrecision
from softhash.metrics.normalized_discounted_cumulative_gain import NormalizedDiscountedCumulativeGain
from softhash.metrics.retrieval import QueryMetrics, ShardMetrics
from softhash.metrics.weighted_average_precision import WeightedAveragePrecision
from softhash.ranking.counts import Database
from softhash.ranking.ranking import Ranking
from softhash.ranking.relevance import LabelRelevance

BITS, NUM_QUERY, NUM_DATABASE = 12, 23, 151


def metrics() -> list[RankingMetric]:
    return [
        MeanAveragePrecision(20),
        MeanAveragePrecision(20, without_relevant="excluded"),
        NormalizedDiscountedCumulativeGain(20),
        AverageCumulativeGain(20),
        WeightedAveragePrecision(),
    ]


def problem(num_query: int = NUM_QUERY) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(0)
    codes = [pack(torch.randn(count, BITS, generator=rng)) for count in (NUM_QUERY, NUM_DATABASE)]
    labels = [(torch.rand(count, 7, generator=rng) < 0.2).to(torch.uint8) for count in (NUM_QUERY, NUM_DATABASE)]
    return codes[0][:num_query], labels[0][:num_query], codes[1], labels[1]


def expected(num_query: int = NUM_QUERY) -> dict[str, float]:
    query, query_labels, database, database_labels = problem(num_query)
    found = evaluate(metrics(), query, database, LabelRelevance(query_labels, database_labels), BITS)
    assert found.queries_without_relevant > 0 or num_query < NUM_QUERY
    return {name: value["expected"] for name, value in found.values().items()}


@pytest.mark.parametrize("batch", [1, 5, NUM_QUERY])
def test_queries_in_batches_measure_like_all_at_once_to_the_last_digit(batch: int) -> None:
    query, query_labels, database, database_labels = problem()
    collection = QueryMetrics(metrics(), Database(database, database_labels, BITS))

    for rows in torch.arange(NUM_QUERY).split(batch):
        collection.update(query[rows], query_labels[rows])

    assert {name: value.item() for name, value in collection.compute().items()} == expected()


@pytest.mark.parametrize("batch", [1, 40, NUM_DATABASE])
def test_a_database_in_shards_measures_like_the_whole_to_the_last_digit(batch: int) -> None:
    query, query_labels, database, database_labels = problem()
    shards = ShardMetrics(metrics(), query, query_labels, BITS)

    for rows in torch.arange(NUM_DATABASE).split(batch):
        shards.update(database[rows], database_labels[rows])

    assert {name: value.item() for name, value in shards.compute().items()} == expected()


def test_measures_that_agree_on_the_first_batch_are_not_taken_for_the_same() -> None:
    # torchmetrics updates only one of several metrics whose states are equal.
    found_first = Ranking.of_counts(torch.tensor([[[0, 1], [1, 0]]]))
    found_late = Ranking.of_counts(torch.tensor([[[1, 0], [0, 1]]]))
    collection = MetricCollection([MeanAveragePrecision(), AverageCumulativeGain(1)])

    collection.update(found_first)
    collection.update(found_late)

    assert {name: v.item() for name, v in collection.compute().items()} == {
        "MeanAveragePrecision": 0.75,
        "AverageCumulativeGain": 0.5,
    }


def test_a_forward_gives_the_value_of_its_batch() -> None:
    query, query_labels, database, database_labels = problem()
    collection = QueryMetrics([MeanAveragePrecision()], Database(database, database_labels, BITS))

    batch = collection(query[:3], query_labels[:3])

    alone = MeanAveragePrecision().score(Database(database, database_labels, BITS).rank(query[:3], query_labels[:3]))
    assert batch["mAP"].item() == pytest.approx(alone.mean().item())


def test_a_shard_too_small_for_the_cut_off_is_refused_when_computed() -> None:
    query, query_labels, database, database_labels = problem()
    shards = ShardMetrics(metrics(), query, query_labels, BITS)
    shards.update(database[:9], database_labels[:9])

    with pytest.raises(ValueError, match="mAP@20 needs a database of at least 20 items, this one has 9"):
        shards.compute()


@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric")
def test_before_there_are_queries_or_items_every_metric_is_nan() -> None:
    query, query_labels, database, database_labels = problem()
    queries = QueryMetrics(metrics(), Database(database, database_labels, BITS))
    shards = ShardMetrics(metrics(), query, query_labels, BITS)

    queries.update(query[:0], query_labels[:0])
    of_none = queries(query[:0], query_labels[:0])

    for values in (queries.compute(), shards.compute(), of_none):
        assert set(values) == {metric.name for metric in metrics()}
        assert all(value.isnan() for value in values.values())


def test_queries_of_a_database_in_shards_must_be_there() -> None:
    with pytest.raises(ValueError, match="query_codes is empty"):
        ShardMetrics(metrics(), torch.zeros(0, 2, dtype=torch.uint8), torch.zeros(0, 7), BITS)


def work(rank: int, world: int, num_query: int, port: int, folder: str) -> None:
    dist.init_process_group(
        "gloo",
        init_method=f"tcp://127.0.0.1:{port}",
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=60),
    )
    query, query_labels, database, database_labels = problem(num_query)
    sampled = [  # as a distributed sampler does: padded with the first rows to the same number
        torch.arange(-(-count // world) * world)[rank::world] % count for count in (num_query, NUM_DATABASE)
    ]
    kept = [rows[own_rows(rows)] for rows in sampled]

    shards = ShardMetrics(metrics(), query, query_labels, BITS)
    shards.update(database[kept[1]], database_labels[kept[1]])
    _, whole, whole_labels = gather_rows(sampled[1], database[sampled[1]], database_labels[sampled[1]])
    queries = QueryMetrics(metrics(), Database(whole, whole_labels, BITS))
    for rows in kept[0].split(4):
        queries.update(query[rows], query_labels[rows])
    found = [{name: value.item() for name, value in m.compute().items()} for m in (shards, queries)]
    torch.save(found, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize(("world", "num_query"), [(1, NUM_QUERY), (2, NUM_QUERY), (5, 3)])
def test_any_number_of_processes_measures_the_same_to_the_last_digit(
    world: int, num_query: int, tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    mp.spawn(work, args=(world, num_query, port, str(tmp_path)), nprocs=world)

    for rank in range(world):
        assert torch.load(tmp_path / f"{rank}.pt") == [expected(num_query), expected(num_query)]
