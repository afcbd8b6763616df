from collections.abc import Callable

import pytest
import torch

from softhash.losses.dlch import DLCHLoss


@pytest.mark.parametrize(("variant", "first", "value"), [("bank", 2, 0.049860), ("batch", 4, 0.077970)])
def test_value_and_gradient(golden: Callable[..., None], variant: str, first: int, value: float) -> None:
    golden(DLCHLoss(variant), value, [0.006185, -0.017127, -0.037118, -0.007134], first=first)  # type: ignore[arg-type]


def test_similar_images_on_opposite_sides_have_no_gradient() -> None:
    relaxed = torch.tensor([[1.0, 1.0], [-1.0, -0.5]], requires_grad=True)

    pair = DLCHLoss("batch")(relaxed, torch.ones(2, 1), torch.arange(2))["pair"]
    (gradient,) = torch.autograd.grad(pair, relaxed)

    assert pair.item() == pytest.approx(0.5)
    assert gradient.abs().max() < 1e-6
