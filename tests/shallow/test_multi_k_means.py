from collections.abc import Callable

import numpy as np
import pytest

from softhash.shallow.multi_k_means import MultiKMeans

CENTERS = np.array([[0.0, 0], [2, 0], [0, 3], [4, 4]])


@pytest.mark.parametrize(
    ("rule", "bits"), [("arithmetic", [1, 1, 1, 0]), ("geometric", [1, 1, 0, 0]), ("nearest", [1, 1, 0, 0])]
)
def test_centres_that_are_near_are_bits(rule: str, bits: list[int]) -> None:
    estimator = MultiKMeans(4, rule, random_state=0).fit(CENTERS)
    estimator.centers_ = CENTERS  # in this order

    # distances 1.414, 1.414, 2.236, 4.243; their arithmetic mean is 2.327, their geometric one 2.087
    relaxed = estimator.transform(np.array([[1.0, 1.0]]))

    assert (relaxed[0] > 0).astype(int).tolist() == bits
    if rule == "arithmetic":
        np.testing.assert_allclose(relaxed[0], 2.32678 - np.array([1.41421, 1.41421, 2.23607, 4.24264]), atol=1e-5)


@pytest.mark.parametrize(
    ("rule", "bits", "expected"),
    [
        ("geometric", 16, 0.427),
        ("geometric", 32, 0.474),
        ("arithmetic", 16, 0.418),
        ("arithmetic", 32, 0.468),
        ("nearest", 16, 0.388),
        ("nearest", 32, 0.455),
    ],
)
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], rule: str, bits: int, expected: float
) -> None:
    assert finds(MultiKMeans(bits, rule, random_state=0)) == pytest.approx(expected, abs=0.05)  # up to 0.020


def test_more_bits_than_different_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="needs one different row per bit: bits=3 is more than the 2 there are"):
        MultiKMeans(3).fit(np.repeat([[0.0], [1.0]], 5, axis=0))
    with pytest.raises(ValueError, match="rule must be one of geometric"):
        MultiKMeans(3, "median").fit(CENTERS)
