from collections.abc import Callable

import numpy as np
import pytest

from softhash.functional.similarity import count, share
from softhash.shallow.bre import BRE, Reconstruction
from softhash.shallow.lsh import LSH


def reconstruction(rows: int = 25, bits: int = 3, seed: int = 0) -> Reconstruction:
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, 6))
    targets = rng.random((rows, rows))
    return Reconstruction(features @ features.T, (targets + targets.T) / 2, bits, 0.3, 5, rng)


@pytest.mark.parametrize("seed", range(5))
def test_a_weight_becomes_the_best_of_all_values(seed: int) -> None:
    fit = reconstruction(seed=seed)
    slopes, rest = fit.kernel[:, fit.members[2, 1]], fit.sums.copy()
    rest[:, 1] -= fit.weights[2, 1] * slopes

    fit.improve(1, 2)

    values = []
    for weight in np.concatenate([np.linspace(-20, 20, 20_001), np.linspace(-0.1, 0.1, 20_001)]):
        codes = rest > 0
        codes[:, 1] = rest[:, 1] + weight * slopes > 0
        apart = (codes[fit.first] != codes[fit.second]).sum(1) / 3
        values.append(((apart - fit.targets) ** 2).sum() / 2)
    assert fit.objective <= min(values) + 1e-9


def test_the_objective_never_rises() -> None:
    fit, values = reconstruction(bits=4), []

    for step in range(60):
        values.append(fit.objective)
        fit.improve(step % 4, step % 5)

    assert max(np.diff(values)) <= 1e-9
    assert values[-1] < 0.8 * values[0]


def test_codes_at_the_target_distances_have_an_objective_of_zero() -> None:
    fit = reconstruction(rows=3, bits=2)
    fit.sums = np.array([[-1.0, -1], [-1, 1], [1, 1]])
    targets = np.array([[0, 0.5, 1], [0.5, 0, 0.5], [1, 0.5, 0]])
    fit.targets = targets[fit.first, fit.second]

    assert fit.objective == 0


def test_a_row_is_paired_with_different_others() -> None:
    fit = reconstruction()

    pairs = set(zip(fit.first.tolist(), fit.second.tolist(), strict=True))

    assert len(pairs) == len(fit.first) == 25 * 8
    assert all(first != second for first, second in pairs)


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.525), (32, 0.595)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    value = finds(BRE(bits, num_rows=600, random_state=0))

    assert value == pytest.approx(expected, abs=0.05)  # of five seeds, standard deviation 0.015
    assert value > finds(LSH(bits, random_state=0)) + 0.05


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.632), (32, 0.702)])
def test_with_labels_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    value = finds(BRE(bits, num_rows=600, similarity=share, random_state=0))

    assert value == pytest.approx(expected, abs=0.065)  # of five seeds, standard deviation 0.021


def test_counts_of_labels_are_no_distances() -> None:
    with pytest.raises(ValueError, match=r"similarity=count is 2 .*; BRE needs similarities in"):
        BRE(4, similarity=count).fit(np.eye(8), np.eye(8))


def test_it_learns_from_labels_where_it_has_a_similarity() -> None:
    assert (BRE(4).learns_from, BRE(4, similarity=share).learns_from) == ("nothing", "classes")
