import pytest
import torch

from softhash.heads.divide_and_encode import DivideAndEncode


def test_each_bit_sees_its_slice_alone() -> None:
    head = DivideAndEncode(in_features=6, bits=3, slice_features=4)
    features = torch.randn(5, 6)

    relaxed = head(features)

    hidden = torch.relu(features @ head.hidden.weight.T + head.hidden.bias)
    for bit in range(3):
        value = hidden[:, 4 * bit : 4 * bit + 4] @ head.encode.weight[bit, 0] + head.encode.bias[bit]
        torch.testing.assert_close(relaxed[:, bit], 2 * value.sigmoid() - 1)


def test_sigmoids_far_from_one_half_become_bits_while_training() -> None:
    head = DivideAndEncode(in_features=1, bits=3, slice_features=1, epsilon=0.25)
    head.hidden.weight.data[:], head.hidden.bias.data[:] = 1, 0
    head.encode.weight.data[:], head.encode.bias.data[:] = 0, torch.tensor([-2.0, 0.5, 2])  # sigmoids 0.12, 0.62, 0.88

    relaxed = head(torch.ones(1, 1))
    (gradient,) = torch.autograd.grad(relaxed.sum(), head.encode.bias)

    middle = 2 * torch.tensor(0.5).sigmoid().item() - 1
    assert relaxed[0].tolist() == pytest.approx([-1, middle, 1])
    assert (gradient != 0).tolist() == [False, True, False]
    assert head.eval()(torch.ones(1, 1)).abs().max() < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 0}, "bits must be at least 1"),
        ({"slice_features": 0}, "slice_features must be at least 1"),
        ({"epsilon": 0}, "epsilon must be above 0 and at most 0.5, got 0"),
        ({"epsilon": 0.6}, "epsilon must be above 0 and at most 0.5, got 0.6"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DivideAndEncode(**({"in_features": 2, "bits": 2} | arguments))  # type: ignore[arg-type]
