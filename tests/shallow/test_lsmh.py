from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.lsh import LSH
from softhash.shallow.lsmh import LSMH, procrustes


def test_no_step_makes_the_objective_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    features, values = np.random.default_rng(0).standard_normal((60, 8)), []
    measure = LSMH._objective
    monkeypatch.setattr(
        LSMH, "_objective", lambda self, *parts: values.append(measure(self, *parts)) or measure(self, *parts)
    )

    LSMH(4, rounds=40, tolerance=0, code_weight=0.5, random_state=0).fit(features)

    assert len(values) > 5
    assert max(np.diff(values)) <= 1e-9


def test_the_objective_is_the_sum_of_its_terms() -> None:
    rng = np.random.default_rng(0)
    rows, latent, mixing = rng.standard_normal((20, 5)), rng.random((20, 3)), rng.random((3, 5))
    projection, residual = rng.random((5, 3)), rng.random((20, 3))
    lsmh = LSMH(3, decomposition_weight=2, projection_weight=3, code_weight=4, ridge=5)

    value = lsmh._objective(rows.T @ rows, rows.T @ latent, latent, mixing, projection, residual)

    expected = (
        2 * np.linalg.norm(rows - latent @ mixing) ** 2
        + 3 * np.linalg.norm(latent - rows @ projection) ** 2
        + 4 * np.linalg.norm(residual) ** 2
        + 5 * (np.linalg.norm(mixing) ** 2 + np.linalg.norm(latent) ** 2 + 3 * np.linalg.norm(projection) ** 2)
    )
    assert value == pytest.approx(expected)


def test_procrustes_undoes_a_rotation() -> None:
    angle = np.radians(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])

    np.testing.assert_allclose(procrustes(corners, corners @ turn), turn.T, atol=1e-12)


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.462), (32, 0.521)])
def test_with_a_small_ridge_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    assert finds(LSMH(bits, ridge=0.001, random_state=0)) == pytest.approx(expected, abs=0.07)  # up to 0.028


def test_with_its_own_ridge_it_finds_more_digits_than_random_hyperplanes(finds: Callable[..., float]) -> None:
    assert finds(LSMH(16, random_state=0)) > finds(LSH(16, random_state=0)) + 0.1


def test_the_scale_of_the_features_does_not_matter() -> None:
    features = np.random.default_rng(0).standard_normal((60, 8))

    near, far = (LSMH(4, random_state=0).fit(f).transform(f) for f in (features, 100 * features))

    np.testing.assert_allclose(near, far, rtol=1e-4, atol=1e-6)
