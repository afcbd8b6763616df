from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from softhash.functional.similarity import count, share
from softhash.losses.talr import TALRLoss, average_precision, discounted_gain, soft_histogram


def weights(z: torch.Tensor) -> torch.Tensor:
    codes = 2 * z.sigmoid() - 1
    return soft_histogram((4 - codes @ codes.T) / 2, bits=4, num_bins=4)


def test_average_precision_of_each_image(fixture_f: SimpleNamespace) -> None:
    values = average_precision(weights(2 * fixture_f.relaxed), share(fixture_f.labels, fixture_f.labels))

    assert values.tolist() == pytest.approx([1.000000, 0.887807, 0.744921, 1.000000], abs=1e-6)


def test_discounted_gain_of_each_image(fixture_f: SimpleNamespace) -> None:
    values = discounted_gain(weights(2 * fixture_f.relaxed), count(fixture_f.labels, fixture_f.labels))

    assert values.tolist() == pytest.approx([0.629618, 0.730200, 0.318438, 0.645645], abs=1e-6)


@pytest.mark.parametrize(
    ("variant", "value", "expected"),
    [
        ("ap", -3.632728, [-0.002293, 0.004353, 0.018017, -0.012317]),
        ("ndcg", -2.323900, [-0.007834, 0.005886, -0.035438, -0.012905]),
    ],
)
def test_the_sum_over_the_images(fixture_f: SimpleNamespace, variant: Any, value: float, expected: list[float]) -> None:
    z = (2 * fixture_f.relaxed).detach().requires_grad_()

    total = 4 * sum(TALRLoss(variant, num_bins=4)(z, fixture_f.labels, fixture_f.rows).values()) - 4
    (gradient,) = torch.autograd.grad(total, z)

    assert total.item() == pytest.approx(value, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_for_binary_codes_the_histogram_is_exact() -> None:
    codes = torch.randint(2, (6, 8), generator=torch.Generator().manual_seed(0)).double() * 2 - 1
    distances = (8 - codes @ codes.T) / 2

    found = soft_histogram(distances, bits=8, num_bins=8)

    for image in range(6):
        others = np.delete(distances[image].numpy(), image)
        counts = [(others == distance).sum() for distance in range(9)]
        assert found[image].sum(0).tolist() == counts


def test_gamma_makes_the_sigmoid_steeper(fixture_f: SimpleNamespace) -> None:
    batch = fixture_f.labels, fixture_f.rows

    steeper, scaled = TALRLoss(gamma=2)(fixture_f.relaxed, *batch), TALRLoss()(2 * fixture_f.relaxed, *batch)

    torch.testing.assert_close(steeper["ap"], scaled["ap"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "map"}, "variant must be one of ap, ndcg, got 'map'"),
        ({"num_bins": 0}, "num_bins must be at least 1, got 0"),
        ({"gamma": -1}, "gamma must be at least 0, got -1"),
    ],
)
def test_bad_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TALRLoss(**arguments)
