from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from softhash.functional.similarity import count, share
from softhash.losses.dnnh import DNNHLoss

ONE_TRIPLET = torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(("margin", "value"), [(1, 0.232741), (2, 1.232741)])
def test_one_triplet(fixture_f: SimpleNamespace, margin: float, value: float) -> None:
    z = (2 * fixture_f.relaxed)[:3].detach().requires_grad_()
    loss = DNNHLoss(margin, similarity=lambda labels, others: ONE_TRIPLET)  # noqa: ARG005

    terms = loss(2 * z.sigmoid() - 1, fixture_f.labels[:3], torch.arange(3))
    (gradient,) = torch.autograd.grad(terms["triplet"], z)

    assert terms["triplet"].item() == pytest.approx(value, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.121628, 0.271324, -0.148152, -0.027104], abs=1e-6)


def slow(u: NDArray[np.float64], similarity: NDArray[np.float64]) -> float:
    codes, costs = (u + 1) / 2, []
    for a, p, n in product(range(len(u)), repeat=3):
        if len({a, p, n}) == 3 and similarity[a, p] > similarity[a, n]:
            gap = ((codes[a] - codes[p]) ** 2).sum() - ((codes[a] - codes[n]) ** 2).sum()
            costs.append(max(0.0, 1 + gap))
    return float(np.mean(costs))


@pytest.mark.parametrize("similarity", [share, count])
def test_all_triplets_of_a_batch(similarity: object) -> None:
    rng = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (7, 3), generator=rng).double()
    u = torch.rand(7, 4, generator=rng, dtype=torch.float64).mul(2).sub(1).requires_grad_()
    given = similarity(labels, labels).numpy()  # type: ignore[operator]

    terms = DNNHLoss(similarity=similarity)(u, labels, torch.arange(7))  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(terms["triplet"], u)

    assert terms["triplet"].item() == pytest.approx(slow(u.detach().numpy(), given))
    for place in np.ndindex(7, 4):
        above, below = u.detach().numpy().copy(), u.detach().numpy().copy()
        above[place] += 1e-6
        below[place] -= 1e-6
        assert gradient[place].item() == pytest.approx((slow(above, given) - slow(below, given)) / 2e-6, abs=1e-6)


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="margin must be at least 0, got -1"):
        DNNHLoss(-1)
