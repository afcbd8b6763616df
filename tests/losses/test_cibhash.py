from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.cibhash import CIBHashLoss

OTHER = [[0.8, -0.5, 0.1, 0.9], [0.4, -0.6, 0.2, 0.3], [-0.7, 0.5, -0.6, 0.1], [0.5, 0.3, 0.7, 0.4]]


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-z))


def contrast(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    views = np.concatenate([first, second])
    views = views / np.linalg.norm(views, axis=1, keepdims=True)
    total = 0.0
    for i in range(8):
        odds = [np.exp(views[i] @ views[j] / 0.3) for j in range(8) if j != i]
        total -= np.log(np.exp(views[i] @ views[(i + 4) % 8] / 0.3) / sum(odds))
    return total / 8


def divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    return float((p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).sum(1).mean())


def test_value_and_gradient_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    first, second = 2 * fixture_f.relaxed.detach().numpy(), 2 * np.array(OTHER)
    z = torch.tensor(np.stack([first, second], 1).reshape(8, 4), requires_grad=True)

    terms = CIBHashLoss()(z, torch.zeros(8, 3), fixture_f.rows.repeat_interleave(2))
    (gradient,) = torch.autograd.grad(sum(terms.values()), z)

    assert terms["contrast"].item() == pytest.approx(1.430397, abs=1e-6)
    assert terms["bottleneck"].item() == pytest.approx(0.001 * 0.083080, abs=1e-8)
    p, q = sigmoid(first), sigmoid(second)
    for k in range(4):
        step = np.zeros((4, 4))
        step[0, k] = 1e-6
        of_codes = contrast(np.sign(first) + step, np.sign(second)) - contrast(np.sign(first) - step, np.sign(second))
        of_chances = divergence(sigmoid(first + step), q) - divergence(sigmoid(first - step), q)
        slope = of_codes / 2e-6 * p[0, k] * (1 - p[0, k]) + 0.001 / 2 * of_chances / 2e-6
        assert gradient[0, k].item() == pytest.approx(slope, abs=1e-8)


def test_the_temperature_is_above_0() -> None:
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        CIBHashLoss(temperature=0)
