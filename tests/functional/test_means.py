import math

import torch

from softhash.functional.means import mean_over


def test_a_mean_over_nothing_is_0_and_has_a_gradient() -> None:
    values = torch.ones(2, requires_grad=True)

    mean = mean_over(values, torch.zeros(2, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(mean, values)

    assert mean == 0
    assert gradient.tolist() == [0.0, 0.0]


def test_what_is_not_chosen_has_no_gradient() -> None:
    values = torch.tensor([math.inf, 3.0, 5.0], requires_grad=True)

    some = mean_over(values, torch.tensor([False, True, True]))
    none = mean_over(values, torch.zeros(3, dtype=torch.bool))

    assert some.item() == 4
    assert none.item() == 0
    assert torch.autograd.grad(none, values)[0].tolist() == [0, 0, 0]
