import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from softhash.functional.codes import pack, unpack
from softhash.ranking.counts import Database, tally, words
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
    arguments = problem(seed, bits, classes)

    counts = tally(*arguments, bits)

    assert torch.equal(counts, slow(*arguments, bits, counts.shape[2]))


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


@pytest.mark.parametrize(
    "dtype", [torch.bool, torch.int64, torch.float16, torch.bfloat16, torch.float32, torch.float64]
)
def test_labels_of_any_type_are_counted(dtype: torch.dtype) -> None:
    query, database, query_labels, database_labels = problem(2, 16, 7)
    expected = tally(query, database, query_labels, database_labels, 16)

    assert torch.equal(tally(query, database, query_labels.to(dtype), database_labels.to(dtype), 16), expected)


def test_more_labels_on_an_item_than_bfloat16_can_add_are_counted() -> None:
    query, database, _, _ = problem(3, 16, 1, 2, 20)
    ones = torch.ones(20, 257, dtype=torch.bfloat16)

    counts = tally(query, database, ones[:2], ones, 16)

    assert counts.shape[2] == 258
    assert counts[:, :, 257].sum(1).tolist() == [20, 20]


def test_codes_of_no_bit_are_refused() -> None:
    none = torch.zeros(300, 0, dtype=torch.uint8)

    with pytest.raises(ValueError, match="bits must be at least 1, got 0"):
        tally(none[:5], none, torch.ones(5, 4), torch.ones(300, 4), bits=0)


def test_labels_of_no_class_are_refused() -> None:
    query, database, _, _ = problem(1, 16, 7)

    with pytest.raises(ValueError, match=r"database_labels must be multi-hot, \(N, C\), got shape \(30, 0\)"):
        tally(query, database, torch.ones(4, 0), torch.ones(30, 0), bits=16)


def test_numbers_of_classes_are_not_taken_for_labels() -> None:
    query, database, query_labels, database_labels = problem(1, 16, 7)

    with pytest.raises(ValueError, match=r"database_labels must be multi-hot, \(N, C\), got shape \(30,\)"):
        tally(query, database, query_labels, database_labels[:, 0], 16)
    with pytest.raises(ValueError, match=r"query_labels must be multi-hot, \(Q, C\), got shape \(4,\)"):
        tally(query, database, query_labels[:, 0], database_labels, 16)


def test_what_has_no_byte_still_takes_a_word() -> None:
    assert words(torch.zeros(3, 0, dtype=torch.uint8)).tolist() == [[0, 0, 0]]  # which the kernel may read
    assert words(torch.tensor([[1, 2]], dtype=torch.uint8)).tolist() == [[513]]


def test_rankings_of_a_database_are_those_of_its_tally() -> None:
    query, database, query_labels, database_labels = problem(4, 16, 7)
    ready = Database(database, database_labels, 16)

    ranking, counts = ready.rank(query, query_labels), ready.tally(query, query_labels)

    assert torch.equal(ranking.pairs(counts.shape[2]), counts.sum(0))
    assert ranking.num_items == 30
