import numpy as np
import pytest
from scipy import stats

from softhash.study.significance import TESTS, effect, holm, p_value


def test_holm_by_hand() -> None:
    # 4 tests: 0.005 * 4, 0.01 * 3, 0.03 * 2, 0.04 * 1; the last may not be below the one before it
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_the_example_of_demsar() -> None:
    # p. 20: three rivals of C4.5 have p = 0.016, 0.019 and 0.607; the first two are significant at 0.05
    adjusted = holm([0.607, 0.019, 0.016])

    assert adjusted == pytest.approx([0.607, 0.048, 0.048])


def test_holm_is_capped_at_one() -> None:
    assert holm([0.9, 0.6]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_t_test_by_hand() -> None:
    # differences 1, 2, 3: mean 2, deviation 1, t = 2 * sqrt(3); with 2 degrees of freedom p = 1 - t / sqrt(2 + t^2)
    t = 2 * np.sqrt(3)

    assert p_value(np.array([1.0, 2.0, 3.0]), "t") == pytest.approx(1 - t / np.sqrt(2 + t**2))


def test_the_permutation_test_by_hand() -> None:
    # 8 flips of the signs of 1, 2, 3: only +++ and --- have a mean as far from 0
    assert p_value(np.array([1.0, 2.0, 3.0]), "permutation") == pytest.approx(2 / 8)


def test_the_permutation_test_of_many_pairs_is_that_of_the_normal_limit() -> None:
    differences = np.random.default_rng(1).normal(0.1, 1, size=400)
    z = differences.mean() / np.sqrt((differences**2).mean() / 400)

    assert p_value(differences, "permutation") == pytest.approx(2 * stats.norm.sf(abs(z)), abs=0.015)
    assert p_value(differences, "permutation") == p_value(differences, "permutation")


def test_wilcoxon_of_the_example_of_demsar() -> None:
    # Table 2: C4.5 and C4.5+m on 14 data sets, R- = 12, R+ = 93 with ties and a zero; significant at 0.05
    first = [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.940, 0.619, 0.972, 0.957]
    second = [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978]

    assert 0.005 < p_value(np.array(second) - np.array(first), "wilcoxon") < 0.05


@pytest.mark.parametrize("test", TESTS)
def test_equal_methods_do_not_differ(test: str) -> None:
    assert p_value(np.zeros(5), test) == 1.0


@pytest.mark.parametrize("test", TESTS)
def test_the_order_of_the_methods_does_not_matter(test: str) -> None:
    differences = np.array([0.3, -0.1, 0.25, 0.4, 0.05, 0.2])

    assert p_value(differences, test) == pytest.approx(p_value(-differences, test))


def test_an_effect_by_hand() -> None:
    # differences 0, 1, 2, -1: mean 0.5, squares of deviations 0.25 + 0.25 + 2.25 + 2.25 = 5, deviation sqrt(5 / 3)
    found = effect(np.array([0.0, 1.0, 2.0, -1.0]))

    deviation = np.sqrt(5 / 3)
    half = 3.182446 * deviation / 2  # Student's t for 3 degrees of freedom at 0.975
    assert found.difference == 0.5
    assert found.size == pytest.approx(0.5 / deviation)
    assert (found.low, found.high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-5)
    assert (found.wins, found.losses) == (0.5, 0.25)


def test_the_size_of_an_effect_without_spread() -> None:
    assert effect(np.zeros(3)).size == 0.0
    assert effect(np.full(3, -0.5)).size == -np.inf
