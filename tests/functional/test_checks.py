import numpy as np
import pytest
import torch

from softhash.functional.checks import check_at_least, check_option, whole_number


def test_the_first_number_that_is_too_small_is_named() -> None:
    check_at_least(0, weight=0, scale=2.5)
    with pytest.raises(ValueError, match="scale must be at least 0, got -1"):
        check_at_least(0, weight=1, scale=-1, other=-2)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weight must be at least 0\.5, got nan"):
        check_at_least(0.5, weight=float("nan"))


def test_an_option_that_does_not_exist_is_refused_with_those_that_do() -> None:
    check_option("gain", "linear", ("exponential", "linear"))
    with pytest.raises(ValueError, match="gain must be one of exponential, linear, got 'lin'"):
        check_option("gain", "lin", ("exponential", "linear"))


@pytest.mark.parametrize("value", [3, np.int64(3), torch.tensor(3)])
def test_integers_of_any_library_are_whole_numbers(value: int) -> None:
    number = whole_number("top_k", value)

    assert type(number) is int
    assert number == 3


@pytest.mark.parametrize("value", [10.5, 5.0, True, "5", None, np.float32(5)])
def test_what_is_no_integer_is_no_whole_number(value: int) -> None:
    with pytest.raises(ValueError, match="top_k must be a whole number, got "):
        whole_number("top_k", value)
