import numpy as np

from softhash.shallow.kernels import mean_of_map, mean_squared_distance, rbf, rbf_and_one, squared_distances

ROWS, ANCHORS = np.array([[0.0, 0], [3, 4]]), np.array([[0.0, 0], [0, 4], [3, 0]])


def test_squared_distances_and_their_mean() -> None:
    assert squared_distances(ROWS, ANCHORS).tolist() == [[0, 16, 9], [25, 9, 16]]
    assert mean_squared_distance(ROWS, ANCHORS) == 75 / 6


def test_values_of_the_kernel_and_a_one() -> None:
    expected = np.exp([[0, -4, -2.25], [-6.25, -2.25, -4]])
    np.testing.assert_allclose(rbf(ROWS, ANCHORS, 4.0), expected)
    np.testing.assert_allclose(rbf_and_one(ROWS, ANCHORS, 4.0), np.hstack([expected, [[1], [1]]]))
    np.testing.assert_allclose(mean_of_map(ROWS, lambda rows: rbf(rows, ANCHORS, 4.0), 3), expected.mean(0))


def test_a_width_of_zero_gives_ones() -> None:
    assert rbf(np.ones((2, 3)), np.ones((4, 3)), 0.0).tolist() == [[1] * 4] * 2
