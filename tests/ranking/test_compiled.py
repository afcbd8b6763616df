import math

from softhash.ranking.compiled import compiled


@compiled
def quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator


def test_a_division_by_zero_is_infinite_and_none_of_zero() -> None:
    assert quotient(1.0, 4.0) == 0.25
    assert quotient(1.0, 0.0) == math.inf
    assert math.isnan(quotient(0.0, 0.0))
