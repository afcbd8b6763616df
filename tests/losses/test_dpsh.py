from collections.abc import Callable

from softhash.losses.dpsh import DPSHLoss


def test_the_code_of_the_authors_lab(golden: Callable[..., None]) -> None:
    golden(DPSHLoss(50), 15.268284, [-1.272425, 7.504820, -9.987551, -3.800214], first=2)


def test_deephash_pytorch_has_a_mean_over_bits(golden: Callable[..., None]) -> None:
    # 0.1 times a mean over bits: eta K / N = 0.1 with K = N = 4
    golden(DPSHLoss(0.1), 0.547784, [-0.024925, 0.019820, -0.007551, -0.057714], first=2)
