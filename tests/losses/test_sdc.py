from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.losses.sdc import SDCLoss

FEATURES = [[1.0, 2, 0, 1, 0], [2, 1, 0, 0, 1], [0, 1, 3, 1, 1], [1, 1, 1, 2, 0]]
QUANTILE = 0.216072  # of a beta distribution with parameters 5, stretched to [-1, 1], at 3 / 4


def cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize(("orthogonal", "similarity"), [(False, 0.259187), (True, 0.367223)])
def test_value_and_gradient_of_the_authors_code(
    fixture_f: SimpleNamespace, orthogonal: bool, similarity: float
) -> None:
    start, features = fixture_f.relaxed.detach().numpy(), np.array(FEATURES)
    targets = sorted([max(0.0, -QUANTILE) if orthogonal else -QUANTILE, QUANTILE])
    pairs = sorted([(0, 2), (1, 3)], key=lambda pair: cosine(features[pair[0]], features[pair[1]]))

    def value(relaxed: NDArray[np.float64]) -> float:
        errors = [abs(cosine(relaxed[i], relaxed[j]) - t) for (i, j), t in zip(pairs, targets, strict=True)]
        return float(np.mean(errors) + np.mean([1 - cosine(row, np.sign(row)) for row in relaxed]))

    terms = SDCLoss(orthogonal=orthogonal)(
        fixture_f.relaxed, fixture_f.labels, fixture_f.rows, torch.tensor(FEATURES, dtype=torch.float64)
    )
    (gradient,) = torch.autograd.grad(sum(terms.values()), fixture_f.relaxed)

    assert terms["similarity"].item() == pytest.approx(similarity, abs=1e-6)
    assert terms["quantization"].item() == pytest.approx(0.090267, abs=1e-6)
    for place in np.ndindex(start.shape):
        step = np.zeros_like(start)
        step[place] = 1e-6
        slope = (value(start + step) - value(start - step)) / 2e-6
        assert gradient[place].item() == pytest.approx(slope, abs=1e-8)


def test_beta_is_above_0() -> None:
    with pytest.raises(ValueError, match="beta must be above 0, got 0"):
        SDCLoss(beta=0)
