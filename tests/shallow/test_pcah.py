from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.pcah import PCAH, top_eigenvectors


def test_the_axis_of_most_variance_gives_the_first_bit() -> None:
    features = np.array([[9.0, 1, 3], [9, -1, 3], [1, 0.5, 3], [1, -0.5, 3]])

    bits = PCAH(2).fit(features).transform(features) > 0

    assert (bits[:, 0] == bits[0, 0]).tolist() == [True, True, False, False]
    assert (bits[:, 1] == bits[0, 1]).tolist() == [True, False, True, False]


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    features = np.random.default_rng(0).standard_normal((30, 6)) * np.arange(1, 7)

    pcah = PCAH(4).fit(features)

    expected = np.linalg.svd(features - features.mean(0))[2][:4].T
    np.testing.assert_allclose(np.abs(pcah.components_.T @ expected), np.eye(4), atol=1e-9)


def test_eigenvectors_come_by_falling_eigenvalue() -> None:
    np.testing.assert_allclose(np.abs(top_eigenvectors(np.diag([1.0, 3, 2]), 2)), [[0, 0], [1, 0], [0, 1]])


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.336), (32, 0.292)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    assert finds(PCAH(bits)) == pytest.approx(expected, abs=0.005)


def test_the_order_of_training_rows_does_not_matter() -> None:
    features = np.random.default_rng(0).standard_normal((50, 6))

    codes = [PCAH(4).fit(rows).transform(features) > 0 for rows in (features, features[::-1])]

    distances = [(code[:, None] != code[None]).sum(2) for code in codes]
    np.testing.assert_array_equal(*distances)


def test_more_bits_than_features_are_refused() -> None:
    with pytest.raises(ValueError, match="PCAH needs one feature per bit: bits=5 is more than the 4 there are"):
        PCAH(5).fit(np.ones((20, 4)))
