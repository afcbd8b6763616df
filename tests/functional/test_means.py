import torch

from softhash.functional.means import mean_over


def test_a_mean_over_nothing_is_0_and_has_a_gradient() -> None:
    values = torch.ones(2, requires_grad=True)

    mean = mean_over(values, torch.zeros(2, dtype=torch.bool))
    (gradient,) = torch.autograd.grad(mean, values)

    assert mean == 0
    assert gradient.tolist() == [0.0, 0.0]
