import pytest

from softhash.functional.checks import check_at_least, check_option


def test_the_first_number_that_is_too_small_is_named() -> None:
    check_at_least(0, weight=0, margin=1.5)
    with pytest.raises(ValueError, match=r"^margin must be at least 0\.5, got 0\.25$"):
        check_at_least(0.5, weight=0.5, margin=0.25, scale=0)


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="^weight must be at least 0, got nan$"):
        check_at_least(0, weight=float("nan"))


def test_an_option_that_does_not_exist_is_named_with_those_that_do() -> None:
    check_option("gain", "linear", ("exponential", "linear"))
    with pytest.raises(ValueError, match="^gain must be one of exponential, linear, got 'cubic'$"):
        check_option("gain", "cubic", ("exponential", "linear"))
