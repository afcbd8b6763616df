from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from softhash.losses.mlsph import MLSPHLoss


@pytest.mark.parametrize(("variant", "first", "value"), [("bank", 2, 0.655451), ("batch", 4, 0.862484)])
def test_value_and_gradient_of_pairs(golden: Callable[..., None], variant: str, first: int, value: float) -> None:
    loss = MLSPHLoss(variant, pair_weight=1, quantization_weight=0)  # type: ignore[arg-type]

    golden(loss, value, [0.065953, -0.095902, -0.003966, -0.138464], first=first)


def test_codes_are_drawn_to_their_signs_at_the_start_of_the_epoch() -> None:
    labels = torch.eye(2)
    loss = MLSPHLoss(pair_weight=0, quantization_weight=3)
    train = SimpleNamespace(
        labels=labels, bits=2, similarity=None, encode=lambda: (None, torch.tensor([[0.2, -0.1], [0.0, 3.0]]))
    )
    loss.setup(train)
    loss.on_epoch_start(0, train)

    first = loss(torch.tensor([[0.5, 0.5]]), labels[:1], torch.tensor([0]))["quantization"]
    loss.on_epoch_start(1, train)
    second = loss(torch.tensor([[0.5, 0.5]]), labels[:1], torch.tensor([0]))["quantization"]

    assert first.item() == pytest.approx(3 * (0.5**2 + 1.5**2) / 2)  # towards (1, -1)
    assert second.item() == pytest.approx(3 * 0.5**2)  # towards (1, 1), the signs of what was seen


def test_quantisation_in_a_batch(golden: Callable[..., None]) -> None:
    # the mean square is that of the fixture, 0.275; its slope at 0.9 is 2 (0.9 - 1) / 16
    golden(MLSPHLoss("batch", pair_weight=0, quantization_weight=1), 0.275, [-0.1 / 8, 0.6 / 8, -0.8 / 8, -0.3 / 8])
