from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.pca_rr import PCARR
from softhash.shallow.pcah import PCAH


def test_it_is_pcah_after_a_rotation() -> None:
    features = np.random.default_rng(0).standard_normal((30, 6)) * np.arange(1, 7)

    turned, plain = PCARR(4, random_state=0).fit(features), PCAH(4).fit(features)

    rotation = plain.components_.T @ turned.projection_
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(plain.components_ @ rotation, turned.projection_, atol=1e-12)
    assert np.abs(rotation).max() < 0.99


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.492), (32, 0.545)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    assert finds(PCARR(bits, random_state=0)) == pytest.approx(expected, abs=0.06)  # of five seeds, up to 0.023
