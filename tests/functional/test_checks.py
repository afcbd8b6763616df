import pytest

from softhash.functional.checks import check_at_least, check_option


def test_the_first_number_that_is_too_small_is_named() -> None:
    check_at_least(0, weight=0, scale=2.5)
    with pytest.raises(ValueError, match="scale must be at least 0, got -1"):
        check_at_least(0, weight=1, scale=-1, other=-2)


def test_an_option_that_does_not_exist_is_refused_with_those_that_do() -> None:
    check_option("gain", "linear", ("exponential", "linear"))
    with pytest.raises(ValueError, match="gain must be one of exponential, linear, got 'lin'"):
        check_option("gain", "lin", ("exponential", "linear"))
