from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.bihalf import BiHalfLoss, half_split

FEATURES = [[1.0, 2, 0, 1, 0], [2, 1, 0, 0, 1], [0, 1, 3, 1, 1], [1, 1, 1, 2, 0]]


def test_value_and_gradient_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    features = torch.tensor(FEATURES, dtype=torch.float64)

    terms = BiHalfLoss()(fixture_f.relaxed, fixture_f.labels, fixture_f.rows, features)
    (gradient,) = torch.autograd.grad(sum(terms.values()), fixture_f.relaxed)

    assert terms["similarity"].item() == pytest.approx(1.986106, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.0375, 0.225, -0.3, -0.1125], abs=1e-6)


def test_each_bit_is_1_for_the_larger_half(fixture_f: SimpleNamespace) -> None:
    assert half_split(fixture_f.relaxed.detach()).tolist() == [
        [1, -1, 1, 1], [1, -1, -1, -1], [-1, 1, -1, -1], [-1, 1, 1, 1],
    ]  # fmt: skip


def test_the_gradient_of_similarity_is_that_at_the_codes() -> None:
    relaxed = np.array([[0.1, 0.5, 3.0], [0.2, 0.4, 4.0], [0.3, 0.6, 1.0], [0.4, 0.3, 2.0]])
    codes = np.array([[-1.0, 1, 1], [-1, -1, 1], [1, 1, -1], [1, -1, -1]])
    features = np.array(FEATURES)

    def cosines(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        norms = np.linalg.norm(vectors, axis=1)
        return np.array([vectors[i] @ vectors[i + 2] / norms[i] / norms[i + 2] for i in (0, 1)])

    def value(at: NDArray[np.float64]) -> float:
        return float(np.mean((cosines(at) - cosines(features)) ** 2))

    given = torch.tensor(relaxed, requires_grad=True)
    term = BiHalfLoss()(given, torch.zeros(4, 0), torch.arange(4), torch.tensor(features))["similarity"]
    (gradient,) = torch.autograd.grad(term, given)

    assert term.item() == pytest.approx(value(codes))
    for place in np.ndindex(codes.shape):
        step = np.zeros_like(codes)
        step[place] = 1e-6
        slope = (value(codes + step) - value(codes - step)) / 2e-6
        assert gradient[place].item() == pytest.approx(slope, abs=1e-8)
