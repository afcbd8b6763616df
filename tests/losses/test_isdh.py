from collections.abc import Callable

from softhash.losses.isdh import ISDHLoss


def test_the_authors_code(golden: Callable[..., None]) -> None:
    golden(ISDHLoss(), 1.250908, [-0.319995, 0.144175, -0.309296, -0.357887])
