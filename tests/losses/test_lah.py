from collections.abc import Callable

import pytest
import torch

from softhash.losses.lah import LAHLoss


def test_value_and_gradient_of_the_authors_code(golden: Callable[..., None]) -> None:
    golden(LAHLoss(), 0.749862, [-0.000453, -0.099171, -0.229205, -0.059349])


def test_a_graded_pair_costs_both_likelihoods() -> None:
    relaxed, labels = torch.tensor([[1.0, 1.0], [1.0, -1.0]]), torch.tensor([[1.0, 1.0], [1.0, 0.0]])

    pair = LAHLoss()(relaxed, labels, torch.arange(2))["pair"]

    # s = 1 / 2 and d = 1, so p = 1 / 2; the sums are 2 over 3
    weight = 1 / 2 + 2 / 3 / 2
    assert pair.item() == pytest.approx(weight * torch.tensor(2.0).log().item(), abs=1e-5)


def test_gamma_is_above_0() -> None:
    with pytest.raises(ValueError, match="gamma must be above 0, got -1"):
        LAHLoss(gamma=-1)
