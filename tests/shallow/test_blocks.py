import numpy as np
import pytest

from softhash.shallow import blocks


def test_moments_over_blocks_are_those_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_NUMBERS", 100)
    features = np.random.default_rng(0).standard_normal((103, 5)) + 3

    mean, covariance = blocks.mean_and_covariance(features)

    assert len(list(blocks.blocks(features))) == 6
    np.testing.assert_allclose(mean, features.mean(0))
    np.testing.assert_allclose(covariance, np.cov(features.T))
    centered, matrix = features - mean, np.arange(10.0).reshape(5, 2)
    np.testing.assert_allclose(blocks.centered_values(features, mean, matrix), centered @ matrix)
    np.testing.assert_allclose(blocks.centered_products(features, mean, features), centered.T @ features)


def test_there_are_at_most_as_many_centres_as_different_rows() -> None:
    features = np.repeat([[0.0, 1], [5, 5], [9, 2]], 10, axis=0)

    centers = blocks.k_means(features, 8, np.random.default_rng(0))

    assert sorted(centers.tolist()) == [[0, 1], [5, 5], [9, 2]]


def test_a_row_of_zeros_has_no_unit_length() -> None:
    assert blocks.unit_rows(np.array([[3.0, 4], [0, 0]])).tolist() == [[0.6, 0.8], [0, 0]]


def test_a_sample_has_each_row_once_and_all_rows_if_there_are_few() -> None:
    rng = np.random.default_rng(0)

    assert blocks.sample(np.zeros((5, 1)), 9, rng).tolist() == [0, 1, 2, 3, 4]
    assert len(set(blocks.sample(np.zeros((50, 1)), 20, rng).tolist())) == 20


def test_some_rows_are_read_as_if_they_were_all() -> None:
    features, numbers = np.random.default_rng(0).standard_normal((50, 3)), np.arange(0, 50, 7)

    rows = blocks.Rows(features, numbers)

    assert (len(rows), rows.shape) == (8, (8, 3))
    np.testing.assert_array_equal(rows[2:5], features[[14, 21, 28]])
    np.testing.assert_array_equal(rows[np.array([0, 7])], features[[0, 49]])
    np.testing.assert_allclose(blocks.mean_of(rows), features[numbers].mean(0))
