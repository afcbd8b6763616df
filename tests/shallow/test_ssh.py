from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.lsh import LSH
from softhash.shallow.ssh import SSH, adjusted_scatter, nonorthogonal_factor

ROWS = np.array([[1.0, 0], [2, 1], [-1, 0], [-2, 1]])
CLASSES = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])


def test_labelled_pairs_and_scatter_of_four_images() -> None:
    # centred columns (1, 2, -1, -2) and (-.5, .5, -.5, .5): s' X = (6, 0), X' X = diag(10, 1)
    centered, classes = ROWS - ROWS.mean(0), np.array([1.0, 1, -1, -1])

    adjusted = adjusted_scatter(centered, np.outer(classes, classes), centered.T @ centered)

    np.testing.assert_allclose(adjusted, np.diag([46.0, 1.0]), atol=1e-12)


@pytest.mark.parametrize("variant", ["orthogonal", "sequential"])
def test_the_first_direction_tells_the_classes_apart(variant: str) -> None:
    projection = SSH(1, variant=variant, random_state=0).fit(ROWS, CLASSES).projection_

    np.testing.assert_allclose(np.abs(projection), [[1], [0]], atol=1e-12)


def test_orthogonal_directions_are_eigenvectors_of_the_adjusted_scatter() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((40, 6)), np.eye(3)[rng.integers(3, size=40)]

    projection = SSH(4, variant="orthogonal").fit(features, labels).projection_

    centered, pairs = features - features.mean(0), 2 * (labels @ labels.T) - 1
    products = projection.T @ (centered.T @ pairs @ centered + centered.T @ centered) @ projection
    np.testing.assert_allclose(products, np.diag(products.diagonal()), atol=1e-8)
    assert (np.diff(products.diagonal()) < 0).all()


def test_the_factor_of_the_nonorthogonal_variant_is_a_root() -> None:
    adjusted = np.diag([3.0, -2.0])

    factor = nonorthogonal_factor(adjusted, 0.5)  # rho = 2 + 0.5 * 3

    np.testing.assert_allclose(factor @ factor.T, np.eye(2) + adjusted / 3.5)


@pytest.mark.parametrize(
    ("variant", "bits", "expected"),
    [
        ("orthogonal", 16, 0.342),
        ("orthogonal", 32, 0.271),
        ("nonorthogonal", 16, 0.566),
        ("nonorthogonal", 32, 0.619),
        ("sequential", 16, 0.651),
        ("sequential", 32, 0.712),
    ],
)
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], variant: str, bits: int, expected: float
) -> None:
    assert finds(SSH(bits, variant=variant, random_state=0)) == pytest.approx(expected, abs=0.05)  # up to 0.016


def test_the_sequential_variant_finds_more_than_random_hyperplanes(finds: Callable[..., float]) -> None:
    assert finds(SSH(16, random_state=0)) > finds(LSH(16, random_state=0)) + 0.2


def test_rows_without_labels_are_not_taken_to_be_dissimilar() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((40, 4)), np.zeros((40, 3))
    labels[0, 0] = 1  # one row alone has no pair to learn from

    projection = SSH(2, variant="orthogonal").fit(features, labels).projection_

    centered = features - features.mean(0)
    components = np.linalg.svd(centered)[2][:2].T
    np.testing.assert_allclose(np.abs(projection.T @ components), np.eye(2), atol=1e-9)
