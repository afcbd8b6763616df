from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.discrete import discrete_step
from softhash.shallow.lsh import LSH
from softhash.shallow.sdh import SDH


def objective(codes: np.ndarray, pull: np.ndarray, classifier: np.ndarray) -> float:
    return float(((codes @ classifier) ** 2).sum() - 2 * (codes * pull).sum())


def test_no_flip_of_a_bit_makes_the_codes_of_a_discrete_step_better() -> None:
    rng = np.random.default_rng(0)
    classifier, labels = rng.standard_normal((5, 4)), np.eye(4)[rng.integers(4, size=30)]
    pull = labels @ classifier.T + 0.1 * rng.standard_normal((30, 5))
    start = np.sign(rng.standard_normal((30, 5)))

    values, codes = [objective(start, pull, classifier)], start
    for _ in range(20):
        codes = discrete_step(codes, pull, classifier, passes=1)
        values.append(objective(codes, pull, classifier))

    assert max(np.diff(values)) <= 1e-9
    for row, bit in np.ndindex(codes.shape):
        flipped = codes.copy()
        flipped[row, bit] *= -1
        assert objective(flipped, pull, classifier) >= values[-1] - 1e-9


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.986), (32, 0.990)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    value = finds(SDH(bits, random_state=0))

    assert value == pytest.approx(expected, abs=0.015)  # of five seeds, standard deviation 0.003
    assert value > finds(LSH(bits, random_state=0)) + 0.4


def test_the_length_of_a_row_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.random((40, 5)), np.eye(3)[rng.integers(3, size=40)]

    near, far = (SDH(8, random_state=0).fit(f, labels).transform(f) for f in (features, 9 * features))

    np.testing.assert_allclose(near, far, atol=1e-5)


def test_rows_without_labels_are_left_out_and_none_at_all_are_refused() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.random((40, 5)), np.eye(3)[rng.integers(3, size=40)]
    with_others = np.vstack([features, rng.random((7, 5))]), np.vstack([labels, np.zeros((7, 3))])

    whole, part = (SDH(8, random_state=0).fit(*given) for given in (with_others, (features, labels)))

    np.testing.assert_array_equal(whole.weights_, part.weights_)
    with pytest.raises(ValueError, match="SDH learns from labels, and no row has any"):
        SDH(8).fit(features, np.zeros((40, 3)))
