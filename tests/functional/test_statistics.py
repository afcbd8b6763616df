import pytest
import torch

from softhash.functional.statistics import (
    bit_balance,
    bit_correlation,
    bit_entropy,
    effective_bits,
    fraction_near_zero,
)

# First and second bit are equal, the third is independent of them, the fourth is constant.
BITS = torch.tensor([[1, 1, 0, 1], [1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]], dtype=torch.bool)


def test_balance_is_the_share_of_ones() -> None:
    assert bit_balance(BITS).tolist() == [0.5, 0.5, 0.5, 1.0]


def test_copies_correlate_fully_and_a_constant_bit_with_none() -> None:
    expected = torch.eye(4, dtype=torch.float64)
    expected[0, 1] = expected[1, 0] = 1

    torch.testing.assert_close(bit_correlation(BITS), expected)


def test_correlation_is_that_of_torch() -> None:
    bits = torch.rand(50, 6, generator=torch.Generator().manual_seed(0)) > 0.4

    torch.testing.assert_close(bit_correlation(bits), torch.corrcoef(bits.double().T))


def test_entropy_is_one_for_a_balanced_bit_and_zero_for_a_constant_one() -> None:
    assert bit_entropy(BITS) == pytest.approx(0.75)


def test_a_copy_adds_no_effective_bit() -> None:
    assert effective_bits(BITS[:, :1].repeat(1, 8)) == pytest.approx(1.0)
    assert effective_bits(BITS[:, 1:3]) == pytest.approx(2.0)


def test_a_constant_bit_is_no_effective_bit() -> None:
    assert effective_bits(torch.zeros(100, 32, dtype=torch.bool)) == 0.0
    assert effective_bits(BITS) == pytest.approx(9 / 5)  # of three that vary two are equal: 3^2 / (3 + 2)


def test_values_near_zero_are_counted_relative_to_the_mean_size() -> None:
    assert fraction_near_zero(torch.tensor([[1.0, -1.0, 1.0, 0.01]])) == pytest.approx(0.25)
