from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.greedyhash import GreedyHashLoss, UnsupervisedGreedyHashLoss, straight_through_sign

CLASSIFIER = [[1.0, -1.0, 0.5, 0.2], [-0.3, 0.8, -0.6, 0.4], [0.1, -0.2, 0.9, -0.7]]
FEATURES = [[1.0, 2, 0, 1, 0], [2, 1, 0, 0, 1], [0, 1, 3, 1, 1], [1, 1, 1, 2, 0]]


def ready(train: SimpleNamespace, variant: str) -> GreedyHashLoss:
    loss = GreedyHashLoss(variant)  # type: ignore[arg-type]
    loss.setup(train)
    loss.classifier.data = torch.tensor(CLASSIFIER, dtype=torch.float64)
    return loss


def test_value_and_gradient_of_a_soft_target(fixture_f: SimpleNamespace) -> None:
    terms = ready(fixture_f.train, "soft")(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)
    (gradient,) = torch.autograd.grad(sum(terms.values()), fixture_f.relaxed)

    assert terms["class"].item() == pytest.approx(1.616956, abs=1e-6)
    assert terms["quantization"].item() == pytest.approx(0.0186125, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.134961, -0.191324, 0.130852, -0.047956], abs=1e-6)


def test_value_and_gradient_of_a_binary_cross_entropy(fixture_f: SimpleNamespace) -> None:
    weights, labels = np.array(CLASSIFIER), fixture_f.labels.numpy()

    def of_codes(codes: NDArray[np.float64]) -> float:
        """The derivative at the codes is the one that passes to the relaxed codes."""
        likelihoods = 1 / (1 + np.exp(-codes @ weights.T))
        return float(-np.mean(labels * np.log(likelihoods) + (1 - labels) * np.log(1 - likelihoods)))

    terms = ready(fixture_f.train, "binary")(fixture_f.relaxed, fixture_f.labels, fixture_f.rows)
    (gradient,) = torch.autograd.grad(terms["class"], fixture_f.relaxed)

    assert terms["class"].item() == pytest.approx(0.705325, abs=1e-6)
    expected = slopes(of_codes, np.sign(fixture_f.relaxed.detach().numpy()))
    np.testing.assert_allclose(gradient.numpy(), expected, atol=1e-7)


def test_value_and_gradient_without_supervision(fixture_f: SimpleNamespace) -> None:
    features, relaxed = np.array(FEATURES), fixture_f.relaxed.detach().numpy()

    def cosines(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        norms = np.linalg.norm(vectors, axis=1)
        return np.array([vectors[i] @ vectors[i + 2] / norms[i] / norms[i + 2] for i in (0, 1)])

    def of_codes(codes: NDArray[np.float64]) -> float:
        return float(np.mean((cosines(codes) - cosines(features)) ** 2))

    terms = UnsupervisedGreedyHashLoss(quantization_weight=0.1)(
        fixture_f.relaxed, fixture_f.labels, fixture_f.rows, torch.tensor(FEATURES, dtype=torch.float64)
    )
    (gradient,) = torch.autograd.grad(terms["similarity"], fixture_f.relaxed)

    assert terms["similarity"].item() == pytest.approx(of_codes(np.sign(relaxed)))
    assert terms["quantization"].item() == pytest.approx(0.0186125, abs=1e-6)
    np.testing.assert_allclose(gradient.numpy(), slopes(of_codes, np.sign(relaxed)), atol=1e-7)


def test_the_sign_of_zero_is_minus_one() -> None:
    assert straight_through_sign(torch.tensor([0.0, 0.3, -2.0])).tolist() == [-1.0, 1.0, -1.0]


def slopes(
    function: Callable[[NDArray[np.float64]], float], at: NDArray[np.float64], step: float = 1e-5
) -> NDArray[np.float64]:
    """Central differences."""
    result = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        above, below = at.copy(), at.copy()
        above[place] += step
        below[place] -= step
        result[place] = (function(above) - function(below)) / (2 * step)
    return result
