import numpy as np
import pytest

from softhash.ranking.kernel import count_words


def slow(words: list[np.ndarray], bits: int, grades: int) -> np.ndarray:
    query_codes, query_labels, database_codes, database_labels = words
    counts = np.zeros((query_codes.shape[1], bits + 1, grades), dtype=np.int64)
    for query in range(query_codes.shape[1]):
        for item in range(database_codes.shape[1]):
            distance = sum(map(int.bit_count, (query_codes[:, query] ^ database_codes[:, item]).tolist()))
            shared = sum(map(int.bit_count, (query_labels[:, query] & database_labels[:, item]).tolist()))
            counts[query, distance, shared] += 1
    return counts


@pytest.mark.parametrize("code_words", [1, 2, 3])
@pytest.mark.parametrize("label_words", [1, 2])
@pytest.mark.parametrize("items", [1, 2, 7])
def test_pairs_are_counted_by_the_bits_of_all_words(code_words: int, label_words: int, items: int) -> None:
    rng = np.random.default_rng(0)
    sizes = (code_words, 3), (label_words, 3), (code_words, items), (label_words, items)
    words = [rng.integers(2**64, size=size, dtype=np.uint64) for size in sizes]
    bits, grades = 64 * code_words, 64 * label_words + 1

    np.testing.assert_array_equal(count_words(*words, bits, grades), slow(words, bits, grades))


def test_more_cells_than_16_bits_can_number_are_counted() -> None:
    zero, one = np.zeros((1, 1), dtype=np.uint64), np.ones((1, 1), dtype=np.uint64)

    counts = count_words(zero, one, one, one, bits=64, grades=2000)

    assert counts.shape == (1, 65, 2000)
    assert counts[0, 1, 1] == counts.sum() == 1
