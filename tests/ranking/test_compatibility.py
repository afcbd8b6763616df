"""The published conventions, restated query by query, on the labels of MIRFLICKR-25K."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from softhash.functional.codes import pack, unpack
from softhash.metrics.mean_average_precision import average_precision
from softhash.ranking.compatibility import deephash_pytorch_map, hashnet_map, orthohash_map
from softhash.ranking.counts import Database

LABELS = Path(__file__).parents[3] / "shared" / "data" / "labels" / "mirflickr25k.npz"
BITS = 16
NUM_QUERY = 100


@pytest.fixture(scope="module")
def problem() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes that know a little of the labels, of the first queries and the first 4,000 of the database."""
    if not LABELS.is_file():
        pytest.skip("the labels of MIRFLICKR-25K are not there")
    archive = np.load(LABELS)
    labels = torch.from_numpy(archive["labels"])
    query = labels[torch.from_numpy(archive["split"] == 2)][:NUM_QUERY]
    database = labels[torch.from_numpy(archive["split"] == 0)][:4000]
    rng = torch.Generator().manual_seed(0)
    projection = torch.randn(38, BITS, generator=rng)
    codes = [pack(x.float() @ projection + torch.randn(len(x), BITS, generator=rng)) for x in (query, database)]
    return codes[0], query, codes[1], database


def signs(codes: Tensor) -> np.ndarray:
    return np.where(unpack(codes, BITS).numpy(), 1.0, -1.0).astype(np.float32)


def test_deephash_pytorch_drops_the_last_item_and_counts_empty_queries_as_zero(
    problem: tuple[Tensor, ...],
) -> None:
    query, query_labels, database, database_labels = problem
    total = 0.0
    for code, wanted in zip(signs(query), query_labels.numpy().astype(int), strict=True):
        relevant = (database_labels.numpy().astype(int) @ wanted > 0).astype(np.float32)
        relevant = relevant[np.argsort(0.5 * (BITS - signs(database) @ code))][0:-1]
        if relevant.sum():
            places = np.where(relevant == 1)[0] + 1.0
            total += np.mean(np.linspace(1, len(places), len(places)) / places)

    assert deephash_pytorch_map(*problem, BITS) == pytest.approx(total / NUM_QUERY, abs=1e-12)


@pytest.mark.parametrize("top_k", [1, 100, 4000])
def test_hashnet_leaves_queries_out_that_find_nothing(problem: tuple[Tensor, ...], top_k: int) -> None:
    query, query_labels, database, database_labels = problem
    order = np.argsort(-(signs(database) @ signs(query).T), axis=0)
    found = []
    for column, wanted in enumerate(query_labels.numpy().astype(int)):
        marked = np.where(wanted == 0, -1, wanted)
        match = (database_labels.numpy()[order[:top_k, column]] == marked).sum(1) > 0
        precision = np.cumsum(match) / np.arange(1, top_k + 1)
        if match.sum():
            found.append((precision * match).sum() / match.sum())

    assert len(found) < NUM_QUERY  # some find nothing
    assert hashnet_map(*problem, BITS, top_k) == pytest.approx(np.mean(found), abs=1e-12)


@pytest.mark.parametrize("top_k", [1, 100, 4000])
def test_the_caffe_release_of_hashnet_leaves_only_queries_out_that_have_nothing_to_find(
    problem: tuple[Tensor, ...], top_k: int
) -> None:
    query, query_labels, database, database_labels = problem
    order = np.argsort(-(signs(database) @ signs(query).T), axis=0)
    found = []
    for column, wanted in enumerate(query_labels.numpy().astype(int)):
        relevant = database_labels.numpy().astype(int) @ wanted > 0
        match = relevant[order[:top_k, column]]
        if relevant.sum():
            precision = np.cumsum(match) / np.arange(1, top_k + 1)
            found.append((precision * match).sum() / max(match.sum(), 1))

    value = hashnet_map(*problem, BITS, top_k, release="caffe")

    assert len(found) < NUM_QUERY  # some have no label
    assert value == pytest.approx(np.mean(found), abs=1e-12)
    if top_k == 1:
        assert value < hashnet_map(*problem, BITS, top_k)


@pytest.mark.parametrize("top_k", [1, 100, 4000])
def test_orthohash_ranks_with_topk_and_counts_them_as_zero(problem: tuple[Tensor, ...], top_k: int) -> None:
    query, query_labels, database, database_labels = problem
    distances = 0.5 * (BITS - torch.from_numpy(signs(query)) @ torch.from_numpy(signs(database)).T)
    order = torch.topk(distances, top_k, dim=1, largest=False)[1].numpy()
    found = []
    for row, wanted in enumerate(query_labels.numpy().astype(int)):
        match = database_labels.numpy()[order[row]].astype(int) @ wanted > 0
        precision = np.cumsum(match) / np.arange(1, top_k + 1)
        found.append((precision * match).sum() / match.sum() if match.sum() else 0.0)

    assert orthohash_map(*problem, BITS, top_k) == pytest.approx(np.mean(found), abs=1e-12)


@pytest.mark.parametrize("published", [deephash_pytorch_map, hashnet_map, orthohash_map])
def test_a_stable_order_puts_equal_distances_in_database_order(
    published: Callable[..., float], problem: tuple[Tensor, ...]
) -> None:
    query, query_labels, database, database_labels = problem
    codes, labels = query[:1], query_labels[:1]
    relevant = (database_labels.int() @ labels[0].int()) > 0
    same = database[:1].expand(100, -1)  # all at one distance

    first = torch.cat([database_labels[relevant][:30], database_labels[~relevant][:70]])
    assert published(codes, labels, same, first, BITS, 30, stable=True) == 1.0
    assert published(codes, labels, same, first.flip(0), BITS, 100, stable=True) < 0.4


def test_on_a_shuffled_database_they_print_the_expected_value(problem: tuple[Tensor, ...]) -> None:
    query, query_labels, database, database_labels = problem
    ranking = Database(database, database_labels, BITS).rank(query, query_labels)
    shuffled = torch.randperm(4000, generator=torch.Generator().manual_seed(1))

    printed = orthohash_map(query, query_labels, database[shuffled], database_labels[shuffled], BITS, 4000)

    assert printed == pytest.approx(average_precision(ranking).mean().item(), abs=2e-3)
