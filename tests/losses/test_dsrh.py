from itertools import product
from math import log
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.functional.similarity import count
from softhash.losses.dsrh import DSRHLoss, ranking_weights

ONE_QUERY = torch.tensor([[2.0, 1, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])


def test_the_weights_of_one_list() -> None:
    weights = ranking_weights(ONE_QUERY.double())[0]

    found = [weights[3, 1], weights[3, 2], weights[1, 2]]  # the largest gain is 3 / ln 2 + 1 / ln 3
    assert [weight.item() for weight in found] == pytest.approx([0.381801, 0.572702, 0.190901], abs=1e-6)


def test_one_query_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    z = (2 * fixture_f.relaxed).detach().requires_grad_()
    loss = DSRHLoss(margin=5, balance_weight=0, similarity=lambda labels, others: ONE_QUERY.double())  # noqa: ARG005

    total = 3 * sum(loss(z, fixture_f.labels, fixture_f.rows).values())  # three triplets, here their mean
    (gradient,) = torch.autograd.grad(total, z)

    assert total.item() == pytest.approx(5.228658, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.074622, 0.111902, -0.288270, -0.032046], abs=1e-6)


def slow(z: NDArray[np.float64], shared: NDArray[np.float64]) -> float:
    codes, costs = 2 / (1 + np.exp(-z)) - 1, []
    for q in range(len(z)):
        others = [row for row in range(len(z)) if row != q]
        descending = sorted((shared[q, row] for row in others), reverse=True)
        best = sum((2**r - 1) / log(1 + k) for k, r in enumerate(descending, start=1))
        for p, n in product(others, others):
            if shared[q, p] > shared[q, n]:
                gap = 5 + (codes[q] @ codes[n] - codes[q] @ codes[p]) / 2
                costs.append((2 ** shared[q, p] - 2 ** shared[q, n]) / best * max(0.0, gap))
    return float(np.mean(costs)) + 0.7 / 2 * float((codes.mean(0) ** 2).sum())


def test_all_triplets_of_a_batch_and_the_balance_of_bits() -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (6, 4), generator=rng).double()
    z = torch.randn(6, 16, generator=rng, dtype=torch.float64).mul(3).requires_grad_()
    shared = (labels @ labels.T).numpy()

    total = sum(DSRHLoss(5, 0.7, count)(z, labels, torch.arange(6)).values())
    (gradient,) = torch.autograd.grad(total, z)

    assert total.item() == pytest.approx(slow(z.detach().numpy(), shared))
    for place in np.ndindex(6, 16):
        above, below = z.detach().numpy().copy(), z.detach().numpy().copy()
        above[place] += 1e-6
        below[place] -= 1e-6
        assert gradient[place].item() == pytest.approx((slow(above, shared) - slow(below, shared)) / 2e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["margin", "balance_weight"])
def test_negative_arguments_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 0, got -1"):
        DSRHLoss(**{name: -1})
