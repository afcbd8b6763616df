import numpy as np
import pytest

from softhash.study.ranks import cliques, critical_difference, friedman, mean_ranks

# Demsar, JMLR 2006, Table 6: AUC of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on 14 data sets.
# The last but one has 0.975 twice, of which the first has the better rank in print.
AUC = np.array(
    [
        [0.763, 0.768, 0.771, 0.798], [0.599, 0.591, 0.590, 0.569], [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657], [0.882, 0.888, 0.886, 0.898], [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685], [0.583, 0.583, 0.563, 0.625], [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000], [0.940, 0.962, 0.965, 0.962], [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.975], [0.957, 0.978, 0.946, 0.970],
    ]
)  # fmt: skip


def test_mean_ranks_are_those_of_demsar() -> None:
    assert mean_ranks(AUC) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)


def test_the_critical_differences_are_those_of_demsar() -> None:
    assert critical_difference(4, 14, 0.05) == pytest.approx(1.25, abs=0.005)
    assert critical_difference(4, 14, 0.10) == pytest.approx(1.12, abs=0.01)  # printed from a rounded quantile


@pytest.mark.parametrize(("methods", "quantile"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)])
def test_the_quantiles_are_those_of_demsar(methods: int, quantile: float) -> None:
    # Table 5 (a); 6 * blocks = methods * (methods + 1) makes the root 1
    blocks = methods * (methods + 1) / 6

    assert critical_difference(methods, blocks) == pytest.approx(quantile, abs=1e-3)


def test_friedman_of_demsar_is_corrected_for_ties() -> None:
    # p. 12: without correction 9.28 and 3.69. Three blocks have a tie of two, and one has a tie of all four.
    correction = 1 - (3 * (2**3 - 2) + (4**3 - 4)) / (14 * (4**3 - 4))

    found = friedman(AUC)

    assert found.chi_square * correction == pytest.approx(9.28, abs=0.005)
    assert found.f == pytest.approx(13 * found.chi_square / (14 * 3 - found.chi_square))
    assert 3.69 < found.f < 4.5
    assert found.p < 0.05


def test_friedman_by_hand() -> None:
    # two blocks of one order, one reversed: rank sums 5, 6, 7; chi^2 = 12 / (3 * 3 * 4) * 110 - 3 * 3 * 4 = 2 / 3
    found = friedman(np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]]))

    assert found.chi_square == pytest.approx(2 / 3)
    assert found.f == pytest.approx(2 * (2 / 3) / (6 - 2 / 3))


def test_blocks_of_one_order_leave_no_doubt_and_equal_methods_no_difference() -> None:
    assert friedman(np.array([[3.0, 2.0, 1.0]] * 4)).p == 0.0
    assert friedman(np.ones((4, 3))).p == 1.0


def test_cliques_by_hand() -> None:
    ranks = np.array([1.0, 1.5, 2.5, 2.6, 4.0])

    assert cliques(ranks, 1.0) == [(0, 1), (1, 2), (2, 3)]  # 1.5 and 2.5 are exactly 1 apart
    assert cliques(ranks, 1.2) == [(0, 1), (1, 3)]  # (2, 3) lies within the second
    assert cliques(ranks, 3.0) == [(0, 4)]


def test_no_clique_of_one() -> None:
    assert cliques(np.array([1.0, 2.0, 3.0]), 0.5) == []
