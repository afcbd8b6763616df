from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import norm

from softhash.shallow.e2lsh import E2LSH, mean_distance

FEATURES = np.random.default_rng(0).standard_normal((60, 7))


def collision(distance: float, width: float) -> float:
    """Probability that two rows fall into the same cell, after Datar et al."""
    ratio = width / distance
    tail = 2 / (np.sqrt(2 * np.pi) * ratio) * (1 - np.exp(-(ratio**2) / 2))
    return float(1 - 2 * norm.cdf(-ratio) - tail)


@pytest.mark.parametrize(
    ("distance", "probability"), [(0.5, 0.9003), (1, 0.8005), (2, 0.6095), (4, 0.3687), (8, 0.1954)]
)
def test_two_rows_share_a_cell_as_often_as_their_distance_says(distance: float, probability: float) -> None:
    hashes = 50_000
    rows = np.array([[0.0, 0, 0], [distance, 0, 0]])
    e2lsh = E2LSH(8 * hashes, bits_per_hash=8, radius_fraction=1, random_state=0).fit(rows)
    e2lsh.projections_ *= mean_distance(rows, "l2", np.random.default_rng(0)) / 1.0  # a radius of 1

    cells = np.floor(e2lsh.places(rows))

    assert collision(distance, 4) == pytest.approx(probability, abs=5e-5)
    assert np.mean(cells[0] == cells[1]) == pytest.approx(probability, abs=0.015)


def test_bits_are_those_of_the_number_of_the_cell() -> None:
    e2lsh = E2LSH(32, bits_per_hash=4, random_state=0).fit(FEATURES)

    bits = (e2lsh.transform(FEATURES) > 0).reshape(60, 8, 4)

    np.testing.assert_array_equal(bits @ [1, 2, 4, 8], np.floor(e2lsh.places(FEATURES)) % 16)


def test_a_table_counts_equal_hashes() -> None:
    e2lsh = E2LSH(12, bits_per_hash=2, random_state=0).fit(FEATURES)
    codes = np.packbits(e2lsh.transform(FEATURES) > 0, axis=1, bitorder="little")

    tables = e2lsh.tables(FEATURES[:5])

    scores = sum(tables[:, byte][:, codes[:, byte]] for byte in range(2))
    hashes = np.floor(e2lsh.places(FEATURES)) % 4
    np.testing.assert_array_equal(scores, (hashes[:5, None] == hashes[None]).sum(2))


def test_the_scale_of_the_features_does_not_matter() -> None:
    near, far = (E2LSH(16, random_state=0).fit(f).transform(f) for f in (FEATURES, 5 * FEATURES + 3))

    np.testing.assert_allclose(near, far, atol=1e-5)


def test_distances_in_l1_take_other_projections() -> None:
    assert mean_distance(np.array([[0.0, 0], [3, 4]]), "l1", np.random.default_rng(0)) == pytest.approx(3.5, abs=0.1)
    assert np.abs(E2LSH(400, norm="l1", random_state=0).fit(FEATURES).projections_).max() > 10


@pytest.mark.parametrize(("bits", "least"), [(16, 0.18), (32, 0.25)])
def test_handwritten_digits_are_found_above_chance(finds: Callable[..., float], bits: int, least: float) -> None:
    assert finds(E2LSH(bits, random_state=0)) > least  # chance is 0.104


def test_values_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="E2LSH gives 2 bits at a time, and bits=5"):
        E2LSH(5).fit(FEATURES)
    with pytest.raises(ValueError, match="1, 2, 4 or 8"):
        E2LSH(6, bits_per_hash=3).fit(FEATURES)
    with pytest.raises(ValueError, match="width must be above 0"):
        E2LSH(4, width=0).fit(FEATURES)
    with pytest.raises(ValueError, match="norm must be one of"):
        E2LSH(4, norm="l3").fit(FEATURES)
