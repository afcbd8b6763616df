from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F

from softhash.functional.similarity import count
from softhash.losses.dimch import DIMCHLoss, weighted_triplets

TEXT = [[0.8, -0.5, 0.1, 0.9], [0.4, -0.6, 0.2, 0.3], [-0.7, 0.5, -0.6, 0.1], [0.5, 0.3, 0.7, 0.4]]


def test_value_and_gradient_for_images(golden: Callable[..., None]) -> None:
    golden(DIMCHLoss(), 0.098160, [0.006174, -0.039614, 0.062251, -0.048361])


def test_value_between_images_and_texts(fixture_f: SimpleNamespace) -> None:
    cosines = F.normalize(fixture_f.relaxed) @ F.normalize(torch.tensor(TEXT, dtype=torch.float64)).T

    total = weighted_triplets(cosines, count(fixture_f.labels, fixture_f.labels), margin=0.3)

    assert total.item() == pytest.approx(0.010645, abs=1e-6)


def test_an_image_that_shares_more_labels_weighs_more() -> None:
    cosines = torch.tensor([[0.5, 0.5, 0.5]])  # all equally far, so each triplet costs its weight times the margin

    actual = weighted_triplets(cosines, torch.tensor([[2.0, 1.0, 0.0]]), margin=1.0)

    ideal = 3 / 1 + 1 / torch.tensor(3.0).log2().item()
    assert actual.item() == pytest.approx((3 + 1) / ideal / 2)


def test_images_that_share_nothing_with_any_cost_nothing() -> None:
    assert weighted_triplets(torch.zeros(2, 2), torch.zeros(2, 2), margin=0.3) == 0
