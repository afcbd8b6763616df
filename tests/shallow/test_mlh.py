from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from softhash.shallow.lsh import LSH
from softhash.shallow.mlh import MLH, distance_losses, loss_adjusted_codes

A, B = np.array([[0.5, -0.2, 0.1, -0.4]]), np.array([[0.3, 0.1, -0.6, -0.2]])


def test_losses_at_each_distance() -> None:
    np.testing.assert_allclose(distance_losses(4, 1), [[1, 0.5, 0, 0, 0], [0, 0.25, 0.5, 0.75, 1]])


def test_codes_of_a_similar_pair_are_driven_apart_and_of_a_dissimilar_one_together() -> None:
    dissimilar, similar = distance_losses(4, 1)

    apart, together = (loss_adjusted_codes(A, B, losses[None]) for losses in (similar, dissimilar))

    assert [code.tolist() for code in apart] == [[[1, -1, 1, -1]], [[1, 1, -1, -1]]]
    assert [code.tolist() for code in together] == [[[1, -1, -1, -1]]] * 2


def test_codes_are_the_best_of_all() -> None:
    rng, corners = np.random.default_rng(0), np.array(list(product([-1.0, 1], repeat=4)))
    losses = distance_losses(4, 1)
    apart = (corners[:, None] != corners[None]).sum(2)
    for case in range(100):
        first, second = rng.standard_normal((2, 1, 4))
        table = losses[case % 2]

        codes = [part[0] for part in loss_adjusted_codes(first, second, table[None])]

        value = codes[0] @ first[0] + codes[1] @ second[0] + table[(codes[0] != codes[1]).sum()]
        everything = (corners @ first[0])[:, None] + (corners @ second[0])[None] + table[apart]
        assert value == pytest.approx(everything.max())


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.830), (32, 0.884)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    value = finds(MLH(bits, random_state=0))

    assert value == pytest.approx(expected, abs=0.06)
    assert value > finds(LSH(bits, random_state=0)) + 0.3


def test_a_radius_of_all_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="radius_fraction must be below 1"):
        MLH(4, radius_fraction=1.0).fit(np.eye(4), np.eye(4))
