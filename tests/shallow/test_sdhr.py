from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import minimize

from softhash.shallow.sdhr import SDHR, with_margin


def test_one_label_is_raised_and_the_others_lowered_together() -> None:
    # v = f + 1 - f_y = (1, 1.3, .7); the sum of (v - D) over the two below is D: D = 2 / 3
    moved = with_margin(np.array([[0.2, 0.5, -0.1]]), np.array([[True, False, False]]))

    np.testing.assert_allclose(moved, [[0.2 + 2 / 3, 0.5 - 19 / 30, -0.1 - 1 / 30]])


def test_of_two_labels_the_one_that_scores_enough_stays() -> None:
    moved = with_margin(np.array([[0.9, 0.1, 0.4, -0.5]]), np.array([[True, True, False, False]]))

    np.testing.assert_allclose(moved, [[0.9, 0.75, -0.25, -0.5]])


def test_the_nearest_scores_are_those_of_a_general_solver() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, positive = rng.standard_normal(5), rng.random(5) < 0.5
        if positive.all() or not positive.any():
            continue
        limits = [
            {"type": "ineq", "fun": lambda r, p=p, q=q: r[p] - r[q] - 1}
            for p in np.flatnonzero(positive)
            for q in np.flatnonzero(~positive)
        ]
        solved = minimize(
            lambda r, f=scores: ((r - f) ** 2).sum(),
            scores,
            constraints=limits,
            method="SLSQP",
            options={"ftol": 1e-12},
        )

        np.testing.assert_allclose(with_margin(scores[None], positive[None])[0], solved.x, atol=1e-5)


def test_rows_that_keep_the_margin_or_have_nothing_to_compare_stay() -> None:
    scores = np.array([[2.0, 0, -1], [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]])
    positive = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 1]], dtype=bool)

    np.testing.assert_array_equal(with_margin(scores, positive), scores)


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.989), (32, 0.991)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    assert finds(SDHR(bits, random_state=0)) == pytest.approx(expected, abs=0.015)  # standard deviation 0.004
