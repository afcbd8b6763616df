from types import SimpleNamespace
from typing import Any

import pytest
import torch

from softhash.losses.sadh import SADHLoss, anchor_graph, binary_codes, lagrangian, smoothness, split

GRAPH = torch.tensor([[0.7, 0.3], [0.6, 0.4], [0.1, 0.9], [0.8, 0.2]], dtype=torch.float64)


def test_the_smoothness_of_codes_on_a_graph(fixture_f: SimpleNamespace) -> None:
    similarity = GRAPH @ GRAPH.sum(0).reciprocal().diag() @ GRAPH.T

    assert similarity.sum(1).tolist() == pytest.approx([1, 1, 1, 1])
    assert smoothness(GRAPH, fixture_f.relaxed).item() == pytest.approx(3.001919, abs=1e-6)


def test_one_step_of_the_authors_algorithm(fixture_f: SimpleNamespace) -> None:
    codes = fixture_f.relaxed
    multipliers = torch.full_like(codes, 0.002).detach(), torch.full_like(codes, 0.002).detach()

    splits = split(codes.detach(), *multipliers)
    value = lagrangian(GRAPH, codes, splits, multipliers)
    (gradient,) = torch.autograd.grad(value, codes)

    assert splits[0][0].tolist() == pytest.approx([1, -0.2, 0.4, 0.9])
    assert splits[1][0].tolist() == pytest.approx([1.621862, -0.294884, 0.589768, 1.326978], abs=1e-6)
    assert value.item() == pytest.approx(3.016319, abs=1e-6)
    assert gradient[0].tolist() == pytest.approx([0.947919, -0.309488, 0.208020, 0.303138], abs=1e-6)


def test_the_network_learns_the_codes(fixture_f: SimpleNamespace) -> None:
    loss = SADHLoss()
    loss.setup(fixture_f.train)
    loss.codes[:] = fixture_f.relaxed.detach().sign()
    batch = [2, 0, 1, 3]
    relaxed = fixture_f.relaxed[batch].detach().requires_grad_()

    terms = loss(relaxed, fixture_f.labels[batch], torch.tensor(batch))
    (gradient,) = torch.autograd.grad(terms["code"], relaxed)

    assert terms["code"].item() == pytest.approx(0.55)
    torch.testing.assert_close(gradient, (relaxed - relaxed.sign()).detach() / 4)


def test_an_image_is_linked_to_its_nearest_anchors() -> None:
    features = torch.tensor([[0.0], [0.1], [5.0], [5.1], [20.0], [20.1]], dtype=torch.float64)

    graph = anchor_graph(features, num_anchors=3, num_nearest=2, seed=0)

    assert graph.sum(1).tolist() == pytest.approx([1] * 6)
    assert ((graph > 0).sum(1) == 2).all()
    nearest = graph.argmax(1)
    assert nearest[0] == nearest[1]
    assert nearest[2] == nearest[3]
    assert nearest[4] == nearest[5]
    assert len(nearest.unique()) == 3
    anchors = torch.tensor([0.05, 5.05, 20.05], dtype=torch.float64)
    distances = (features - anchors).abs().sort(1).values[:, :2]
    weights = (-((distances / distances[:, 1].mean()) ** 2)).exp()
    expected = weights / weights.sum(1, keepdim=True)
    torch.testing.assert_close(graph.sort(1, descending=True).values[:, :2], expected)


def test_codes_of_clusters_are_alike_within_and_different_between() -> None:
    rng = torch.Generator().manual_seed(0)
    centers = torch.randn(4, 8, generator=rng) * 10
    features = centers.repeat_interleave(15, 0) + torch.randn(60, 8, generator=rng)
    start = torch.randn(60, 6, generator=rng).tanh()

    codes = binary_codes(anchor_graph(features, 12, 2, seed=0), start, iterations=50)

    assert codes.unique().tolist() == [-1, 1]
    inner = codes @ codes.T / 6
    same = torch.eye(4).repeat_interleave(15, 0) @ torch.eye(4).repeat_interleave(15, 0).T > 0
    assert inner[same].mean() > inner[~same].mean() + 0.3


def test_codes_are_computed_at_the_start_of_a_round() -> None:
    rng = torch.Generator().manual_seed(0)
    train: Any = SimpleNamespace(labels=torch.zeros(20, 0), bits=4)
    train.encode = lambda: (torch.randn(20, 3, generator=rng), torch.randn(20, 4, generator=rng))
    loss, restored = SADHLoss(epochs_per_round=2, num_anchors=5), SADHLoss(epochs_per_round=2, num_anchors=5)
    for either in (loss, restored):
        either.setup(train)

    seen = []
    for epoch in range(4):
        loss.on_epoch_start(epoch, train)
        seen.append(loss.codes.clone())

    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[1], seen[2])
    assert torch.equal(seen[2], seen[3])
    restored.load_state_dict(loss.state_dict())
    assert torch.equal(restored.codes, loss.codes)


@pytest.mark.parametrize("name", ["epochs_per_round", "num_anchors", "num_nearest", "iterations"])
def test_counts_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        SADHLoss(**{name: 0})
