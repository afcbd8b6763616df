from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from softhash.shallow.okh import OKH, update, zero_loss_codes


def test_zero_loss_codes_are_the_best_of_all_that_have_no_loss() -> None:
    rng, corners = np.random.default_rng(0), np.array(list(product([-1.0, 1], repeat=5)))
    apart = (corners[:, None] != corners[None]).sum(2)
    for case in range(200):
        values, similar = rng.standard_normal((2, 5)), case % 2 == 0
        codes = np.sign(values)

        wanted, loss = zero_loss_codes(values, codes, similar, 1, 2.5)

        allowed = apart <= 1 if similar else apart >= 2.5
        everything = (corners @ values[0])[:, None] + (corners @ values[1])[None]
        assert (wanted * values).sum() == pytest.approx(everything[allowed].max())
        distance = (codes[0] != codes[1]).sum()
        assert loss == pytest.approx(max(0, distance - 1 if similar else 2.5 - distance))


def test_a_step_of_any_length_leaves_no_linearised_loss() -> None:
    rng = np.random.default_rng(0)
    for similar in (True, False):
        weights, kernels = rng.standard_normal((4, 6)), rng.random((2, 4))
        values = kernels @ weights
        codes = np.sign(values)
        wanted, loss = zero_loss_codes(values, codes, similar, 0, 6)

        update(weights, kernels[0], kernels[1], similar, 0, 6, max_step=np.inf)

        after = kernels @ weights
        assert ((codes - wanted) * after).sum() + np.sqrt(loss) == pytest.approx(0, abs=1e-9)


def test_a_pair_without_loss_changes_nothing_and_a_step_is_bounded() -> None:
    weights, kernel = np.eye(3), np.array([1.0, 1, 1])

    update(weights, kernel, kernel, True, 0, 2, 0.1)
    assert np.array_equal(weights, np.eye(3))

    update(weights, kernel, kernel, False, 0, 1, 0.01)
    assert 0 < np.abs(weights - np.eye(3)).max() <= 0.02 + 1e-12


@pytest.mark.parametrize(("bits", "expected"), [(16, 0.504), (32, 0.580)])
def test_handwritten_digits_are_found_as_well_as_in_a_prototype(
    finds: Callable[..., float], bits: int, expected: float
) -> None:
    assert finds(OKH(bits, random_state=0)) == pytest.approx(expected, abs=0.09)  # of three seeds, up to 0.033


def test_a_stream_in_parts_gives_what_it_gives_at_once() -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((60, 4)), np.eye(3)[rng.integers(3, size=60)]
    parts, whole = OKH(8, num_anchors=10, random_state=0), OKH(8, num_anchors=10, random_state=0)
    for okh in (parts, whole):
        okh.partial_fit(features[:20], labels[:20])

    parts.partial_fit(features[20:40], labels[20:40]).partial_fit(features[40:], labels[40:])
    whole.partial_fit(features[20:], labels[20:])

    np.testing.assert_array_equal(parts.weights_, whole.weights_)
    assert parts.num_pairs_seen_ == 30
