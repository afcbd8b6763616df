from types import SimpleNamespace

import numpy as np
import pytest
import torch

from softhash.losses.drsch import DRSCHLoss

ONE_TRIPLET = torch.tensor([[1.0, 1, 0], [0, 0, 0], [0, 0, 0]])
WEIGHTS = torch.tensor([1.0, 0.5, 2.0, 1.5], dtype=torch.float64)


def test_one_triplet_of_the_authors_code(fixture_f: SimpleNamespace) -> None:
    z = (2 * fixture_f.relaxed)[:3].detach().requires_grad_()
    loss = DRSCHLoss(margin=5, graph_weight=0, similarity=lambda labels, others: ONE_TRIPLET)  # noqa: ARG005

    total = sum(loss(WEIGHTS * (z.sigmoid() - 0.5), fixture_f.labels[:3], torch.arange(3)).values())
    (gradient,) = torch.autograd.grad(total, z)

    assert total.item() == pytest.approx(3.815048, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([-0.121628, 0.067831, -0.592608, -0.060984], abs=1e-6)


def test_the_graph_of_similar_images(fixture_f: SimpleNamespace) -> None:
    codes = (WEIGHTS * ((2 * fixture_f.relaxed).sigmoid() - 0.5)).detach().requires_grad_()

    terms = DRSCHLoss(graph_weight=0.5)(codes, fixture_f.labels, fixture_f.rows)
    (gradient,) = torch.autograd.grad(terms["graph"], codes)

    s = (fixture_f.labels @ fixture_f.labels.T > 0).double()
    laplacian = s.sum(1).diag() - s
    assert terms["graph"].item() == pytest.approx(4.423947 / 2, abs=1e-6)
    torch.testing.assert_close(gradient, laplacian @ codes.detach())


@pytest.mark.parametrize(("step", "margin"), [(0, 5.0), (9999, 5.0), (10000, 5.1), (50000, 5.5)])
def test_the_margin_grows_and_survives_a_checkpoint(step: int, margin: float) -> None:
    loss, restored = DRSCHLoss(), DRSCHLoss()
    loss.on_step(step, total=60000)
    labels = torch.eye(2)[[0, 0, 1]]

    restored.load_state_dict(loss.state_dict())

    term = restored(torch.zeros(3, 4), labels, torch.arange(3))["triplet"]  # no distances
    assert term.item() == pytest.approx(margin)


@pytest.mark.parametrize("name", ["margin", "margin_growth", "graph_weight"])
def test_negative_arguments_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 0, got -1"):
        DRSCHLoss(**{name: -1})


def test_all_triplets_of_a_batch_have_the_same_weight() -> None:
    codes, labels = (
        torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double(),
        torch.eye(3)[[0, 0, 0, 1, 1, 2]],
    )

    term = DRSCHLoss()(codes, labels.double(), torch.arange(6))["triplet"]

    v, same = codes.numpy(), (labels @ labels.T).numpy()
    costs = [
        max(0.0, 5 + ((v[a] - v[p]) ** 2).sum() - ((v[a] - v[n]) ** 2).sum())
        for a in range(6)
        for p in range(6)
        for n in range(6)
        if p != a and same[a, p] and not same[a, n]
    ]
    assert term.item() == pytest.approx(np.mean(costs))
