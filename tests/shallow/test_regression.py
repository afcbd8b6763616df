import numpy as np
import pytest

from softhash.shallow import blocks
from softhash.shallow.regression import KernelMap, ridge


def test_two_bits_of_which_one_tells_the_class() -> None:
    codes = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    labels = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])

    np.testing.assert_allclose(ridge(codes, labels, 1.0), [[0.4, -0.4], [0, 0]], atol=1e-15)


def test_a_map_over_blocks_is_the_regression_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_NUMBERS", 100)
    rng = np.random.default_rng(0)
    features, codes = rng.standard_normal((70, 4)), np.sign(rng.standard_normal((70, 3)))

    kernel_map = KernelMap(features, np.tanh, 0.5)

    expected = ridge(np.tanh(features), codes, 0.5)
    np.testing.assert_allclose(kernel_map.fit(codes), expected)
    np.testing.assert_allclose(kernel_map.values(expected), np.tanh(features) @ expected)
