from collections.abc import Callable

import pytest
import torch

from softhash.functional.similarity import cosine
from softhash.losses.dch import DCHLoss


@pytest.mark.parametrize(
    ("variant", "weight", "value", "gradient"),
    [
        ("paper", 0.1, 2.152924, [0.005937, 0.000579, 0.002319, -0.007965]),
        ("dhp", 0.1, 2.131993, [0.004333, 0.000533, 0.001453, -0.005682]),
        ("official", 0.0, 0.398292, [0.038387, -0.013951, 0.012201, 0.012381]),
    ],
)
def test_value_and_gradient(
    golden: Callable[..., None], variant: str, weight: float, value: float, gradient: list[float]
) -> None:
    golden(DCHLoss(variant, 20, weight), value, gradient)  # type: ignore[arg-type]


def test_a_graded_similarity_is_the_probability_of_a_pair() -> None:
    relaxed, labels = torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]])

    pair = DCHLoss(gamma=1, similarity=cosine)(relaxed, labels, torch.arange(2))["pair"]

    # d = 1, so p = 1 / 2; both weights make up for the share of the pairs that they are of
    assert pair.item() == pytest.approx(2 * torch.tensor(2.0).log().item())


def test_gamma_is_above_0() -> None:
    with pytest.raises(ValueError, match="gamma must be above 0, got 0"):
        DCHLoss(gamma=0)
