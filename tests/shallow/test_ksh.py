from collections.abc import Callable

import numpy as np
import pytest

from softhash.functional.similarity import Similarity, cosine, count, share
from softhash.shallow.ksh import KSH, signs, smooth_direction, smooth_objective, spectral_direction
from softhash.shallow.lsh import LSH
from softhash.shallow.pairs import signed, similarities


def test_the_gradient_is_that_of_finite_differences() -> None:
    rng = np.random.default_rng(0)
    kernel, weights, residual = rng.standard_normal((12, 5)), rng.standard_normal(5), rng.standard_normal((12, 12))
    residual = residual + residual.T

    gradient = smooth_objective(weights, kernel, residual)[1]

    steps = 1e-6 * np.eye(5)
    differences = [
        (smooth_objective(weights + step, kernel, residual)[0] - smooth_objective(weights - step, kernel, residual)[0])
        / 2e-6
        for step in steps
    ]
    np.testing.assert_allclose(gradient, np.array(differences), rtol=1e-6, atol=1e-6)


def test_two_classes_of_two_are_told_apart_by_each_of_three_bits() -> None:
    classes = np.array([1.0, 1, -1, -1])
    residual, norms, ksh = 3 * np.outer(classes, classes), [], KSH(3, gradient_steps=500)

    for _ in range(3):
        weights = ksh._next(np.eye(4), residual)
        assert abs(signs(weights) @ classes) == 4
        norms.append(np.linalg.norm(residual))

    assert norms == pytest.approx([8, 4, 0])


def test_a_bit_lowers_the_squared_residual_as_it_must() -> None:
    rng = np.random.default_rng(0)
    kernel, labels = rng.standard_normal((20, 6)), np.eye(3)[rng.integers(3, size=20)]
    residual = 4 * signed(similarities(labels, share))
    before = residual.copy()

    codes = signs(kernel @ KSH(4)._next(kernel, residual))

    lowered = np.linalg.norm(before) ** 2 - np.linalg.norm(residual) ** 2
    assert lowered == pytest.approx(2 * codes @ before @ codes - 20**2)


def test_steps_of_gradient_lower_the_objective() -> None:
    rng = np.random.default_rng(1)
    kernel, residual = rng.standard_normal((30, 8)), rng.standard_normal((30, 30))
    residual = residual + residual.T
    start = spectral_direction(kernel, residual)

    end = smooth_direction(kernel, residual, start, 100)

    assert smooth_objective(end, kernel, residual)[0] < smooth_objective(start, kernel, residual)[0]


def test_the_spectral_direction_is_the_best_of_its_length() -> None:
    rng = np.random.default_rng(2)
    kernel, residual = rng.standard_normal((30, 4)), rng.standard_normal((30, 30))
    residual = residual + residual.T

    def value(weights: np.ndarray) -> float:
        values = kernel @ weights
        return float(values @ residual @ values / (values @ values))

    best = spectral_direction(kernel, residual)

    assert ((kernel @ best) ** 2).sum() == pytest.approx(30)
    assert max(value(weights) for weights in rng.standard_normal((2000, 4))) <= value(best) + 1e-5


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.929), (32, 0.969)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    value = finds(KSH(bits, num_labeled=1000, gradient_steps=0, random_state=0))

    assert value == pytest.approx(expected, abs=0.04)  # of five seeds, standard deviation 0.012
    assert value > finds(LSH(bits, random_state=0)) + 0.4


@pytest.mark.slow
def test_gradient_steps_find_more_digits(finds: Callable[..., float]) -> None:
    assert finds(KSH(16, num_labeled=1000, random_state=0)) == pytest.approx(0.956, abs=0.03)


@pytest.mark.parametrize("similarity", [share, cosine, count])
def test_any_similarity_separates_two_groups(similarity: Similarity) -> None:
    rng = np.random.default_rng(0)
    group = np.repeat([0, 1], 30)
    features = rng.standard_normal((60, 4)) + 6 * group[:, None]
    labels = np.stack([1 - group, 1 - group, group], axis=1)

    bits = KSH(4, similarity=similarity, random_state=0).fit(features, labels).transform(features) > 0

    distances = (bits[:, None] != bits[None]).sum(2)
    same = group[:, None] == group[None]
    assert distances[same].mean() < 0.5
    assert distances[~same].mean() > 3
