import numpy as np
import pytest

from softhash.functional.similarity import cosine, count, share
from softhash.shallow.pairs import sampled_pairs, signed, similarities

LABELS = np.array([[1.0, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]])


def test_a_row_without_labels_is_like_itself_alone() -> None:
    assert similarities(LABELS, share).tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_similarities_become_signed_and_counts_are_shares_of_the_largest() -> None:
    three = np.array([[1.0, 1, 1], [1, 0, 0], [0, 1, 1], [0, 0, 0]])

    assert signed(similarities(LABELS, cosine))[0].round(9).tolist() == [1, 1, -1, -1]
    assert signed(similarities(three, count))[0] == pytest.approx([1, 1 / 3, 2 / 3, -1 / 3])  # -floor(3 / 2) / 3


def test_of_rare_similar_pairs_at_least_a_fraction_is_drawn() -> None:
    labels = np.eye(50)[np.repeat(np.arange(50), 4)]

    first, second, similar = sampled_pairs(labels, 20_000, 0.5, np.random.default_rng(0))

    assert 0.48 < similar.mean() < 0.52
    np.testing.assert_array_equal(similar, first // 4 == second // 4)


def test_of_frequent_similar_pairs_no_more_are_drawn() -> None:
    similar = sampled_pairs(np.eye(2)[np.repeat([0, 1], [90, 10])], 10_000, 0.5, np.random.default_rng(0))[2]

    assert abs(similar.mean() - 0.82) < 0.02


def test_pairs_of_rows_without_labels_are_drawn_too() -> None:
    first, second, similar = sampled_pairs(np.zeros((10, 3)), 1000, 0.5, np.random.default_rng(0))

    np.testing.assert_array_equal(similar, first == second)
