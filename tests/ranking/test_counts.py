import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from softhash.ranking.counts_numpy import count_words
from torch import Tensor

from softhash.functional.codes import pack, unpack
from softhash.ranking import counts as tally_module
from softhash.ranking.counts import Database, tally
from softhash.ranking.matmul import count_by_matmul


def problem(seed: int, bits: int, classes: int, num_query: int = 4, num_database: int = 30) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    codes = [pack(torch.randn(count, bits, generator=rng)) for count in (num_query, num_database)]
    labels = [(torch.rand(count, classes, generator=rng) < 0.3).to(torch.uint8) for count in (num_query, num_database)]
    return codes[0], codes[1], labels[0], labels[1]


def slow(
    query: Tensor, database: Tensor, query_labels: Tensor, database_labels: Tensor, bits: int, grades: int
) -> Tensor:
    distance = (unpack(query, bits)[:, None] != unpack(database, bits)[None]).sum(2)
    shared = query_labels.long() @ database_labels.long().T
    counts = torch.zeros(len(query), bits + 1, grades, dtype=torch.int64)
    for i in range(len(query)):
        for j in range(len(database)):
            counts[i, distance[i, j], shared[i, j]] += 1
    return counts


sizes = {
    "seed": st.integers(0, 99),
    "bits": st.sampled_from([1, 7, 8, 12, 33, 64, 65, 100, 1024]),
    "classes": st.sampled_from([1, 5, 64, 80]),
}


@settings(deadline=None, max_examples=30)
@given(**sizes)
def test_the_kernel_counts_all_pairs(seed: int, bits: int, classes: int) -> None:
    pytest.importorskip("numba")
    arguments = problem(seed, bits, classes)

    counts = tally(*arguments, bits)

    assert torch.equal(counts, slow(*arguments, bits, counts.shape[2]))


@settings(deadline=None, max_examples=30)
@given(**sizes)
def test_numpy_counts_all_pairs(seed: int, bits: int, classes: int) -> None:
    arguments = problem(seed, bits, classes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally_module, "count_words", count_words)
        counts = tally(*arguments, bits)

    assert torch.equal(counts, slow(*arguments, bits, counts.shape[2]))


@settings(deadline=None, max_examples=30)
@given(**sizes)
def test_the_matrix_product_counts_all_pairs(seed: int, bits: int, classes: int) -> None:
    arguments = problem(seed, bits, classes)

    counts = count_by_matmul(*arguments, bits, classes + 1)

    assert torch.equal(counts, slow(*arguments, bits, classes + 1))


def test_more_than_a_tile_of_queries_and_items_is_counted() -> None:
    arguments = problem(0, 48, 38, num_query=130, num_database=5000)

    counts = tally(*arguments, 48)

    assert torch.equal(counts, count_by_matmul(*arguments, 48, counts.shape[2]))
    assert counts.sum((1, 2)).tolist() == [5000] * 130


def test_a_thousand_labels_and_long_codes_do_not_overflow() -> None:
    query, database, _, _ = problem(0, 1024, 1, 2, 20)
    everything = torch.ones(2, 1000, dtype=torch.uint8), torch.ones(20, 1000, dtype=torch.uint8)

    counts = tally(query, database, *everything, bits=1024)

    assert counts.shape == (2, 1025, 1001)
    assert torch.equal(counts, count_by_matmul(query, database, *everything, 1024, 1001))
    assert counts[:, :, 1000].sum(1).tolist() == [20, 20]


def test_parts_of_queries_and_of_the_database_give_the_same() -> None:
    query, database, query_labels, database_labels = problem(1, 16, 7, 9, 50)
    whole = tally(query, database, query_labels, database_labels, 16)

    ready = Database(database, database_labels, 16)
    each = [ready.tally(query[[i]], query_labels[[i]]) for i in range(9)]
    parts = [
        tally(query, database[part], query_labels, database_labels[part], 16)
        for part in (slice(0, 20), slice(20, None))
    ]

    for i in range(9):
        assert torch.equal(each[i][0], whole[i, :, : each[i].shape[2]])
    total = torch.zeros_like(whole)
    for part in parts:
        total[:, :, : part.shape[2]] += part
    assert torch.equal(total, whole)


def test_labels_of_other_numbers_are_refused() -> None:
    query, database, query_labels, database_labels = problem(1, 16, 7)

    with pytest.raises(ValueError, match="database_labels must be multi-hot, 0 or 1, got values from 0 to 2"):
        tally(query, database, query_labels, database_labels * 2, 16)
    with pytest.raises(ValueError, match="query_labels must be multi-hot, 0 or 1, got values from nan to nan"):
        tally(query, database, query_labels * np.nan, database_labels, 16)
