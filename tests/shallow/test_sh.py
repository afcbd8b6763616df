from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from softhash.shallow.sh import SH, smoothest_waves


def test_waves_of_a_box_come_by_their_eigenvalues() -> None:
    axes, waves = smoothest_waves(np.array([1.0, 0.4]), 4)

    assert [(a, w) for a, w in zip(axes.tolist(), waves.tolist(), strict=True)] == [(0, 1), (0, 2), (1, 1), (0, 3)]
    np.testing.assert_allclose((waves / np.array([1.0, 0.4])[axes]) ** 2, [1, 4, 6.25, 9])


def test_bits_along_one_axis_are_signs_of_cosines() -> None:
    places = np.array([[0.0], [0.2], [0.3], [0.6], [0.8], [1.0]])

    sh = SH(3).fit(places)
    sh.components_ = np.abs(sh.components_)  # the direction of an axis is arbitrary
    sh.low_ = np.array([-sh.mean_[0]])

    bits = ["".join("01"[bit] for bit in row) for row in (sh.transform(places) > 0).astype(int)]
    assert bits == ["111", "110", "100", "001", "011", "010"]


@pytest.mark.parametrize(("bits", "total"), [(16, 3_190_642), (32, 5_996_849)])
def test_all_distances_of_the_digits_are_those_of_a_prototype(digits: Any, bits: int, total: int) -> None:
    sh = SH(bits).fit(digits.train)

    queries, items = (sh.transform(rows) > 0 for rows in (digits.queries, digits.train))

    distances = (queries[:, None] != items[None]).sum(2)
    assert distances.sum() == total
    if bits == 16:
        assert distances[:3, :5].tolist() == [[6, 10, 6, 6, 7], [7, 9, 5, 7, 6], [8, 6, 8, 6, 9]]


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.373), (32, 0.369)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    assert finds(SH(bits)) == pytest.approx(expected, abs=0.005)


def test_there_may_be_more_bits_than_features() -> None:
    features = np.random.default_rng(0).random((50, 2))

    assert len(np.unique(SH(16).fit(features).transform(features) > 0, axis=0)) > 10
