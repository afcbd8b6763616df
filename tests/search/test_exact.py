from fnmatch import fnmatchcase
from mmap import mmap
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from softhash.functional.tables import look_up
from softhash.search.collection import Collection
from softhash.search.engine import Filter
from softhash.search.exact import Exact, ExactSearcher, words_of


def random_codes(rng: np.random.Generator, count: int, bits: int, free: int) -> NDArray[np.uint8]:
    """Codes of which the first ``free`` bits vary, so that many are equally far."""
    values = np.zeros((count, bits), dtype=bool)
    values[:, : min(free, bits)] = rng.integers(0, 2, (count, min(free, bits)))
    return np.packbits(values[:, rng.permutation(bits)], axis=1, bitorder="little")


def distances_of(query: NDArray[np.uint8], codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.unpackbits(query ^ codes, axis=1).sum(1, dtype=np.int64)


def searcher(codes: NDArray[np.uint8], bits: int, threads: int = 1) -> ExactSearcher:
    labels = (np.arange(len(codes)) % 3 == 0).astype(np.uint8)[:, None]
    names = [f"{'even' if i % 2 == 0 else 'odd'}/{i}" for i in range(len(codes))]
    return ExactSearcher(Collection(codes, names, bits, {}, labels, ["third"]), words_of(codes), threads)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 700),
    bits=st.sampled_from([1, 12, 24, 36, 48, 64, 72, 128, 200, 256]),
    free=st.sampled_from([1, 3, 12, 256]),
    num_queries=st.integers(1, 70),
    threads=st.integers(1, 5),
    top_k=st.integers(1, 700),
)
def test_the_nearest_are_those_of_a_stable_sort_by_distance(
    seed: int, count: int, bits: int, free: int, num_queries: int, threads: int, top_k: int
) -> None:
    rng = np.random.default_rng(seed)
    codes, queries = random_codes(rng, count, bits, free), random_codes(rng, num_queries, bits, free)
    top_k = min(top_k, count)

    found = searcher(codes, bits, threads).nearest(queries, top_k, Filter())

    assert len(found) == num_queries
    for query, hits in zip(queries, found, strict=True):
        distances = distances_of(query, codes)
        expected = np.argsort(distances, kind="stable")[:top_k]
        np.testing.assert_array_equal(hits.rows, expected)
        np.testing.assert_array_equal(hits.distances, distances[expected])


@pytest.mark.parametrize("descending", [True, False])
def test_more_candidates_than_there_is_room_for_are_sorted_out(descending: bool) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 256, (20_000, 8), dtype=np.uint8)
    query = codes[:1].copy()
    order = np.argsort(distances_of(query[0], codes), kind="stable")
    codes = codes[order[::-1] if descending else order]  # each item is nearer than all before it, or none is

    (hits,) = searcher(codes, 64).nearest(query, 1500, Filter())

    np.testing.assert_array_equal(hits.rows, np.argsort(distances_of(query[0], codes), kind="stable")[:1500])


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    bits=st.sampled_from([12, 64, 130]),
    radius=st.integers(0, 140),
    threads=st.integers(1, 3),
)
def test_a_radius_finds_all_items_within_it_nearest_first(seed: int, bits: int, radius: int, threads: int) -> None:
    rng = np.random.default_rng(seed)
    codes, queries = random_codes(rng, 900, bits, 10), random_codes(rng, 3, bits, 10)

    found = searcher(codes, bits, threads).within(queries, radius, Filter())

    for query, hits in zip(queries, found, strict=True):
        distances = distances_of(query, codes)
        order = np.argsort(distances, kind="stable")
        expected = order[distances[order] <= radius]
        np.testing.assert_array_equal(hits.rows, expected)
        np.testing.assert_array_equal(hits.distances, distances[expected])


@pytest.mark.parametrize(("label", "name"), [("third", None), (None, "even/*"), ("third", "odd/*"), (None, "*/7*")])
@pytest.mark.parametrize("threads", [1, 3])
def test_a_filter_searches_among_what_passes_it(label: str | None, name: str | None, threads: int) -> None:
    rng = np.random.default_rng(1)
    codes, queries = random_codes(rng, 500, 24, 8), random_codes(rng, 2, 24, 8)
    index = searcher(codes, 24, threads)
    passes = [
        (label is None or row % 3 == 0) and (name is None or fnmatchcase(index.collection.names[row], name))
        for row in range(500)
    ]

    nearest = index.nearest(queries, 400, Filter(label, name))
    within = index.within(queries, 3, Filter(label, name))

    for i, query in enumerate(queries):
        distances = distances_of(query, codes)
        order = np.array([row for row in np.argsort(distances, kind="stable") if passes[row]])
        np.testing.assert_array_equal(nearest[i].rows, order[:400])
        np.testing.assert_array_equal(within[i].rows, order[distances[order] <= 3])


def test_a_filter_that_nothing_passes_finds_nothing() -> None:
    index = searcher(np.arange(40, dtype=np.uint8).reshape(5, 8), 64)

    (hits,) = index.nearest(np.zeros((1, 8), dtype=np.uint8), 3, Filter(name="missing*"))

    assert len(hits.rows) == len(hits.distances) == 0


def test_a_label_that_is_not_known_is_refused_with_the_closest() -> None:
    index = searcher(np.zeros((2, 1), dtype=np.uint8), 8)

    with pytest.raises(ValueError, match="label=thrid: there is no such label; known are third"):
        index.nearest(np.zeros((1, 1), dtype=np.uint8), 1, Filter(label="thrid"))


def test_a_label_is_refused_where_none_are_known() -> None:
    codes = np.zeros((2, 1), dtype=np.uint8)

    with pytest.raises(ValueError, match="label=dog: the codes were indexed without labels"):
        Filter("dog").mask(Collection(codes, ["a", "b"], 8, {}))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("top_k", [1, 40, 300])
def test_tables_are_looked_up_exactly_with_ties_by_position(threads: int, top_k: int) -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 3, (300, 4), dtype=np.uint8)
    tables = rng.choice([0.1, 0.2, 0.7], (5, 4, 256)).astype(np.float32)

    found = searcher(codes, 32, threads).nearest(tables, top_k, Filter())

    scores = look_up(torch.from_numpy(tables), torch.from_numpy(codes)).numpy()
    for query, hits in enumerate(found):
        expected = np.argsort(-scores[query], kind="stable")[:top_k]
        np.testing.assert_array_equal(hits.rows, expected)
        np.testing.assert_array_equal(hits.distances, -scores[query][expected])


def test_tables_are_filtered_too() -> None:
    rng = np.random.default_rng(3)
    codes, table = rng.integers(0, 256, (100, 2), dtype=np.uint8), rng.random((1, 2, 256))

    (hits,) = searcher(codes, 16).nearest(table, 50, Filter("third"))

    scores = table[0, 0, codes[:, 0]] + table[0, 1, codes[:, 1]]
    order = [row for row in np.argsort(-scores, kind="stable") if row % 3 == 0]
    np.testing.assert_array_equal(hits.rows, order)


def test_tables_have_no_radius() -> None:
    with pytest.raises(ValueError, match="use top_k instead"):
        searcher(np.zeros((1, 2), dtype=np.uint8), 16).within(np.zeros((1, 2, 256)), 2, Filter())


def test_codes_of_64_bits_are_searched_where_they_are() -> None:
    codes = np.arange(24, dtype=np.uint8).reshape(3, 8)

    assert np.shares_memory(words_of(codes), codes)


@pytest.mark.parametrize("bits", [48, 64, 100])
def test_a_written_index_is_mapped_from_its_files(tmp_path: Path, bits: int) -> None:
    rng = np.random.default_rng(4)
    codes = random_codes(rng, 50, bits, bits)
    folder = tmp_path / "index"
    Collection(codes, [str(i) for i in range(50)], bits, {}).write(folder)
    Exact().build(Collection.read(folder), folder)

    opened = Exact(threads=1).open(Collection.read(folder), folder)

    owner: object = opened.words
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert isinstance(owner, mmap)
    (hits,) = opened.nearest(codes[7:8], 5, Filter())
    np.testing.assert_array_equal(hits.rows, np.argsort(distances_of(codes[7], codes), kind="stable")[:5])


def test_words_of_other_codes_are_refused(tmp_path: Path) -> None:
    collection = Collection(np.zeros((3, 2), dtype=np.uint8), ["a", "b", "c"], 16, {})
    np.save(tmp_path / "words.npy", np.zeros((1, 2), dtype=np.uint64))

    with pytest.raises(ValueError, match=r"words\.npy is damaged, or of other codes"):
        Exact().open(collection, tmp_path)


def test_a_number_of_threads_below_1_is_refused() -> None:
    with pytest.raises(ValueError, match="threads must be at least 1 or null, got 0"):
        Exact(threads=0)
