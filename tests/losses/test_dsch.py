from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from softhash.functional.similarity import cosine
from softhash.losses.dsch import DSCHLoss, outside_channel

TEXT = [[0.8, -0.5, 0.1, 0.9], [0.4, -0.6, 0.2, 0.3], [-0.7, 0.5, -0.6, 0.1], [0.5, 0.3, 0.7, 0.4]]


def test_value_and_gradient_for_images(golden: Callable[..., None]) -> None:
    golden(DSCHLoss(), 0.298466, [-0.020123, 0.006653, -0.001899, -0.033814])


def test_value_and_gradient_of_the_cross_modal_method_that_it_comes_from(fixture_f: SimpleNamespace) -> None:
    image, text = fixture_f.relaxed, torch.tensor(TEXT, dtype=torch.float64)
    c = cosine(fixture_f.labels, fixture_f.labels)

    total = sum(sum(outside_channel(*two, c)) for two in ((image, image), (text, text), (text, image), (image, text)))
    (gradient,) = torch.autograd.grad(total, image)

    assert total.item() == pytest.approx(1.241362, abs=2e-6)
    assert gradient[0].tolist() == pytest.approx([-0.034831, 0.006572, -0.009338, -0.061222], abs=2e-6)


@pytest.mark.parametrize(
    ("distance", "near", "far"), [(0.0, 1.0, 0.0), (2.0, 0.0, 0.0), (4.0, 0.0, 1.0), (8.0, 0.0, 5.0)]
)
def test_a_pair_is_bounded_on_both_sides(distance: float, near: float, far: float) -> None:
    # 16 bits at c = 5 / 8 in a channel of 2 bits: from 1 to 3 bits apart
    relaxed, other = torch.ones(1, 16), torch.full((1, 16), 1 - distance / 8)

    actual = outside_channel(relaxed, other, torch.tensor([[0.625]]), slack=2.0)

    assert [part.item() for part in actual] == pytest.approx([near, far], abs=1e-5)


def test_weights_are_those_of_pairs_that_share_all_or_nothing() -> None:
    codes = torch.ones(1, 4)

    nothing = outside_channel(codes, codes, torch.zeros(1, 1), dissimilar_weight=3)
    everything = outside_channel(codes, -codes, torch.ones(1, 1), similar_weight=5)

    assert nothing[0].item() == pytest.approx(3 * 2)  # 0 bits apart instead of 2
    assert everything[1].item() == pytest.approx(5 * 4)  # 4 bits apart instead of 0
    assert nothing[1].item() == pytest.approx(0, abs=1e-5)
    assert everything[0].item() == pytest.approx(0, abs=1e-5)
