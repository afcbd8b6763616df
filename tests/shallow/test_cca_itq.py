from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.cca_itq import CCAITQ, canonical_directions
from softhash.shallow.lsh import LSH

X = np.array([[0.0, 0], [1, 0], [0, 1], [1, 1], [2, 1], [1, 2]])
Y = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1], [1, 1], [0, 1]])


@pytest.mark.parametrize(("ridge", "expected"), [(0, [0.88275566, 0.76692026]), (1e-4, [0.88257262, 0.7663884])])
def test_correlations_of_six_images_are_those_of_paper_and_pencil(ridge: float, expected: list[float]) -> None:
    covariance = np.cov(X.T, Y.T)

    directions, correlations = canonical_directions(
        covariance[:2, :2] + ridge * np.eye(2), covariance[2:, 2:] + ridge * np.eye(2), covariance[:2, 2:], 2
    )

    np.testing.assert_allclose(correlations, expected, atol=5e-9)
    np.testing.assert_allclose(
        directions.T @ (covariance[:2, :2] + ridge * np.eye(2)) @ directions, np.eye(2), atol=1e-12
    )


def test_correlations_are_singular_values_between_orthonormal_bases_of_both_views() -> None:
    bases = [np.linalg.qr(view - view.mean(0))[0] for view in (X, Y)]

    correlations = CCAITQ(2, ridge=0, random_state=0).fit(X, Y).correlations_

    np.testing.assert_allclose(correlations, np.linalg.svd(bases[0].T @ bases[1])[1], atol=1e-9)


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.865), (32, 0.897)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    value = finds(CCAITQ(bits, random_state=0))

    assert value == pytest.approx(expected, abs=0.03)  # of five seeds, standard deviation 0.006
    assert value > finds(LSH(bits, random_state=0)) + 0.3


def test_rows_without_labels_are_left_out() -> None:
    features, labels = np.vstack([X, [[50.0, -70]]]), np.vstack([Y, [[0, 0]]])

    whole, part = (CCAITQ(2, random_state=0).fit(*given) for given in ((features, labels), (X, Y)))

    np.testing.assert_allclose(whole.projection_, part.projection_)


def test_no_labels_at_all_are_refused() -> None:
    with pytest.raises(ValueError, match="no row has any"):
        CCAITQ(2).fit(X, np.zeros_like(Y))
