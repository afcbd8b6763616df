from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softhash.shallow import agh
from softhash.shallow.agh import AGH, anchor_weights, nearest_anchors, second_thresholds

ROWS = np.array([0, 0.4, 0.6, 1, 5, 5.4, 5.6, 6])[:, None]


@pytest.fixture
def four_anchors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agh, "k_means", lambda *_: np.array([[0.0], [1], [5], [6]]))


def graph(estimator: AGH) -> np.ndarray:
    places, squared = nearest_anchors(ROWS, estimator.anchors_, estimator.num_nearest)
    return estimator._sparse(places, anchor_weights(squared, estimator.width_)).toarray()


@pytest.mark.usefixtures("four_anchors")
def test_a_graph_in_two_parts_loses_what_tells_them_apart_and_says_so() -> None:
    with pytest.warns(UserWarning, match="the graph of 4 anchors has 2 parts"):
        estimator = AGH(1, num_nearest=2, layers=1).fit(ROWS)

    assert estimator.width_ == pytest.approx(0.8)
    np.testing.assert_allclose(graph(estimator)[1], [0.57750, 0.42250, 0, 0], atol=5e-6)
    np.testing.assert_allclose(graph(estimator).sum(0), [2, 2, 2, 2])
    bits = estimator.transform(ROWS)[:, 0] > 0
    assert bits[:4].any()
    assert not bits[:4].all()


@pytest.mark.usefixtures("four_anchors")
def test_a_graph_in_one_part_tells_two_groups_apart() -> None:
    estimator = AGH(1, num_nearest=3, layers=1).fit(ROWS)

    assert estimator.width_ == pytest.approx(4.5)
    assert len(set((estimator.transform(ROWS)[:4, 0] > 0).tolist())) == 1
    assert (estimator.transform(ROWS)[0, 0] > 0) != (estimator.transform(ROWS)[7, 0] > 0)


@pytest.mark.usefixtures("four_anchors")
def test_eigenvalues_of_the_toy_graph() -> None:
    joined = graph(AGH(1, num_nearest=3, layers=1).fit(ROWS))

    sums = joined.sum(0)
    values = np.linalg.eigvalsh((joined.T @ joined) / np.sqrt(sums[:, None] * sums))[::-1]
    np.testing.assert_allclose(values, [1, 0.54184, 0.00134, 0.00023], atol=5e-6)


@pytest.mark.filterwarnings("ignore:AGH")
def test_functions_on_the_graph_are_orthogonal_and_balanced(digits: Any) -> None:
    values = AGH(16, layers=1, random_state=0).fit(digits.train).transform(digits.train).astype(np.float64)

    count = len(values)
    np.testing.assert_allclose(values.T @ values / count, np.eye(16), atol=1e-5)
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-5)


def test_second_thresholds_are_those_of_the_formula() -> None:
    rng = np.random.default_rng(0)
    joined, values = rng.dirichlet(np.ones(3), 10), rng.standard_normal(10)
    sums, above = joined.sum(0), values > 0

    found = second_thresholds(joined, values, sums)

    inverse = np.linalg.inv(np.diag(sums))
    mass, ones = joined[above].sum(0), int(above.sum())
    s1 = sum(mass[k] * sum(abs(values[i]) * joined[i, k] for i in range(10)) / sums[k] for k in range(3))
    s2, s3 = ones - mass @ inverse @ mass, sum(v for v in values if v > 0)
    expected = ((2 * s3 + (10 - ones) * (s3 - s1) / s2) / 10, (ones * (s3 - s1) / s2 - 2 * s3) / 10)
    assert found == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore:AGH")
@pytest.mark.parametrize(
    ("layers", "bits", "expected"), [(1, 16, 0.742), (1, 32, 0.587), (2, 16, 0.825), (2, 32, 0.835)]
)
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], layers: int, bits: int, expected: float
) -> None:
    assert finds(AGH(bits, layers=layers, random_state=0)) == pytest.approx(expected, abs=0.07)  # up to 0.033


def test_bits_that_cannot_be_given_are_refused() -> None:
    features = np.random.default_rng(0).random((20, 3))

    with pytest.raises(ValueError, match="bits=5 is odd"):
        AGH(5).fit(features)
    with pytest.raises(ValueError, match="AGH with layers=1 needs 16 eigenvectors for bits=16"):
        AGH(16, num_anchors=10, num_nearest=9, layers=1).fit(features)


def test_far_from_all_anchors_weights_do_not_vanish() -> None:
    np.testing.assert_allclose(anchor_weights(np.array([[1e6, 1e6]]), 1.0), [[0.5, 0.5]])
